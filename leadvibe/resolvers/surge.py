"""Surge triggers: who is told when a lead has many events within a window."""

from __future__ import annotations

from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.errors import bad_request
from leadvibe.resolvers.caller import Caller
from leadvibe.resolvers.family import Family, nothing_to_check
from leadvibe.resolvers.rulesets import name_event_type
from leadvibe.store.config_tables import SurgeTrigger

_LONGEST_EMAIL = 320
_MOST_EMAILS = 50


async def _accept(session: AsyncSession, caller: Caller, row: SurgeTrigger) -> None:
    """It tells a webhook or people, not both; an empty event type means any."""
    row.event_type = row.event_type or None
    if bool(row.webhook_url) == bool(row.emails):
        raise bad_request("Name one destination.", webhook_url="or emails is required, not both")
    if row.webhook_url and not row.webhook_url.startswith(("http://", "https://")):
        raise bad_request("The webhook is no URL.", webhook_url="must begin with http:// or https://")
    if len(row.emails or ()) > _MOST_EMAILS:
        raise bad_request("Too many addresses.", emails=f"must have at most {_MOST_EMAILS} entries")
    for address in row.emails or ():
        name, at, domain = address.partition("@")
        if not (name and at and "." in domain) or len(address) > _LONGEST_EMAIL or " " in address:
            raise bad_request(f"{address[:80]} is no e-mail address.", emails="must be e-mail addresses")
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
