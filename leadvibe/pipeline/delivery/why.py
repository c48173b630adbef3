"""One line that says why a lead is where it is: what gave the most points lately."""

from __future__ import annotations

from datetime import datetime, timedelta

from leadvibe.pipeline.delivery.sender import Message
from leadvibe.scoring.explanation import Driver, Explanation
from leadvibe.store import explanation, unit_config
from leadvibe.store.database import Database
from leadvibe.store.queue import AnyConnection

_WINDOW = timedelta(days=7)
_MOST_FACTORS = 3


async def reason(database: Database, delivery: Message) -> str | None:
    """Why the lead of a delivery is where it was when the trigger fired, found out when it is sent."""
    payload = delivery.payload
    lead_id, fired_at = payload.get("lead", {}).get("lead_id"), payload.get("fired_at")
    if lead_id is None or fired_at is None:
        return None
    async with database.pool.acquire() as connection, connection.transaction():
        return await why(connection, delivery.unit_id, lead_id, datetime.fromisoformat(fired_at))


async def why(connection: AnyConnection, unit_id: str, lead_id: str, until: datetime) -> str | None:
    """At most three event types of the week before, by what they gave in the primary ruleset; None when nothing
    gave points. The caller has a transaction."""
    config = await unit_config.load(connection, unit_id)
    explained = Explanation(config)
    async for event in explanation.scored_events(connection, unit_id, lead_id, until - _WINDOW, until):
        explained.add(*event)
    gave = [each for each in explained.top_drivers if each.total > 0 and each.ruleset_id == config.primary_ruleset_id]
    return "; ".join(map(_factor, gave[:_MOST_FACTORS])) + " this week." if gave else None


def _factor(driver: Driver) -> str:
    times = "once" if driver.count == 1 else f"{driver.count} times"
    return f"{driver.event_type} {times} (+{driver.total})"
