"""A lead's activity: its events and orders, each for itself and merged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from leadvibe.errors import bad_request
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.resolvers.leads import get_lead
from leadvibe.store import activity, ruleset_queries
from leadvibe.store.activity import ActivityFilter
from leadvibe.store.tables import EngagementEvent, Order

# Entries of one answer; what is older comes with the next page.
MOST_ENTRIES = 500


@dataclass(frozen=True, slots=True)
class ActivityEvent:
    """An event. `score`: the primary score after it, `score_delta`: by how much it changed that, both null when
    it did not count there. `latency_ms`: from its acceptance to its scoring."""

    id: str
    lead_id: str | None
    event_type: str
    channel: str
    timestamp: datetime
    metadata: dict[str, Any]
    suppression_reason: str | None
    original_lead_id: str | None
    score: int | None
    score_delta: int | None
    latency_ms: int


@dataclass(frozen=True, slots=True)
class ActivityOrder:
    """An order, which is shown and never scored. `order_id` is the shop's own."""

    id: str
    order_id: str
    lead_id: str
    timestamp: datetime
    amount: float
    currency: str
    status: str
    metadata: dict[str, Any]


ActivityEntry = ActivityEvent | ActivityOrder


@dataclass(frozen=True, slots=True)
class Activity:
    """Events and orders merged, in the order they are shown in. `next_before`: where older ones continue."""

    timeline: Sequence[ActivityEntry]
    next_before: str | None

    @property
    def events(self) -> list[ActivityEvent]:
        return [entry for entry in self.timeline if isinstance(entry, ActivityEvent)]

    @property
    def orders(self) -> list[ActivityOrder]:
        return [entry for entry in self.timeline if isinstance(entry, ActivityOrder)]


@operation(Permission.READ)
async def get_lead_activity(
    context: Context, lead_id: str, wanted: ActivityFilter, limit: int, before: str | None = None
) -> Activity:
    """The newest `limit` entries (1 to MOST_ENTRIES) behind the cursor `before`, without events of hidden types.
    400 for a period that ends before it starts, a bound that no event can miss, a bad limit or cursor; 404 for
    an unknown lead."""
    _check(wanted, limit)
    await get_lead(context, lead_id)
    unit_id = context.caller.unit_id
    async with context.services.database.session() as session:
        primary = await ruleset_queries.primary(session, unit_id)
        page = await activity.page(session, unit_id, lead_id, wanted, primary, limit, before)
    return Activity(_as_shown([_entry(entry, primary) for entry in page.entries]), page.next_before)


def _check(wanted: ActivityFilter, limit: int) -> None:
    if not 1 <= limit <= MOST_ENTRIES:
        raise bad_request(f"A page has 1 to {MOST_ENTRIES} entries.", limit=f"must be 1 to {MOST_ENTRIES}")
    if wanted.start is not None and wanted.end is not None and wanted.start > wanted.end:
        raise bad_request("The period ends before it starts.", end="must not be before start")
    if wanted.min_score is not None and wanted.min_score < 0:
        raise bad_request("The lowest score is negative.", min_score="must be at least 0")
    if wanted.max_latency_ms is not None and wanted.max_latency_ms < 1:
        raise bad_request("The highest latency is less than a millisecond.", max_latency="must be at least 1")


def _as_shown(newest_first: list[ActivityEntry]) -> list[ActivityEntry]:
    """The one place that knows the direction of the timeline: oldest first."""
    return newest_first[::-1]


def _entry(row: EngagementEvent | Order, primary: str | None) -> ActivityEntry:
    return _order(row) if isinstance(row, Order) else _event(row, primary)


def _event(row: EngagementEvent, primary: str | None) -> ActivityEvent:
    effect = (row.scores or {}).get(primary) if primary else None
    return ActivityEvent(
        id=row.event_id,
        lead_id=row.lead_id,
        event_type=row.event_type,
        channel=row.channel,
        timestamp=row.occurred_at,
        metadata=row.event_metadata,
        suppression_reason=row.suppression_reason,
        original_lead_id=row.original_lead_id,
        score=effect[2] if effect else None,
        score_delta=effect[0] if effect else None,
        latency_ms=(row.processed_at - row.received_at) // timedelta(milliseconds=1),
    )


def _order(row: Order) -> ActivityOrder:
    return ActivityOrder(
        id=row.id,
        order_id=row.order_id,
        lead_id=row.lead_id,
        timestamp=row.ordered_at,
        amount=float(row.amount),
        currency=row.currency,
        status=row.status,
        metadata=row.order_metadata,
    )
