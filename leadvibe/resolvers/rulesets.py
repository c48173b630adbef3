"""Engagement rulesets and their rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.errors import conflict
from leadvibe.ids import new_id
from leadvibe.resolvers.caller import Caller
from leadvibe.resolvers.family import Family, check_period, inside, nothing_to_check
from leadvibe.store import ruleset_queries
from leadvibe.store.config_tables import Rule, Ruleset, VelocityFilter
from leadvibe.store.tables import EventType

# The reference: up to four active rulesets score at once on each surface.
MOST_ACTIVE = 4


def settle(row: Any, others: Sequence[Any], active: str = "active") -> None:
    """A ruleset among the others of its surface: at most four are active (409), the first one is
    primary, and there is never a second primary. `active` names the column that says it scores."""
    if getattr(row, active) and sum(getattr(other, active) for other in others) >= MOST_ACTIVE:
        raise conflict(f"{MOST_ACTIVE} rulesets are active already; deactivate one first.", code="too_many_active")
    if not others:
        row.is_primary = True
    if row.is_primary:
        for other in others:
            other.is_primary = False


async def _accept_ruleset(session: AsyncSession, caller: Caller, row: Ruleset) -> None:
    check_period(row)
    query = select(Ruleset).where(Ruleset.unit_id == row.unit_id, Ruleset.ruleset_id != row.ruleset_id)
    others = (await session.exec(query)).all()
    before = await ruleset_queries.primary(session, row.unit_id)
    settle(row, others)
    after = next((each.ruleset_id for each in (row, *others) if each.is_primary), None)
    if after != before:
        await ruleset_queries.show_scores(session, row.unit_id, after)


async def _release_ruleset(session: AsyncSession, caller: Caller, row: Ruleset) -> None:
    """The rules of a ruleset go with it; scores that it made stay, and none is shown while none is primary."""
    rules = delete(Rule).where(col(Rule.unit_id) == row.unit_id, col(Rule.ruleset_id) == row.ruleset_id)
    await session.exec(rules)
    if row.is_primary:
        await ruleset_queries.show_scores(session, row.unit_id, None)


async def _primary(session: AsyncSession, caller: Caller) -> Ruleset:
    """The unit's primary ruleset; "Default" is made when there is none."""
    query = select(Ruleset).where(Ruleset.unit_id == caller.unit_id, col(Ruleset.is_primary))
    if found := (await session.exec(query)).first():
        return found
    row = Ruleset(
        ruleset_id=new_id(Ruleset.id_prefix),
        name="Default",
        is_primary=True,
        unit_id=caller.unit_id,
        org_id=caller.org_id,
        created_by=caller.actor,
        updated_by=caller.actor,
    )
    await _accept_ruleset(session, caller, row)
    session.add(row)
    return row


async def name_event_type(session: AsyncSession, unit_id: str, name: str) -> None:
    """Using a new event type in the configuration brings it into being."""
    row = EventType(unit_id=unit_id, name=name).model_dump()
    await session.exec(insert(EventType).values(**row).on_conflict_do_nothing())


async def _accept_rule(session: AsyncSession, caller: Caller, row: Rule) -> None:
    check_period(row)
    if row.ruleset_id is None:
        row.ruleset_id = (await _primary(session, caller)).ruleset_id
    else:
        await RULESETS.find(session, row.unit_id, row.ruleset_id)
    twin = select(Rule.rule_id).where(
        Rule.unit_id == row.unit_id,
        Rule.ruleset_id == row.ruleset_id,
        Rule.event_type == row.event_type,
        Rule.rule_id != row.rule_id,
    )
    if (await session.exec(twin)).first() is not None:
        raise conflict(f"Another rule of this ruleset scores {row.event_type} already.", code="rule_exists")
    await name_event_type(session, row.unit_id, row.event_type)


async def _accept_filter(session: AsyncSession, caller: Caller, row: VelocityFilter) -> None:
    await name_event_type(session, row.unit_id, row.event_type)


RULESETS = Family(
    "ruleset",
    Ruleset,
    writable=("name", "score_column", "is_primary", "active", "start_at", "end_at"),
    order="created_at",
    accept=_accept_ruleset,
    release=_release_ruleset,
)

RULES = Family(
    "rule",
    Rule,
    writable=("ruleset_id", "event_type", "weight", "icon", "active", "start_at", "end_at"),
    order="created_at",
    accept=_accept_rule,
    release=nothing_to_check,
    optional=("ruleset_id",),
    gate=inside(RULESETS, "ruleset_id"),
)

FILTERS = Family(
    "filter",
    VelocityFilter,
    writable=("event_type", "count_threshold", "time_window_ms", "group_events"),
    order="created_at",
    accept=_accept_filter,
    release=nothing_to_check,
)
