"""Finding the events that have metadata values, newest first.

A value that many events have is soon found among the newest. For others `metadata_terms` tells in which chunks
of the log they may be; those are read block by block, the one with the newest event first, until no other block
has an event that is newer than what was found. Events that are in no block yet are always read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, BigInteger, ColumnElement, DateTime, TextClause, and_, cast, or_, text, true
from sqlalchemy.orm import aliased
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.store.event_filter import KEYS, EventFilter
from leadvibe.store.metadata_terms import BUCKET, CHUNK, HASH, TYPE_MARK, VALUE_MARK
from leadvibe.store.paging import SortKey, behind
from leadvibe.store.tables import EngagementEvent


class Place(NamedTuple):
    """Where an event is in lists."""

    occurred_at: datetime
    seq: int


# Before and behind every event.
BEFORE_ALL = datetime(1, 1, 1, tzinfo=UTC)
NEWEST = Place(datetime(9000, 1, 1, tzinfo=UTC), 0)

# So many of the newest events are looked at before any chunk is.
_LOOKED_AT = 10_000
# Chunks that are read at once: as many as events are wanted, but not fewer than these, and then ever more.
_FEWEST_CHUNKS, _GROWTH, _MOST_CHUNKS = 32, 4, 2_048
# A total counts in so many chunks and tells of the others by them.
_COUNTED_CHUNKS = 128
# If more events are in no block yet, reading them would take longer than reading on from the newest.
_MOST_LOOSE = 65_536
_LAST_SEQ = 2**63 - 1

_COVERED = text("""
    SELECT l.last_seq, coalesce((
        SELECT b.last_seq FROM event_blocks b WHERE b.unit_id = :unit_id ORDER BY b.first_seq DESC LIMIT 1
    ), 0) AS covered
    FROM lanes l WHERE l.unit_id = :unit_id
""")
# Chunks that have all pairs, or one of them, in blocks that reach into the time asked for.
_FOUND = f"""
    FROM (
        SELECT t.first_seq, p.place & 255 AS chunk
        FROM (
            SELECT u.number, {HASH.format(value="u.value", key="u.key")} AS hash
            FROM unnest(CAST(:keys AS text[]), CAST(:values AS text[])) WITH ORDINALITY AS u (key, value, number)
            OFFSET 0
        ) a
        JOIN event_terms t ON t.unit_id = :unit_id AND t.bucket = {BUCKET.format(hash="a.hash")}
        CROSS JOIN LATERAL unnest(t.places) AS p (place)
        WHERE p.place >> 15 = {VALUE_MARK.format(hash="a.hash")} AND (
            CAST(:event_type AS text) IS NULL
            OR p.place >> 8 & 127 = {TYPE_MARK.format(event_type="CAST(:event_type AS text)")}
        )
        GROUP BY 1, 2 HAVING count(DISTINCT a.number) >= :pairs
    ) c
    JOIN event_blocks b ON b.unit_id = :unit_id AND b.first_seq = c.first_seq
    WHERE b.newest >= :since AND b.oldest <= :until
"""  # noqa: S608  (constants only)
_COUNT = text(f"SELECT count(*) {_FOUND}")
_CHUNKS = text(f"""
    SELECT b.newest, b.first_seq, c.chunk {_FOUND}
      AND (b.newest, b.first_seq, c.chunk) < (:newest, :first_seq, :chunk)
    ORDER BY b.newest DESC, b.first_seq DESC, c.chunk DESC LIMIT :most
""")

_Range = tuple[int, int]  # of seqs, both included


class _Chunk(NamedTuple):
    """A chunk of a block whose newest event is of that time, in the order in which they are read."""

    newest: datetime
    first_seq: int
    chunk: int

    @property
    def range(self) -> _Range:
        first = self.first_seq + self.chunk * CHUNK
        return first, first + CHUNK - 1


_FIRST = _Chunk(NEWEST.occurred_at, 0, 0)


@dataclass(frozen=True, slots=True)
class Search:
    """A filter that asks for metadata, in one unit. `hidden`: the unit's hidden types."""

    session: AsyncSession
    unit_id: str
    wanted: EventFilter
    hidden: Sequence[str]

    async def find(self, after: Place, most: int) -> list[Place]:
        """The places of the `most` newest events behind a place."""
        found, looked_at = await self._look_at_newest(after, most)
        if looked_at is None or len(found) == most:
            return found
        loose = await self._loose()
        if loose is None:
            return found + await self._read_on(looked_at, most - len(found))
        return found + await self._walk(loose, looked_at, most - len(found))

    async def count(self) -> int | None:
        """How many events there are, by the chunks with the newest of them if there are many; None where no chunks
        are asked."""
        loose = await self._loose()
        if loose is None:
            return None
        chunks = await self._chunks(_FIRST, BEFORE_ALL, NEWEST, _COUNTED_CHUNKS + 1)
        found = await self._count_in([chunk.range for chunk in chunks[:_COUNTED_CHUNKS]])
        if len(chunks) > _COUNTED_CHUNKS:
            values = self._values(BEFORE_ALL, NEWEST)
            found = round(found * (await self._execute(_COUNT, values)).scalar_one() / _COUNTED_CHUNKS)
        return found + await self._count_in([loose])

    async def _look_at_newest(self, after: Place, most: int) -> tuple[list[Place], Place | None]:
        """What is found among the newest events behind a place, and the last one that was looked at, if others
        follow and fewer than `most` are found."""
        event = EngagementEvent
        newest: Any = select(event.occurred_at, event.seq, col(event.event_metadata).label("metadata"))
        others = replace(self.wanted, metadata=()).conditions(self.unit_id, self.hidden)
        newest = newest.where(*others, behind(KEYS, after)).order_by(*(key.clause for key in KEYS))
        newest = newest.limit(_LOOKED_AT).subquery().c
        number = func.row_number().over(order_by=(newest.occurred_at.desc(), newest.seq.desc()))
        holds = func.coalesce(self.wanted.holds(newest.metadata), False)
        seen = select(newest.occurred_at, newest.seq, holds.label("holds"), number.label("number")).subquery().c
        query: Any = select(seen.occurred_at, seen.seq, seen.holds, seen.number)
        query = query.where(or_(seen.holds, seen.number == _LOOKED_AT))
        query = query.order_by(seen.occurred_at.desc(), seen.seq.desc()).limit(most)
        rows = (await self.session.exec(query)).all()
        last = Place(*rows[-1][:2]) if rows and rows[-1].number == _LOOKED_AT else None
        return [Place(row.occurred_at, row.seq) for row in rows if row.holds], last

    async def _loose(self) -> _Range | None:
        """The events that are in no block; None where reading on from the newest is the better way, as it is for
        a lead, whose events have an index."""
        state = (await self._execute(_COVERED, {"unit_id": self.unit_id})).one_or_none()
        if state is None or self.wanted.lead_id is not None or state.last_seq - state.covered > _MOST_LOOSE:
            return None
        return state.covered + 1, _LAST_SEQ

    async def _read_on(self, after: Place, most: int) -> list[Place]:
        conditions = self.wanted.conditions(self.unit_id, self.hidden)
        query = select(EngagementEvent.occurred_at, EngagementEvent.seq).where(*conditions, behind(KEYS, after))
        rows = await self.session.exec(query.order_by(*(key.clause for key in KEYS)).limit(most))
        return [Place(*row) for row in rows]

    async def _walk(self, loose: _Range, after: Place, most: int) -> list[Place]:
        """What `find` does, by the events that are in no block and by chunks."""
        found = await self._read([loose], after, most)
        last, size = _FIRST, max(most, _FEWEST_CHUNKS)
        while True:
            since = found[-1].occurred_at if len(found) == most else BEFORE_ALL
            chunks = await self._chunks(last, since, after, size)
            if not chunks:
                return found
            more = await self._read([chunk.range for chunk in chunks], after, most)
            # A block may have been added after `loose` was asked for: then both have its events.
            found = sorted({*found, *more}, reverse=True)[:most]
            if len(chunks) < size:
                return found
            last, size = chunks[-1], min(size * _GROWTH, _MOST_CHUNKS)

    async def _chunks(self, behind: _Chunk, since: datetime, until: Place, most: int) -> list[_Chunk]:
        """The next chunks in which the filter may find something from these times."""
        values = self._values(since, until) | behind._asdict() | {"most": most}
        return [_Chunk(*row) for row in await self._execute(_CHUNKS, values)]

    def _values(self, since: datetime, until: Place) -> dict[str, Any]:
        wanted = self.wanted
        return {
            "unit_id": self.unit_id,
            "keys": [key for key, _ in wanted.metadata],
            "values": [value for _, value in wanted.metadata],
            "pairs": len(wanted.metadata) if wanted.logic == "and" else 1,
            "event_type": wanted.event_type,
            "since": max(since, wanted.occurred_from or BEFORE_ALL),
            "until": min(until.occurred_at, wanted.occurred_to or NEWEST.occurred_at),
        }

    async def _read(self, ranges: Sequence[_Range], after: Place, most: int) -> list[Place]:
        event, events, conditions = self._within(ranges)
        keys = [SortKey(event.occurred_at), SortKey(event.seq)]
        query = select(event.occurred_at, event.seq).select_from(events).where(*conditions, behind(keys, after))
        rows = await self.session.exec(query.order_by(*(key.clause for key in keys)).limit(most))
        return [Place(*row) for row in rows]

    async def _count_in(self, ranges: Sequence[_Range]) -> int:
        _, events, conditions = self._within(ranges)
        return int((await self.session.exec(select(func.count()).select_from(events).where(*conditions))).one())

    def _within(self, ranges: Sequence[_Range]) -> tuple[Any, Any, Sequence[ColumnElement[bool]]]:
        """The event, the events of these ranges, and the conditions under which the filter finds one. The fence
        (OFFSET) leaves no index but that of seqs to be used."""
        firsts, lasts = ([each[i] for each in ranges] for i in (0, 1))
        numbers = ARRAY(BigInteger)
        bounds = func.unnest(cast(firsts, numbers), cast(lasts, numbers)).table_valued("first", "last").render_derived()
        seq, own = col(EngagementEvent.seq), col(EngagementEvent.unit_id) == self.unit_id
        within = select(EngagementEvent).where(own, seq >= bounds.c.first, seq <= bounds.c.last).offset(0).lateral()
        event: Any = aliased(EngagementEvent, within)
        return event, bounds.join(within, true()), self.wanted.conditions(self.unit_id, self.hidden, event)

    async def _execute(self, statement: TextClause, values: Mapping[str, Any]) -> Any:
        return await (await self.session.connection()).execute(statement, values)


def events_at(unit_id: str, places: Sequence[Place]) -> Any:
    """A query for the events at these places, in the order of lists."""
    ats, seqs = cast([each.occurred_at for each in places], ARRAY(DateTime(timezone=True))), [p.seq for p in places]
    place = func.unnest(ats, cast(seqs, ARRAY(BigInteger))).table_valued("at", "seq").render_derived()
    same = and_(col(EngagementEvent.occurred_at) == place.c.at, col(EngagementEvent.seq) == place.c.seq)
    query = select(EngagementEvent).join(place, same).where(EngagementEvent.unit_id == unit_id)
    return query.order_by(*(key.clause for key in KEYS))
