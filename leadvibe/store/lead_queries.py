"""Reading leads: lists by keyset or page, search, scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, BindParameter, ColumnElement, Integer, Text, any_, bindparam, literal, text
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.store.database import Database
from leadvibe.store.grams import fold, wanted_grams
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
from leadvibe.store.statements import Statement
from leadvibe.store.tables import Account, Lane, Lead, LeadAlias


@dataclass(frozen=True, slots=True, eq=False)
class Membership:
    """The condition of the leads that belong to a segment."""

    clause: ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class LeadFilter:
    """Which leads a list shows; None does not filter. Score bounds are inclusive, times [from, to)."""

    min_score: int | None = None
    max_score: int | None = None
    event_type: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    active_since: datetime | None = None
    lead_ids: Sequence[str] | None = None
    member: Membership | None = None

    def conditions(self, unit_id: Any) -> list[ColumnElement[bool]]:
        wanted: list[tuple[Any, Any]] = [
            (self.min_score, lambda v: col(Lead.score) >= v),
            (self.max_score, lambda v: col(Lead.score) <= v),
            (self.event_type, lambda v: col(Lead.last_event_type) == v),
            (self.created_from, lambda v: col(Lead.created_at) >= v),
            (self.created_to, lambda v: col(Lead.created_at) < v),
            (self.active_since, lambda v: col(Lead.last_event_at) >= v),
            (self.lead_ids, lambda v: col(Lead.lead_id) == any_(_array(v))),
            (self.member, lambda v: v.clause),
        ]
        of_unit = [col(Lead.unit_id) == unit_id, col(Lead.merged_into).is_(None), ~col(Lead.deleting)]
        return of_unit + [condition(value) for value, condition in wanted if value is not None]


def _array(texts: Any) -> Any:
    return texts if isinstance(texts, BindParameter) else literal(list(texts), ARRAY(Text))


class LeadOrder(Enum):
    """The orders of a lead list; each ends with the id, so that no two leads are equal in it."""

    SCORE = "score"
    LAST_EVENT = "last_event_at"
    CREATED = "created_at"

    @property
    def keys(self) -> list[SortKey]:
        last = SortKey(Lead.last_event_at)
        lead_id = SortKey(Lead.lead_id, descending=False)
        match self:
            case LeadOrder.SCORE:
                return [SortKey(Lead.score), last, lead_id]
            case LeadOrder.LAST_EVENT:
                return [last, lead_id]
            case LeadOrder.CREATED:
                return [SortKey(Lead.created_at), lead_id]


async def count(session: AsyncSession, unit_id: str, wanted: LeadFilter) -> int:
    """How many leads the filter lets through: kept in the lane for all leads, counted up to MOST_COUNTED,
    and beyond that what the planner expects; of a segment all are counted."""
    if wanted.member is not None:
        query = select(func.count()).select_from(Lead).where(*wanted.conditions(unit_id))
        return (await session.exec(query)).one()
    if wanted == LeadFilter():
        return (await session.exec(select(Lane.lead_count).where(Lane.unit_id == unit_id))).first() or 0
    return await bounded_count(session, select(Lead.lead_id).where(*wanted.conditions(unit_id)))


async def page(
    session: AsyncSession,
    unit_id: str,
    wanted: LeadFilter,
    order: LeadOrder = LeadOrder.SCORE,
    limit: int | None = None,
    after: str | None = None,
    offset: int = 0,
    read: Reading = EVERYTHING,
) -> Page[Lead]:
    """`limit` leads behind the cursor `after`, or from `offset` on (the REST pages)."""
    keys, conditions = order.keys, wanted.conditions(unit_id)
    total = await count(session, unit_id, wanted) if read.total else 0
    query = select(Lead).where(*conditions)
    if after is not None:
        query = query.where(behind(keys, decode_cursor(after, keys)))
    elif offset and limit is not None:
        query = query.where(col(Lead.lead_id).in_(skipping([Lead.lead_id], conditions, keys, offset, limit + 1)))
    if limit is not None:
        query = query.limit(limit + 1)
    rows = await read_rows(session, query.order_by(*(key.clause for key in keys)), read)
    shown = rows if limit is None else rows[:limit]
    return Page(shown, Cursors(shown, keys), len(rows) > len(shown), total)


async def ids(session: AsyncSession, unit_id: str, wanted: LeadFilter) -> Sequence[str]:
    """All leads that the filter lets through, in the order of LeadOrder.SCORE."""
    query = select(Lead.lead_id).where(*wanted.conditions(unit_id))
    return (await session.exec(query.order_by(*(key.clause for key in LeadOrder.SCORE.keys)))).all()


# Attributes of a row and the columns of Lead that they are read from.
Columns = Mapping[str, str]


async def rows(
    database: Database,
    unit_id: str,
    wanted: LeadFilter,
    order: LeadOrder,
    limit: int,
    after: str | None,
    columns: Columns,
    counted: bool,
) -> Page[Any]:
    """The same page (of no segment) as rows that have these columns, and those of the order; `total` only if
    `counted`."""
    keys = order.keys
    read = {key.column.key: key.column.key for key in keys} | dict(columns)
    place = () if after is None else decode_cursor(after, keys)
    given = {each.name: value for each in fields(wanted) if (value := getattr(wanted, each.name)) is not None}
    statement = _statement(_Shape(order, tuple(read.values()), tuple(given), tuple(v is not None for v in place)))
    values = given | {"of_unit": unit_id, "most": limit + 1} | {f"after_{n}": value for n, value in enumerate(place)}
    found = await statement.fetch(database.pool, tuple(read), values)
    total = 0
    if counted:
        async with database.session() as session:
            total = await count(session, unit_id, wanted)
    return Page(found[:limit], Cursors(found[:limit], keys), len(found) > limit, total)


class _Shape(NamedTuple):
    """What the text of a query depends on: which filters there are, and which values the cursor has."""

    order: LeadOrder
    columns: tuple[str, ...]
    filters: tuple[str, ...]
    after: tuple[bool, ...]


@lru_cache(maxsize=500)
def _statement(shape: _Shape) -> Statement:
    keys = shape.order.keys
    types = {"lead_ids": ARRAY(Text)}
    wanted: dict[str, Any] = {name: bindparam(name, type_=types.get(name)) for name in shape.filters}
    query = select(*(getattr(Lead, name) for name in shape.columns))
    query = query.where(*LeadFilter(**wanted).conditions(bindparam("of_unit")))
    if shape.after:
        place: list[Any] = [bindparam(f"after_{n}") if known else None for n, known in enumerate(shape.after)]
        query = query.where(behind(keys, place))
    return Statement.of(query.order_by(*(key.clause for key in keys)).limit(bindparam("most", type_=Integer)))


async def lead(session: AsyncSession, unit_id: str, lead_id: str) -> Lead | None:
    """The lead, unless it is being deleted."""
    query = select(Lead).where(Lead.unit_id == unit_id, Lead.lead_id == lead_id, ~col(Lead.deleting))
    return (await session.exec(query)).first()


async def some(session: AsyncSession, unit_id: str, lead_ids: Sequence[str]) -> dict[str, Lead]:
    """The leads that exist and are not being deleted, by id."""
    query = select(Lead).where(Lead.unit_id == unit_id, col(Lead.lead_id).in_(lead_ids), ~col(Lead.deleting))
    return {row.lead_id: row for row in (await session.exec(query)).all()}


async def aliases(session: AsyncSession, unit_id: str, lead_ids: Sequence[str]) -> Sequence[LeadAlias]:
    """The aliases of these leads, oldest first."""
    query = select(LeadAlias).where(LeadAlias.unit_id == unit_id, col(LeadAlias.lead_id).in_(lead_ids))
    return (await session.exec(query.order_by(col(LeadAlias.created_at), col(LeadAlias.alias_id)))).all()


async def accounts(session: AsyncSession, unit_id: str, account_ids: Sequence[str]) -> dict[str, Account]:
    """The accounts that exist, by id."""
    query = select(Account).where(Account.unit_id == unit_id, col(Account.account_id).in_(account_ids))
    return {row.account_id: row for row in (await session.exec(query)).all()}


@dataclass(frozen=True, slots=True)
class TopLead:
    """A lead with its primary score and its latest event."""

    lead_id: str
    score: int
    last_event_at: datetime | None


async def top(session: AsyncSession, unit_id: str, most: int) -> list[TopLead]:
    """The `most` leads with the highest scores, in the order of LeadOrder.SCORE."""
    query = select(Lead.lead_id, Lead.score, Lead.last_event_at).where(*LeadFilter().conditions(unit_id))
    rows = await session.exec(query.order_by(*(key.clause for key in LeadOrder.SCORE.keys)).limit(most))
    return [TopLead(lead_id, score, last_event_at) for lead_id, score, last_event_at in rows]


@dataclass(frozen=True, slots=True)
class Match:
    """A search result: how the lead was found, and the alias that best names it."""

    lead_id: str
    match_type: str
    score: int
    profile_score: int
    best_alias: str | None


# Ids by prefix first, then aliases that contain the text; the alias shown is e-mail before phone,
# external id, social and cookie, the oldest of its kind.
_SEARCH = text("""
    WITH by_id AS (
        SELECT lead_id FROM leads
        WHERE unit_id = :unit_id AND lower(lead_id) LIKE :prefix AND merged_into IS NULL AND NOT deleting
        ORDER BY lead_id LIMIT :most
    ), by_alias AS (
        SELECT DISTINCT lead_id FROM (
            SELECT a.lead_id FROM lead_aliases a
            JOIN leads l ON l.unit_id = :unit_id AND l.lead_id = a.lead_id AND l.merged_into IS NULL AND NOT l.deleting
            WHERE a.unit_id = :unit_id AND a.grams @> CAST(:grams AS text[]) AND a.folded LIKE :part
              AND a.lead_id NOT IN (SELECT lead_id FROM by_id)
            LIMIT :candidates
        ) c LIMIT :most
    ), found AS (
        SELECT lead_id, 'id' AS match_type FROM by_id
        UNION ALL
        SELECT lead_id, 'alias' FROM by_alias
    )
    SELECT f.lead_id, f.match_type, l.score, l.profile_score, best.raw_value AS best_alias
    FROM found f
    JOIN leads l ON l.unit_id = :unit_id AND l.lead_id = f.lead_id AND l.merged_into IS NULL AND NOT l.deleting
    LEFT JOIN LATERAL (
        SELECT a.raw_value FROM lead_aliases a
        WHERE a.unit_id = :unit_id AND a.lead_id = f.lead_id
        ORDER BY array_position(ARRAY['email', 'phone', 'external_id', 'social', 'cookie'], a.alias_kind), a.created_at
        LIMIT 1
    ) best ON true
    ORDER BY f.match_type DESC, best_alias NULLS LAST, f.lead_id
    LIMIT :most
""")


# Aliases that are looked at: of a text that very many have, any ten leads will do.
_CANDIDATES = 200


async def search(session: AsyncSession, unit_id: str, q: str, most: int) -> list[Match]:
    """`q` has at least two characters."""
    folded = fold(q)
    literal = folded.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    values = {
        "unit_id": unit_id,
        "prefix": literal + "%",
        "part": f"%{literal}%",
        "grams": wanted_grams(unit_id, folded),
        "candidates": _CANDIDATES,
        "most": most,
    }
    rows = (await session.connection()).execute(_SEARCH, values)
    return [Match(**row) for row in (await rows).mappings()]
