"""Lists of firings: newest first, by page, by cursor, or all of them for an export."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from functools import partial

from asyncpg import Record
from sqlalchemy import ColumnElement
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.store.database import Database
from leadvibe.store.paging import EVERYTHING, Page, Reading, SortKey, bounded_count, read_page
from leadvibe.store.trigger_tables import FiringKind, TriggerFiring

KEYS = [SortKey(col(TriggerFiring.seq)), SortKey(col(TriggerFiring.firing_id))]

_EXPORTED_AT_ONCE = 5_000
_NEWEST = 2**63 - 1, ""


@dataclass(frozen=True, slots=True)
class FiringFilter:
    """Which firings a list shows; None does not filter."""

    kind: FiringKind | None = None
    trigger_id: str | None = None
    lead_id: str | None = None

    def conditions(self, unit_id: str) -> list[ColumnElement[bool]]:
        wanted = {"kind": self.kind, "trigger_id": self.trigger_id, "lead_id": self.lead_id}
        given = [col(getattr(TriggerFiring, name)) == value for name, value in wanted.items() if value is not None]
        return [col(TriggerFiring.unit_id) == unit_id, *given]


async def page(
    session: AsyncSession,
    unit_id: str,
    wanted: FiringFilter,
    limit: int,
    after: str | None = None,
    offset: int = 0,
    read: Reading = EVERYTHING,
) -> Page[TriggerFiring]:
    """`limit` firings, newest first, behind the cursor `after`, or from `offset` on (the REST pages)."""
    conditions = wanted.conditions(unit_id)
    count = partial(bounded_count, session, select(TriggerFiring.seq).where(*conditions))
    query = select(TriggerFiring).where(*conditions)
    return await read_page(session, query, KEYS, limit, after, offset, read, count)


async def some(session: AsyncSession, unit_id: str, firing_ids: Collection[str]) -> dict[str, TriggerFiring]:
    """The firings that there are of these, by id."""
    query = select(TriggerFiring).where(TriggerFiring.unit_id == unit_id, col(TriggerFiring.firing_id).in_(firing_ids))
    return {row.firing_id: row for row in (await session.exec(query)).all()}


async def export(
    database: Database, unit_id: str, kind: FiringKind, trigger_id: str | None
) -> AsyncIterator[Sequence[Record]]:
    """All firings of a kind, and of a trigger if one is given, newest first, group by group. Between two groups
    nothing is held: a client may read as slowly as it likes."""
    last: tuple[int, str] = _NEWEST
    while rows := await database.pool.fetch(
        """
        SELECT firing_id, trigger_id, trigger_name, lead_id, score, event_type, matched, fired_at, seq
        FROM trigger_firings
        WHERE unit_id = $1 AND kind = $2 AND ($3::text IS NULL OR trigger_id = $3)
          AND seq <= $4 AND (seq, firing_id) < ($4, $5)
        ORDER BY seq DESC, firing_id DESC LIMIT $6
        """,
        unit_id,
        kind,
        trigger_id,
        *last,
        _EXPORTED_AT_ONCE,
    ):
        yield rows
        last = rows[-1]["seq"], rows[-1]["firing_id"]
