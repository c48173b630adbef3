"""Decay rules: points taken off while a lead is inactive."""

from __future__ import annotations

from leadvibe.resolvers.family import Family, nothing_to_check
from leadvibe.store.config_tables import DecayRule

DECAYS = Family(
    "decay",
    DecayRule,
    writable=("inactive_for", "unit", "decrease"),
    order="created_at",
    accept=nothing_to_check,
    release=nothing_to_check,
)
