"""Reading what a lead's events of a window did."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from leadvibe.scoring.model import Contribution
from leadvibe.store.lead_state import earned
from leadvibe.store.queue import AnyConnection

# Rows fetched at once; a lead may have a million.
_ROWS = 1_000

ScoredEvent = tuple[str, str | None, dict[str, Contribution]]  # type, suppression reason, by ruleset


async def scored_events(
    connection: AnyConnection, unit_id: str, lead_id: str, since: datetime, until: datetime
) -> AsyncIterator[ScoredEvent]:
    """The lead's events in (since, until] that did something to a score or were kept from it, in no order.
    The caller has a transaction."""
    rows = connection.cursor(
        """
        SELECT event_type, suppression_reason, scores FROM engagement_events
        WHERE unit_id = $1 AND lead_id = $2 AND occurred_at > $3 AND occurred_at <= $4
          AND (scores IS NOT NULL OR suppression_reason IS NOT NULL)
        """,
        unit_id,
        lead_id,
        since,
        until,
        prefetch=_ROWS,
    )
    async for event_type, reason, scores in rows:
        yield event_type, reason, {key: _contribution(entry) for key, entry in (scores or {}).items()}


def _contribution(entry: list[Any]) -> Contribution:
    delta, before, after, boost, rule_id = entry[:5]
    return Contribution(delta, before, after, earned(entry), boost, rule_id)
