"""Surge triggers: who is told when a lead has many events within a window."""

from __future__ import annotations

from sqlalchemy import inspect
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.errors import bad_request
from leadvibe.resolvers.caller import Caller
from leadvibe.resolvers.destinations import check_destinations
from leadvibe.resolvers.family import Family, nothing_to_check
from leadvibe.resolvers.rulesets import name_event_type
from leadvibe.store.config_tables import SurgeTrigger


async def _accept(session: AsyncSession, caller: Caller, row: SurgeTrigger) -> None:
    """It tells a webhook or people, not both; an empty event type means any. A change that names the one takes the
    place of the other."""
    row.event_type = row.event_type or None
    given = inspect(row).committed_state
    for one, other in (("webhook_url", "emails"), ("emails", "webhook_url")):
        if one in given and other not in given and getattr(row, one):
            setattr(row, other, None)
    if bool(row.webhook_url) == bool(row.emails):
        raise bad_request("Name one destination.", webhook_url="or emails is required, not both")
    check_destinations(row)
    if row.event_type is not None:
        await name_event_type(session, row.unit_id, row.event_type)


SURGE_TRIGGERS = Family(
    "surge_trigger",
    SurgeTrigger,
    writable=("event_type", "window_seconds", "window_unit", "threshold_count", "webhook_url", "emails"),
    order="created_at",
    accept=_accept,
    release=nothing_to_check,
)
