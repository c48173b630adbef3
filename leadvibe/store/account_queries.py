"""Reading accounts with what their leads add up to, and removing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Subquery, Text, delete, func, or_, text, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.store.columns import now
from leadvibe.store.lead_queries import LeadFilter, LeadOrder
from leadvibe.store.paging import EVERYTHING, Page, Reading, SortKey, behind, decode_cursor, encode_cursor, read_rows
from leadvibe.store.tables import Account, EngagementEvent, Lead

Intent = Literal["low", "medium", "high"]

# The first top score of each (contract: the documentation's "Low Intent 0-24, Medium Intent 25-49, High Intent 50+").
_MEDIUM_FROM, _HIGH_FROM = 25, 50


def intent_of(top_score: int) -> Intent:
    if top_score >= _HIGH_FROM:
        return "high"
    return "medium" if top_score >= _MEDIUM_FROM else "low"


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """Which accounts a list shows; None does not filter. `search`: a part of name or domain, whatever its
    case. Times [from, to)."""

    search: str | None = None
    intent: Intent | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None

    def conditions(self, top_score: ColumnElement[int]) -> list[ColumnElement[bool]]:
        wanted: list[tuple[Any, Any]] = [
            (self.search, _names),
            (self.created_from, lambda v: col(Account.created_at) >= v),
            (self.created_to, lambda v: col(Account.created_at) < v),
        ]
        of_intent: dict[Any, list[ColumnElement[bool]]] = {
            "low": [top_score < _MEDIUM_FROM],
            "medium": [top_score >= _MEDIUM_FROM, top_score < _HIGH_FROM],
            "high": [top_score >= _HIGH_FROM],
        }
        given = [condition(value) for value, condition in wanted if value is not None]
        return given + of_intent.get(self.intent, [])


def _names(part: str) -> ColumnElement[bool]:
    texts = (func.lower(Account.name), func.lower(Account.domain))
    return or_(*(text.contains(part.lower(), autoescape=True) for text in texts))


def _ranked(unit_id: str, wanted: AccountFilter) -> Subquery:
    """The accounts that the filter lets through, with the highest score of their leads and a name."""
    of_unit = LeadFilter().conditions(unit_id)
    best = select(Lead.account_id, func.max(Lead.score).label("score")).where(
        *of_unit, col(Lead.account_id).is_not(None)
    )
    tops = best.group_by(col(Lead.account_id)).subquery()
    top_score = func.coalesce(tops.c.score, 0)
    title = func.lower(func.coalesce(Account.name, Account.domain, Account.account_id), type_=Text)
    return (
        select(Account.account_id, top_score.label("top_score"), title.label("title"))
        .outerjoin(tops, tops.c.account_id == Account.account_id)
        .where(Account.unit_id == unit_id, *wanted.conditions(top_score))
        .subquery()
    )


async def page(
    session: AsyncSession,
    unit_id: str,
    wanted: AccountFilter,
    limit: int,
    after: str | None = None,
    offset: int = 0,
    read: Reading = EVERYTHING,
) -> Page[Account]:
    """`limit` accounts behind the cursor `after`, or from `offset` on, by top score, then by name."""
    ranked = _ranked(unit_id, wanted)
    place = ranked.c
    keys = [SortKey(place.top_score), SortKey(place.title, descending=False), SortKey(place.account_id, False)]
    query = (
        select(Account, place.top_score, place.title)
        .join(ranked, place.account_id == Account.account_id)
        .where(Account.unit_id == unit_id)
        .order_by(*(key.clause for key in keys))
    )
    if after is not None:
        query = query.where(behind(keys, decode_cursor(after, keys)))
    rows = await read_rows(session, query.limit(limit + 1).offset(offset), read)
    total = (await session.exec(select(func.count()).select_from(ranked))).one() if read.total else 0
    cursors = [encode_cursor([top_score, title, row.account_id]) for row, top_score, title in rows[:limit]]
    return Page([row for row, _, _ in rows[:limit]], cursors, len(rows) > limit, total)


async def account(session: AsyncSession, unit_id: str, name: str) -> Account | None:
    """The account with this id, else with this domain."""
    if (found := await session.get(Account, (unit_id, name))) is not None:
        return found
    query = select(Account).where(Account.unit_id == unit_id, Account.domain == name.lower())
    return (await session.exec(query)).first()


@dataclass(frozen=True, slots=True)
class AccountFigures:
    """What an account's leads add up to. `top_score`: the highest of their scores, `owner_name`: whose lead
    that is. `surging`: an event of one of them had a surge boost, or set off a surge trigger."""

    leads_count: int
    top_score: int
    last_activity_at: datetime | None
    owner_name: str | None
    surging: bool


# A lead whose latest event is older than :since has none that could be a surge.
_FIGURES = text("""
    SELECT a.account_id, n.leads_count, n.top_score, n.last_activity_at, top.owner_name,
           EXISTS (
               SELECT FROM leads l JOIN engagement_events e
                 ON e.unit_id = :unit_id AND e.lead_id = l.lead_id AND e.occurred_at >= :since
               WHERE l.unit_id = :unit_id AND l.account_id = a.account_id AND l.merged_into IS NULL AND NOT l.deleting
                 AND l.last_event_at >= :since AND jsonb_path_exists(e.scores, '$.*[3] ? (@ > 0)')
           ) OR EXISTS (
               SELECT FROM surge_events s JOIN leads l ON l.unit_id = :unit_id AND l.lead_id = s.lead_id
               WHERE s.unit_id = :unit_id AND s.detected_at >= :since AND l.account_id = a.account_id
                 AND l.merged_into IS NULL AND NOT l.deleting
           ) AS surging
    FROM accounts a
    CROSS JOIN LATERAL (
        SELECT count(*) AS leads_count, coalesce(max(score), 0) AS top_score, max(last_event_at) AS last_activity_at
        FROM leads
        WHERE unit_id = :unit_id AND account_id = a.account_id AND merged_into IS NULL AND NOT deleting
    ) n
    LEFT JOIN LATERAL (
        SELECT owner_name FROM leads
        WHERE unit_id = :unit_id AND account_id = a.account_id AND merged_into IS NULL AND NOT deleting
        ORDER BY score DESC, last_event_at DESC NULLS LAST, lead_id LIMIT 1
    ) top ON true
    WHERE a.unit_id = :unit_id AND a.account_id = ANY(:account_ids)
""")


async def figures(
    session: AsyncSession, unit_id: str, account_ids: Sequence[str], since: datetime
) -> dict[str, AccountFigures]:
    """The figures of these accounts, by id; a surge counts since that time."""
    values = {"unit_id": unit_id, "account_ids": list(account_ids), "since": since}
    rows = (await (await session.connection()).execute(_FIGURES, values)).mappings()
    return {row["account_id"]: AccountFigures(**{k: v for k, v in row.items() if k != "account_id"}) for row in rows}


async def leads(session: AsyncSession, unit_id: str, account_id: str, most: int) -> Sequence[Lead]:
    """The account's leads with the highest scores."""
    query = select(Lead).where(*LeadFilter().conditions(unit_id), Lead.account_id == account_id)
    return (await session.exec(query.order_by(*(key.clause for key in LeadOrder.SCORE.keys)).limit(most))).all()


# The newest events are among those of the leads that were active last.
_NEWEST = text("""
    SELECT e.* FROM (
        SELECT lead_id FROM leads
        WHERE unit_id = :unit_id AND account_id = :account_id AND merged_into IS NULL AND NOT deleting
        ORDER BY last_event_at DESC NULLS LAST, lead_id LIMIT :most
    ) l CROSS JOIN LATERAL (
        SELECT v.* FROM engagement_events v
        WHERE v.unit_id = :unit_id AND v.lead_id = l.lead_id AND NOT EXISTS (
            SELECT FROM event_types t WHERE t.unit_id = :unit_id AND t.name = v.event_type AND t.hidden
        )
        ORDER BY v.occurred_at DESC, v.seq DESC LIMIT :most
    ) e
    ORDER BY e.occurred_at DESC, e.seq DESC LIMIT :most
""")


async def events(session: AsyncSession, unit_id: str, account_id: str, most: int) -> Sequence[EngagementEvent]:
    """The newest events of the account's leads that lists show."""
    query: Any = select(EngagementEvent).from_statement(_NEWEST)
    values = {"unit_id": unit_id, "account_id": account_id, "most": most}
    return (await session.exec(query, params=values)).scalars().all()  # type: ignore[no-any-return]


async def unlink(session: AsyncSession, unit_id: str, account_ids: Sequence[str]) -> int:
    """Takes the accounts from their leads, and tells how many leads there were. The caller holds the lane."""
    linked = col(Lead.account_id).in_(account_ids)
    count = select(func.count()).select_from(Lead).where(*LeadFilter().conditions(unit_id), linked)
    unlinked = (await session.exec(count)).one()
    gone = update(Lead).where(col(Lead.unit_id) == unit_id, linked).values(account_id=None, updated_at=now())
    await session.exec(gone)
    return unlinked


async def remove(session: AsyncSession, unit_id: str, account_ids: Sequence[str]) -> int:
    """Deletes accounts that no lead has any more; how many there were."""
    statement = delete(Account).where(col(Account.unit_id) == unit_id, col(Account.account_id).in_(account_ids))
    return (await session.exec(statement)).rowcount
