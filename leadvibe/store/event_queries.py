"""Reading the event log: newest first, by keyset or page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import func, tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.store import event_counts, event_types
from leadvibe.store.database import Database
from leadvibe.store.event_filter import KEYS, EventFilter
from leadvibe.store.metadata_lists import BEFORE_ALL, NEWEST, Place, Search, events_at
from leadvibe.store.paging import (
    EVERYTHING,
    Cursors,
    Page,
    Reading,
    behind,
    bounded_count,
    decode_cursor,
    read_rows,
    skipping,
)
from leadvibe.store.tables import EngagementEvent

# Of a metadata filter the total is told from so many of the newest events, if so many of them at least are found.
_EVENTS_SAMPLED, _FEW_SAMPLED = 10_000, 10


async def count(session: AsyncSession, unit_id: str, wanted: EventFilter, hidden: Sequence[str]) -> int:
    """How many events the filter finds: kept counted for types and times, counted up to MOST_COUNTED for a
    lead, and for metadata told from the newest events or those where `metadata_lists` finds some."""
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
    if found < _FEW_SAMPLED and (counted := await Search(session, unit_id, wanted, hidden).count()) is not None:
        return counted
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
    place = None if after is None else decode_cursor(after, KEYS)
    if wanted.metadata:
        query = await _by_metadata(Search(session, unit_id, wanted, hidden), limit + 1, place, offset)
    else:
        query = await _by_columns(session, unit_id, wanted, hidden, limit + 1, place, offset)
    rows = await read_rows(session, query, read)
    shown = rows[:limit]
    if wanted.metadata:  # the page may know better
        seen = offset + len(rows) if rows else 0
        whole = after is None and len(rows) <= limit and (rows or not offset)
        total = seen if whole else max(total, seen)
    return Page(shown, Cursors(shown, KEYS), len(rows) > limit, total)


async def _by_metadata(search: Search, most: int, after: Sequence[Any] | None, offset: int) -> Any:
    """A query for `most` events behind a place, or from `offset` on, of a filter that asks for metadata."""
    if after is not None:
        return events_at(search.unit_id, await search.find(Place(*after), most))
    return events_at(search.unit_id, (await search.find(NEWEST, offset + most))[offset:])


async def _by_columns(
    session: AsyncSession,
    unit_id: str,
    wanted: EventFilter,
    hidden: Sequence[str],
    most: int,
    after: Sequence[Any] | None,
    offset: int,
) -> Any:
    """A query for `most` events behind a place, or from `offset` on."""
    if after is None and offset and wanted.counted:
        wanted, offset = await _skip_days(session, unit_id, wanted, offset)
    conditions = wanted.conditions(unit_id, hidden)
    query = select(EngagementEvent).where(*conditions)
    if after is not None:
        query = query.where(behind(KEYS, after))
    elif offset:
        place = tuple_(*(key.column for key in KEYS))
        query = query.where(place.in_(skipping([key.column for key in KEYS], conditions, KEYS, offset, most)))
    return query.order_by(*(key.clause for key in KEYS)).limit(most)


async def _skip_days(session: AsyncSession, unit_id: str, wanted: EventFilter, offset: int) -> tuple[EventFilter, int]:
    """Where a deep page begins: whole days before it are skipped by their counts, and never read."""
    by_day = (await event_counts.counts(session, unit_id, wanted.window)).by_day
    for day, events in by_day.items():
        if offset < events:
            end = datetime.combine(day + timedelta(days=1), time(), UTC)
            return replace(wanted, occurred_to=min(end, wanted.occurred_to or end)), offset
        offset -= events
    return replace(wanted, occurred_to=BEFORE_ALL), 0


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
    behind: tuple[datetime, int] = NEWEST
    while rows := await database.pool.fetch(_EXPORT, unit_id, *behind, _EXPORTED_AT_ONCE):
        yield [(row[0], row[1], row[2], row[3]) for row in rows]
        behind = rows[-1]["occurred_at"], rows[-1]["seq"]
