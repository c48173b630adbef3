"""Reading the event log: newest first, by keyset or page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, func, or_, tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.store import event_counts, event_types
from leadvibe.store.database import Database
from leadvibe.store.paging import (
    EVERYTHING,
    Cursors,
    Page,
    Reading,
    SortKey,
    behind,
    bounded_count,
    decode_cursor,
    read_rows,
    skipping,
)
from leadvibe.store.tables import EngagementEvent

KEYS = [SortKey(EngagementEvent.occurred_at), SortKey(EngagementEvent.seq)]


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events a list shows; None does not filter. `metadata`: (key, text value) pairs that
    `logic` combines. Events of hidden types never show."""

    event_type: str | None = None
    lead_id: str | None = None
    occurred_from: datetime | None = None
    occurred_to: datetime | None = None
    metadata: Sequence[tuple[str, str]] = ()
    logic: Literal["and", "or"] = "and"

    @property
    def counted(self) -> bool:
        """Whether what it finds is kept counted."""
        return self.lead_id is None and not self.metadata

    @property
    def window(self) -> event_counts.Window:
        return event_counts.Window(self.occurred_from, self.occurred_to, self.event_type)

    def conditions(self, unit_id: str, hidden: Sequence[str]) -> list[ColumnElement[bool]]:
        """`hidden`: the unit's hidden types; most units have none, and then nothing needs to look at types."""
        event = EngagementEvent
        wanted: list[tuple[Any, Any]] = [
            (self.event_type, lambda v: col(event.event_type) == v),
            (self.lead_id, lambda v: col(event.lead_id) == v),
            (self.occurred_from, lambda v: col(event.occurred_at) >= v),
            (self.occurred_to, lambda v: col(event.occurred_at) < v),
        ]
        combined = [self.holds(col(event.event_metadata))] if self.metadata else []
        shown = [col(event.event_type).not_in(hidden)] if hidden else []
        given = [condition(value) for value, condition in wanted if value is not None]
        return [col(event.unit_id) == unit_id, *shown, *given, *combined]

    def holds(self, metadata: Any) -> ColumnElement[bool]:
        """Whether this metadata meets the filter."""
        pairs = [metadata[key].astext == value for key, value in self.metadata]
        return and_(*pairs) if self.logic == "and" else or_(*pairs)


# Of a metadata filter the total is told from so many of the newest events; a list reads until a page is full.
_EVENTS_SAMPLED = 10_000


async def count(session: AsyncSession, unit_id: str, wanted: EventFilter, hidden: Sequence[str]) -> int:
    """How many events the filter finds: kept counted for types and times, counted up to MOST_COUNTED for a
    lead, and for metadata told from the newest events, exactly when there are no others."""
    if wanted.counted:
        return await event_counts.total(session, unit_id, wanted.window)
    if not wanted.metadata:
        return await bounded_count(session, select(EngagementEvent.seq).where(*wanted.conditions(unit_id, hidden)))
    all_of_them = replace(wanted, metadata=())
    newest: Any = select(col(EngagementEvent.event_metadata).label("metadata"))
    newest = newest.where(*all_of_them.conditions(unit_id, hidden))
    newest = newest.order_by(*(key.clause for key in KEYS)).limit(_EVENTS_SAMPLED)
    sample = newest.subquery()
    matching = func.count().filter(wanted.holds(sample.c.metadata))
    found, looked_at = (await session.exec(select(matching, func.count()).select_from(sample))).one()
    if looked_at < _EVENTS_SAMPLED:
        return found
    return round(found * await count(session, unit_id, all_of_them, hidden) / looked_at)


async def page(
    session: AsyncSession,
    unit_id: str,
    wanted: EventFilter,
    limit: int,
    after: str | None = None,
    offset: int = 0,
    read: Reading = EVERYTHING,
) -> Page[EngagementEvent]:
    """`limit` events behind the cursor `after`, or from `offset` on (the REST pages)."""
    hidden = await event_types.hidden_names(session, unit_id)
    total = await count(session, unit_id, wanted, hidden) if read.total else 0
    before = offset
    if after is None and offset and wanted.counted:
        wanted, offset = await _skip_days(session, unit_id, wanted, offset)
    conditions = wanted.conditions(unit_id, hidden)
    query = select(EngagementEvent).where(*conditions)
    if after is not None:
        query = query.where(behind(KEYS, decode_cursor(after, KEYS)))
    elif offset:
        place = tuple_(*(key.column for key in KEYS))
        query = query.where(place.in_(skipping([key.column for key in KEYS], conditions, KEYS, offset, limit + 1)))
    rows = await read_rows(session, query.order_by(*(key.clause for key in KEYS)).limit(limit + 1), read)
    shown = rows[:limit]
    if wanted.metadata:  # the page may know better
        seen = before + len(rows) if rows else 0
        whole = after is None and len(rows) <= limit and (rows or not before)
        total = seen if whole else max(total, seen)
    return Page(shown, Cursors(shown, KEYS), len(rows) > limit, total)


async def _skip_days(session: AsyncSession, unit_id: str, wanted: EventFilter, offset: int) -> tuple[EventFilter, int]:
    """Where a deep page begins: whole days before it are skipped by their counts, and never read."""
    by_day = (await event_counts.counts(session, unit_id, wanted.window)).by_day
    for day, events in by_day.items():
        if offset < events:
            end = datetime.combine(day + timedelta(days=1), time(), UTC)
            return replace(wanted, occurred_to=min(end, wanted.occurred_to or end)), offset
        offset -= events
    return replace(wanted, occurred_to=_BEFORE_ALL), 0


async def event(session: AsyncSession, unit_id: str, event_id: str) -> EngagementEvent | None:
    """The event, also when its type is hidden; the newest one, should an id have been used again."""
    query = select(EngagementEvent).where(EngagementEvent.unit_id == unit_id, EngagementEvent.event_id == event_id)
    return (await session.exec(query.order_by(*(key.clause for key in KEYS)).limit(1))).first()


async def some(session: AsyncSession, unit_id: str, event_ids: Collection[str]) -> dict[str, EngagementEvent]:
    """The events that there are of these, by id; the newest of an id that was used again."""
    query = select(EngagementEvent).where(
        EngagementEvent.unit_id == unit_id, col(EngagementEvent.event_id).in_(event_ids)
    )
    rows = await session.exec(query.order_by(col(EngagementEvent.occurred_at), col(EngagementEvent.seq)))
    return {row.event_id: row for row in rows.all()}


# Before and behind every event.
_BEFORE_ALL = datetime(1, 1, 1, tzinfo=UTC)
_NEWEST = datetime(9000, 1, 1, tzinfo=UTC), 0
_EXPORTED_AT_ONCE = 5_000
_EXPORT = """
    SELECT e.event_id, e.lead_id, e.event_type, e.occurred_at, e.seq FROM engagement_events e
    WHERE e.unit_id = $1 AND e.occurred_at <= $2 AND (e.occurred_at, e.seq) < ($2, $3)
      AND NOT EXISTS (SELECT FROM event_types t WHERE t.unit_id = $1 AND t.name = e.event_type AND t.hidden)
    ORDER BY e.occurred_at DESC, e.seq DESC LIMIT $4
"""


async def export(database: Database, unit_id: str) -> AsyncIterator[list[tuple[str, str | None, str, datetime]]]:
    """All events that lists show, newest first, group by group: (event id, lead id, type, time). Between two
    groups nothing is held, neither rows nor a connection: a client may read as slowly as it likes."""
    behind = _NEWEST
    while rows := await database.pool.fetch(_EXPORT, unit_id, *behind, _EXPORTED_AT_ONCE):
        yield [(row[0], row[1], row[2], row[3]) for row in rows]
        behind = rows[-1]["occurred_at"], rows[-1]["seq"]
