"""Leadvibe: engagement events in, live explained lead scores out."""
