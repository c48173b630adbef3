"""One line that says why a lead is where it is: what gave the most points lately."""

from __future__ import annotations

from datetime import datetime, timedelta

from leadvibe.scoring.explanation import Driver, Explanation
from leadvibe.store import explanation, unit_config
from leadvibe.store.queue import AnyConnection

_WINDOW = timedelta(days=7)
_MOST_FACTORS = 3


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
