"""Segments: dynamic groups of leads, their rules, and who belongs to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from sqlmodel import func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.errors import bad_request
from leadvibe.resolvers.caller import Caller, Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.resolvers.family import Family, inside, nothing_to_check
from leadvibe.scoring.conditions import canonical, needs_value
from leadvibe.scoring.segments import LEVEL_KINDS
from leadvibe.scoring.segments import Segment as Definition
from leadvibe.store import lead_queries, segment_config, segment_queries, segment_work
from leadvibe.store.database import driver
from leadvibe.store.lead_queries import LeadFilter
from leadvibe.store.paging import EVERYTHING, Page, Reading
from leadvibe.store.segment_tables import Segment, SegmentChange, SegmentRule
from leadvibe.store.tables import Lead

MOST_RULES = 100
MOST_SAMPLES = 50
MOST_CHANGES = 500
# How late a change is told whose message was lost.
_POLL_SECONDS = 1.0

_OF_LEVELS = frozenset({"equals", "not_equals", "is_empty", "is_not_empty"})


@dataclass(frozen=True, slots=True)
class Preview:
    """How many leads meet rules that need not be stored, and those with the highest scores."""

    count: int
    leads: Sequence[Lead]


class _Rules(Family[SegmentRule]):
    async def _list(self, context: Context, /, **equals: Any) -> Sequence[SegmentRule]:
        """In the order in which they are joined."""
        rows = await super()._list(context, **equals)
        return sorted(
            rows, key=lambda row: (row.segment_id, row.logic_group, row.order_index, row.created_at, row.rule_id)
        )


def _complete(row: SegmentRule) -> None:
    """Checks a rule, and fills in what the client left out; 400."""
    try:
        row.operator = canonical(row.operator)
    except ValueError as error:
        raise bad_request("There is no such operator.", operator=str(error)) from None
    on_level = row.rule_type in LEVEL_KINDS
    if on_level and row.operator not in _OF_LEVELS:
        raise bad_request("A level has no such operator.", operator=f"must be one of {', '.join(sorted(_OF_LEVELS))}")
    if needs_value(row.operator) and not row.value:
        raise bad_request(f"The operator {row.operator} needs a value.", value="is missing")
    row.field_name = (row.field_name or "").strip() or (row.rule_type if on_level else "")
    if not row.field_name:
        raise bad_request("The rule looks at no field.", field_name="is missing")
    row.event_type = row.event_type or None
    row.rule_name = row.rule_name or " ".join(filter(None, (row.field_name, row.operator, row.value)))[:500]


async def _accept_rule(session: AsyncSession, caller: Caller, row: SegmentRule) -> None:
    _complete(row)
    query = select(func.count(), func.max(SegmentRule.order_index)).where(
        SegmentRule.unit_id == row.unit_id,
        SegmentRule.segment_id == row.segment_id,
        SegmentRule.rule_id != row.rule_id,
    )
    others, last = (await session.exec(query)).one()
    if others >= MOST_RULES:
        raise bad_request(f"A segment has at most {MOST_RULES} rules.", code="too_many_rules")
    if row.order_index is None:
        row.order_index = 0 if last is None else min(last + 1, 2**31 - 1)


async def _release_rule(session: AsyncSession, caller: Caller, row: SegmentRule) -> None:
    await segment_work.forget_rule(await driver(session), row.unit_id, row.rule_id)


async def _release_segment(session: AsyncSession, caller: Caller, row: Segment) -> None:
    """Its rules go with it, and what is kept of its leads; the leads stay."""
    await segment_work.forget_segment(await driver(session), row.unit_id, row.segment_id)


SEGMENTS = Family(
    "segment",
    Segment,
    ("name", "description", "active"),
    order="name",
    accept=nothing_to_check,
    release=_release_segment,
)
SEGMENT_RULES = _Rules(
    "segment_rule",
    SegmentRule,
    (
        "rule_name",
        "rule_type",
        "field_name",
        "operator",
        "value",
        "event_type",
        "logic_group",
        "logic_op",
        "order_index",
        "active",
    ),
    order="order_index",
    accept=_accept_rule,
    release=_release_rule,
    optional=("rule_name", "field_name", "order_index"),
    gate=inside(SEGMENTS, "segment_id"),
)


@operation(Permission.READ)
async def get_segment(context: Context, segment_id: str) -> Segment:
    """404 when the unit has none of this id."""
    async with context.services.database.session() as session:
        return await SEGMENTS.find(session, context.caller.unit_id, segment_id)


@operation(Permission.READ)
async def count_segment(context: Context, segment_id: str) -> int:
    """How many leads belong to the segment now: as many as its list has."""
    unit_id = context.caller.unit_id
    async with context.services.database.session() as session:
        await SEGMENTS.find(session, unit_id, segment_id)
        member = await segment_queries.members(session, unit_id, segment_id)
        return await lead_queries.count(session, unit_id, LeadFilter(member=member))


@operation(Permission.READ)
async def list_segment_leads(
    context: Context,
    segment_id: str,
    limit: int,
    after: str | None = None,
    offset: int = 0,
    read: Reading = EVERYTHING,
) -> Page[Lead]:
    """The leads that belong to the segment now, by score; none while it is inactive."""
    unit_id = context.caller.unit_id
    async with context.services.database.session() as session:
        await SEGMENTS.find(session, unit_id, segment_id)
        wanted = LeadFilter(member=await segment_queries.members(session, unit_id, segment_id))
        return await lead_queries.page(session, unit_id, wanted, limit=limit, after=after, offset=offset, read=read)


@operation(Permission.READ)
async def preview_segment(context: Context, rules: Sequence[BaseModel], sample: int) -> Preview:
    """Which leads would belong to a segment with these rules (SEGMENT_RULES.Input); nothing is stored."""
    if len(rules) > MOST_RULES:
        raise bad_request(f"A segment has at most {MOST_RULES} rules.", rules=f"must be at most {MOST_RULES}")
    if not 0 <= sample <= MOST_SAMPLES:
        raise bad_request(f"A sample has at most {MOST_SAMPLES} leads.", sample=f"must be 0 to {MOST_SAMPLES}")
    unit_id = context.caller.unit_id
    rows = [_unsaved(context.caller, i, each) for i, each in enumerate(rules)]
    definition = Definition("", segment_config.conditions([row.model_dump() for row in rows if row.active])).definition
    async with context.services.database.session() as session:
        plan = await segment_config.load(await driver(session), unit_id)
        wanted = LeadFilter(member=await segment_queries.matching(session, unit_id, plan, definition))
        page = await lead_queries.page(session, unit_id, wanted, limit=sample)
    return Preview(page.total, page.rows)


def _unsaved(caller: Caller, place: int, values: BaseModel) -> SegmentRule:
    given = {"order_index": place} | values.model_dump(exclude_none=True)
    row = SegmentRule(**given, rule_id=f"{place:09}", segment_id="", unit_id=caller.unit_id, org_id=caller.org_id)
    _complete(row)
    return row


@operation(Permission.READ)
async def list_segment_changes(context: Context, segment_id: str, most: int) -> Sequence[SegmentChange]:
    """Who entered and left the segment last, newest first; kept 30 days."""
    if not 1 <= most <= MOST_CHANGES:
        raise bad_request(f"Ask for 1 to {MOST_CHANGES} changes.", first=f"must be 1 to {MOST_CHANGES}")
    async with context.services.database.session() as session:
        await SEGMENTS.find(session, context.caller.unit_id, segment_id)
        return await segment_queries.recent_changes(session, context.caller.unit_id, segment_id, most)


@operation(Permission.READ)
async def follow_segment(
    context: Context, segment_id: str, after: int | None = None
) -> AsyncGenerator[SegmentChange, None]:
    """Who enters and leaves the segment from now on, or behind the change `after`."""
    unit_id = context.caller.unit_id
    async with context.services.database.session() as session:
        await SEGMENTS.find(session, unit_id, segment_id)
    if after is None:
        after = await segment_queries.last_change(context.services.database, unit_id)
    return _follow(context, unit_id, segment_id, after)


async def _follow(context: Context, unit_id: str, segment_id: str, after: int) -> AsyncGenerator[SegmentChange, None]:
    hub, database = context.services.hub, context.services.database
    async with hub.wakes(unit_id) as woken:
        while not hub.hung_up.is_set():
            woken.clear()
            changes = await segment_queries.changes_behind(database, unit_id, segment_id, after, MOST_CHANGES)
            for change in changes:
                after = change.seq
                yield change
            if not changes:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_POLL_SECONDS):
                        await woken.wait()
