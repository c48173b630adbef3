"""Reading a lead's activity: its events and orders as one list, newest first, by keyset."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Interval, cast, false, literal
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.store import event_types
from leadvibe.store.event_filter import KEYS as EVENT_KEYS
from leadvibe.store.event_filter import EventFilter
from leadvibe.store.paging import SortKey, behind, decode_cursor, encode_cursor
from leadvibe.store.tables import EngagementEvent, Order

Entry = EngagementEvent | Order

_ORDER_KEYS = [SortKey(Order.ordered_at), SortKey(Order.id)]
# A cursor says behind which event and behind which order a page begins: a time, a seq and an order's id. Of
# one time, orders stand before events (newest first).
_CURSOR_KEYS = [SortKey(EngagementEvent.occurred_at), SortKey(EngagementEvent.seq), SortKey(Order.id)]
_BEFORE_ALL_EVENTS, _BEHIND_ALL_ORDERS = 2**63 - 1, ""

# Longer than any event has waited.
_LONGEST_LATENCY_MS = 10**12


@dataclass(frozen=True, slots=True)
class ActivityFilter:
    """Which part of a lead's activity is shown; None does not filter. The times, [start, end), hold for events
    and orders, all else for events only: `min_score` is the primary score after the event, `max_latency_ms`
    the time from its acceptance to its scoring, `has_delta` that it changed the primary score."""

    start: datetime | None = None
    end: datetime | None = None
    channel: str | None = None
    min_score: int | None = None
    max_latency_ms: int | None = None
    has_delta: bool = False

    def of_events(
        self, unit_id: str, lead_id: str, primary: str | None, hidden: Sequence[str]
    ) -> list[ColumnElement[bool]]:
        event = EngagementEvent
        within = EventFilter(lead_id=lead_id, occurred_from=self.start, occurred_to=self.end)
        found = within.conditions(unit_id, hidden)
        if self.channel is not None:
            found.append(col(event.channel) == self.channel)
        if self.max_latency_ms is not None:
            # The latency is shown in whole milliseconds.
            most = timedelta(milliseconds=min(self.max_latency_ms, _LONGEST_LATENCY_MS) + 1)
            found.append(cast(col(event.processed_at) - col(event.received_at), Interval) < literal(most, Interval))
        if self.min_score is not None:
            found.append(_score(primary, 2) >= self.min_score if primary else false())
        if self.has_delta:
            found.append(_score(primary, 0) != 0 if primary else false())
        return found

    def of_orders(self, unit_id: str, lead_id: str) -> list[ColumnElement[bool]]:
        found = [col(Order.unit_id) == unit_id, col(Order.lead_id) == lead_id]
        if self.start is not None:
            found.append(col(Order.ordered_at) >= self.start)
        if self.end is not None:
            found.append(col(Order.ordered_at) < self.end)
        return found


def _score(primary: str, place: int) -> Any:
    """A number of what the event did to the primary score: 0 the delta, 2 the score after it."""
    return col(EngagementEvent.scores)[(primary, str(place))].astext.cast(BigInteger)


@dataclass(frozen=True, slots=True)
class ActivityPage:
    """Some entries, newest first; `next_before` continues behind them, None when nothing is left."""

    entries: Sequence[Entry]
    next_before: str | None


async def page(
    session: AsyncSession,
    unit_id: str,
    lead_id: str,
    wanted: ActivityFilter,
    primary: str | None,
    limit: int,
    before: str | None,
) -> ActivityPage:
    """At most `limit` entries behind the cursor `before`. `primary`: the primary engagement ruleset."""
    hidden = await event_types.hidden_names(session, unit_id)
    event_query = select(EngagementEvent).where(*wanted.of_events(unit_id, lead_id, primary, hidden))
    order_query = select(Order).where(*wanted.of_orders(unit_id, lead_id))
    if before is not None:
        at, seq, order_id = decode_cursor(before, _CURSOR_KEYS, "before")
        event_query = event_query.where(behind(EVENT_KEYS, [at, seq]))
        order_query = order_query.where(behind(_ORDER_KEYS, [at, order_id]))
    events = await session.exec(event_query.order_by(*(key.clause for key in EVENT_KEYS)).limit(limit + 1))
    orders = await session.exec(order_query.order_by(*(key.clause for key in _ORDER_KEYS)).limit(limit + 1))
    sources: list[Sequence[Entry]] = [events.all(), orders.all()]
    merged = list(heapq.merge(*sources, key=_place, reverse=True))
    shown = merged[:limit]
    return ActivityPage(shown, _cursor(shown[-1]) if len(merged) > limit else None)


def _place(entry: Entry) -> tuple[datetime, bool]:
    return (entry.ordered_at, True) if isinstance(entry, Order) else (entry.occurred_at, False)


def _cursor(last: Entry) -> str:
    if isinstance(last, Order):
        return encode_cursor([last.ordered_at, _BEFORE_ALL_EVENTS, last.id])
    return encode_cursor([last.occurred_at, last.seq, _BEHIND_ALL_ORDERS])
