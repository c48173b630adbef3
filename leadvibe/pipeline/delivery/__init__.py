"""Brings the messages of the outbox to their receivers: queues, senders, retries."""
