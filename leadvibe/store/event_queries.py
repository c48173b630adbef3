"""Reading the event log: newest first, by keyset or page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, exists, func, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.store import event_counts
from leadvibe.store.database import Database
from leadvibe.store.paging import Page, SortKey, behind, decode_cursor, encode_cursor
from leadvibe.store.tables import EngagementEvent, EventType

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

    def conditions(self, unit_id: str) -> list[ColumnElement[bool]]:
        event = EngagementEvent
        wanted: list[tuple[Any, Any]] = [
            (self.event_type, lambda v: col(event.event_type) == v),
            (self.lead_id, lambda v: col(event.lead_id) == v),
            (self.occurred_from, lambda v: col(event.occurred_at) >= v),
            (self.occurred_to, lambda v: col(event.occurred_at) < v),
        ]
        pairs = [col(event.event_metadata)[key].astext == value for key, value in self.metadata]
        combined = [(and_ if self.logic == "and" else or_)(*pairs)] if pairs else []
        hidden = exists().where(
            col(EventType.unit_id) == unit_id, col(EventType.name) == event.event_type, col(EventType.hidden)
        )
        given = [condition(value) for value, condition in wanted if value is not None]
        return [col(event.unit_id) == unit_id, ~hidden, *given, *combined]


async def count(session: AsyncSession, unit_id: str, wanted: EventFilter) -> int:
    """How many events the filter finds; without a lead and metadata in it, from what is kept counted."""
    if wanted.lead_id is None and not wanted.metadata:
        window = event_counts.Window(wanted.occurred_from, wanted.occurred_to, wanted.event_type)
        return await event_counts.total(session, unit_id, window)
    query = select(func.count()).select_from(EngagementEvent).where(*wanted.conditions(unit_id))
    return (await session.exec(query)).one()


async def page(
    session: AsyncSession,
    unit_id: str,
    wanted: EventFilter,
    limit: int,
    after: str | None = None,
    offset: int = 0,
) -> Page[EngagementEvent]:
    """`limit` events behind the cursor `after`, or from `offset` on (the REST pages)."""
    query = select(EngagementEvent).where(*wanted.conditions(unit_id)).order_by(*(key.clause for key in KEYS))
    if after is not None:
        query = query.where(behind(KEYS, decode_cursor(after, KEYS)))
    rows = (await session.exec(query.limit(limit + 1).offset(offset))).all()
    shown = rows[:limit]
    cursors = [encode_cursor([row.occurred_at, row.seq]) for row in shown]
    return Page(shown, cursors, len(rows) > limit, await count(session, unit_id, wanted))


async def event(session: AsyncSession, unit_id: str, event_id: str) -> EngagementEvent | None:
    """The event, also when its type is hidden; the newest one, should an id have been used again."""
    query = select(EngagementEvent).where(EngagementEvent.unit_id == unit_id, EngagementEvent.event_id == event_id)
    return (await session.exec(query.order_by(*(key.clause for key in KEYS)).limit(1))).first()


# Behind every event.
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
