"""Random segments, and units that have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from hypothesis import strategies as st
from sqlmodel import select

from leadvibe.ids import new_id
from leadvibe.scoring.conditions import OPERATORS
from leadvibe.scoring.segments import Kind
from leadvibe.store import segment_config, segment_queries
from leadvibe.store.config_tables import AccountLevel, EngagementLevel, ProfileLevel
from leadvibe.store.database import driver
from leadvibe.store.lanes import hold_lane
from leadvibe.store.segment_tables import Segment, SegmentRule
from leadvibe.store.tables import Lead
from tests.pipeline.units import Unit

_TEXTS = (
    "",
    "a",
    "A",
    "ab",
    "é",
    "É",
    "straße",
    "K",
    "\u212a",
    "10",
    " 7 ",
    "1e1",
    ".5",
    "-3",
    "true",
    "a\n",
    "[",
    "€",
)
texts = st.sampled_from(_TEXTS) | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=3)
numbers = st.integers(-20, 20) | st.sampled_from((0.5, 10.0, 1e-7, 1e22, -3.25))
scalars = st.none() | texts | numbers | st.booleans()
values = scalars | st.lists(scalars, max_size=3) | st.just({"a": 1}) | st.just([["a"]])
metadata = st.dictionaries(st.sampled_from(("a", "b")), values, max_size=2)

_levels = st.sampled_from(("Cold", "Hot", "hot"))


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(get_args(Kind)))
    on_level = kind.endswith("_level")
    operators = ("equals", "not_equals", "is_empty", "is_not_empty") if on_level else OPERATORS
    return {
        "rule_type": kind,
        "field_name": draw(st.sampled_from(("a", "b"))),
        "operator": draw(st.sampled_from(operators)),
        "value": draw(_levels if on_level else texts.filter(bool)),
        "event_type": draw(st.sampled_from(("Page View", "view", None))),
        "logic_group": draw(st.integers(0, 2)),
        "logic_op": draw(st.sampled_from(("AND", "OR"))),
        "order_index": draw(st.integers(0, 3)),
        "active": draw(st.sampled_from((True, True, True, False))),
    }


async def add(unit: Unit, *rows: Any) -> None:
    """Changes the unit's configuration."""
    async with unit.database.session() as session, session.begin():
        await hold_lane(session, unit.unit_id)
        session.add_all(rows)


async def add_levels(unit: Unit) -> None:
    own = {"unit_id": unit.unit_id, "org_id": "org"}
    await add(
        unit,
        *(
            kind(**own, **{kind.key: new_id("lv")}, name=name, min_score=low, max_score=high)
            for kind in (EngagementLevel, ProfileLevel, AccountLevel)
            for name, low, high in (("Cold", 0, 9), ("Hot", 10, None))
        ),
    )


async def add_segment(unit: Unit, its_rules: Sequence[dict[str, Any]]) -> str:
    own = {"unit_id": unit.unit_id, "org_id": "org", "segment_id": new_id("sg")}
    made = [SegmentRule(**own, **rule, rule_id=new_id("sr"), rule_name="") for rule in its_rules]
    await add(unit, Segment(**own, name="S"), *made)
    return own["segment_id"]


async def listed(unit: Unit, segment_id: str) -> set[str]:
    """The leads that the segment's list shows."""
    async with unit.database.session() as session:
        member = await segment_queries.members(session, unit.unit_id, segment_id)
        return await _shown(session, unit, member)


async def matching(unit: Unit, segment_id: str) -> set[str]:
    """The leads that meet the rules, asked of the database."""
    async with unit.database.session() as session:
        plan = await segment_config.load(await driver(session), unit.unit_id)
        member = await segment_queries.matching(session, unit.unit_id, plan, plan.definition(segment_id))
        return await _shown(session, unit, member)


async def _shown(session: Any, unit: Unit, member: Any) -> set[str]:
    shown = (Lead.unit_id == unit.unit_id, Lead.merged_into.is_(None), ~Lead.deleting)  # type: ignore[union-attr,operator]
    return set((await session.exec(select(Lead.lead_id).where(*shown, member.clause))).all())
