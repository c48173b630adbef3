"""Numbers about a unit's events and leads, always as they are now and without hidden event types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from datetime import date as calendar_date

from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.resolvers.score_history import LEADS_SHOWN, check_limit
from leadvibe.store import event_counts, lead_queries
from leadvibe.store.event_counts import Window
from leadvibe.store.lead_queries import TopLead
from leadvibe.store.time_ranges import TimeRange, bounds

_TYPES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Totals:
    """`unique_leads`: how many leads the events are of."""

    events: int
    unique_leads: int


@dataclass(frozen=True, slots=True)
class DailyCount:
    """The events of a day (UTC)."""

    date: calendar_date
    count: int


@dataclass(frozen=True, slots=True)
class EventsAnalytics:
    """`by_type`: event type → events, most first. `daily_counts`: newest day first, days without events left out."""

    totals: Totals
    by_type: Mapping[str, int]
    daily_counts: Sequence[DailyCount]


@dataclass(frozen=True, slots=True)
class LastDay:
    """Events of the last 24 hours, and the leads that they are of."""

    events: int
    leads: int


@dataclass(frozen=True, slots=True)
class TypeCount:
    event_type: str
    count: int


@dataclass(frozen=True, slots=True)
class EventStats:
    """`top_events`: the ten most frequent types of the range, most first."""

    last_24h: LastDay
    top_events: Sequence[TypeCount]


@operation(Permission.READ)
async def get_events_analytics(
    context: Context, range: TimeRange | None = None, event_type: str | None = None
) -> EventsAnalytics:
    """Of all time and all types, unless told; an unknown type has no events."""
    window = Window(*bounds(range, datetime.now(UTC)), event_type)
    unit_id = context.caller.unit_id
    async with context.services.database.session() as session:
        found = await event_counts.counts(session, unit_id, window)
        leads = await event_counts.unique_leads(session, unit_id, window)
    days = [DailyCount(day, count) for day, count in found.by_day.items()]
    return EventsAnalytics(Totals(found.total, leads), found.by_type, days)


@operation(Permission.READ)
async def get_event_stats(context: Context, range: TimeRange | None = None) -> EventStats:
    """The last 24 hours whatever the range; the most frequent types of the range, else of all time."""
    now = datetime.now(UTC)
    last_day = Window(*bounds("last_24h", now))
    unit_id = context.caller.unit_id
    async with context.services.database.session() as session:
        events = await event_counts.total(session, unit_id, last_day)
        leads = await event_counts.unique_leads(session, unit_id, last_day)
        found = await event_counts.counts(session, unit_id, Window(*bounds(range, now)))
    top = [TypeCount(event_type, count) for event_type, count in list(found.by_type.items())[:_TYPES_SHOWN]]
    return EventStats(LastDay(events, leads), top)


@operation(Permission.READ)
async def list_top_leads(context: Context, limit: int = LEADS_SHOWN) -> Sequence[TopLead]:
    """The leads with the highest primary scores; of equal ones that with the latest event first."""
    check_limit(limit)
    async with context.services.database.session() as session:
        return await lead_queries.top(session, context.caller.unit_id, limit)
