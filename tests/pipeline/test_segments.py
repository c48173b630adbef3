"""Segments: SQL and Python decide alike, and who belongs is right whatever happens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update
from sqlmodel import col

from leadvibe.ids import new_id
from leadvibe.pipeline import lead_deletion
from leadvibe.pipeline.event_deletion import delete_events
from leadvibe.pipeline.merging import Truncation, merge
from leadvibe.pipeline.segment_job import bring_up_to_date, forget_changes
from leadvibe.scoring.segments import Person
from leadvibe.store import segment_config, segment_members
from leadvibe.store.database import Database
from leadvibe.store.lanes import hold_lane
from leadvibe.store.segment_tables import Segment, SegmentRule
from leadvibe.store.tables import Account, Organisation, OrgUnit
from tests.pipeline.segmented import add, add_levels, add_segment, listed, matching, metadata, rules
from tests.pipeline.units import Unit, body, new_unit, rescore
from tests.scoring.streams import config, grouped, plain, ruleset

few = settings(max_examples=20)

LEADS = ("ld_a", "ld_b", "ld_c", "ld_d")
SCORING = config(ruleset(view=6, **{"Page View": 4}), filters=[grouped(2, 3), plain(3, 5, "Page View")])

NOW = datetime(2026, 3, 2, tzinfo=UTC)


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    event_type = draw(st.sampled_from(("view", "Page View", "page_view")))
    return body(event_type, draw(st.sampled_from(LEADS)), draw(st.integers(0, 20)), metadata=draw(metadata))


async def switch_abm(unit: Unit, on: bool) -> None:
    async with unit.database.session() as session, session.begin():
        await hold_lane(session, unit.unit_id)
        row = await session.get(OrgUnit, unit.unit_id)
        assert row is not None
        await session.exec(update(Organisation).where(col(Organisation.org_id) == row.org_id).values(abm_enabled=on))


async def write_leads(unit: Unit, properties: Sequence[dict[str, Any]], accounts: Sequence[str | None]) -> None:
    """Gives leads that exist other properties, as an edit does."""
    async with unit.database.pool.acquire() as connection:
        for lead_id, known, account_id in zip(LEADS, properties, accounts, strict=False):
            await connection.execute(
                """
                UPDATE leads SET metadata = $3, account_id = $4, profile_score = $5
                WHERE unit_id = $1 AND lead_id = $2 AND merged_into IS NULL AND NOT deleting
                """,
                unit.unit_id,
                lead_id,
                known,
                account_id,
                len(known) * 9,
            )
        await segment_members.touch(connection, unit.unit_id, LEADS)


@few
@given(
    st.lists(st.lists(rules(), min_size=1, max_size=4), min_size=1, max_size=4),
    st.lists(events(), max_size=12),
    st.lists(metadata, min_size=3, max_size=4),
    st.lists(st.sampled_from(("acc_1", "acc_2", None)), min_size=4, max_size=4),
    metadata,
    st.booleans(),
)
async def test_sql_and_python_decide_alike(
    database: Database,
    segments: list[list[dict[str, Any]]],
    bodies: list[dict[str, Any]],
    properties: list[dict[str, Any]],
    accounts: list[str | None],
    of_account: dict[str, Any],
    abm: bool,
) -> None:
    unit = await new_unit(database, SCORING)
    await add_levels(unit)
    await switch_abm(unit, abm)
    made = {"unit_id": unit.unit_id, "org_id": "org"}
    await add(unit, Account(**made, account_id="acc_1", account_metadata=of_account, account_score=12))
    await unit.score(*bodies)
    await write_leads(unit, properties, accounts)
    ids = [await add_segment(unit, each) for each in segments]
    async with database.pool.acquire() as connection:
        plan = await segment_config.load(connection, unit.unit_id)
        known = await segment_members.load(connection, unit.unit_id, LEADS)
    happened: dict[str, set[str]] = {lead_id: set() for lead_id in known}
    for event in await unit.events():
        if event["suppression_reason"] is None:
            happened[event["lead_id"]].update(
                rule.rule_id for rule in plan.heard(event["event_type"]) if rule.happens(event["metadata"])
            )
    people: dict[str, Person] = {
        lead_id: person._replace(facts=happened[lead_id]) for lead_id, (person, _) in known.items()
    }
    for segment_id in ids:
        mine = {lead_id for lead_id, person in people.items() if plan.belongs(segment_id, person)}
        assert await matching(unit, segment_id) == mine
    await bring_up_to_date(database, NOW)
    for segment_id in ids:
        assert await listed(unit, segment_id) == await matching(unit, segment_id)


async def _rule(unit: Unit, rule: dict[str, Any]) -> None:
    """Another rule in the place of one that the first segment has."""
    (row,) = await unit.rows("SELECT segment_id FROM segments WHERE unit_id = $1 ORDER BY created_at LIMIT 1")
    segment_id = row["segment_id"]
    async with unit.database.session() as session, session.begin():
        await hold_lane(session, unit.unit_id)
        own = {"unit_id": unit.unit_id, "org_id": "org", "segment_id": segment_id, "rule_name": ""}
        session.add(SegmentRule(**own, **rule, rule_id=new_id("sr")))
        switched = update(Segment).where(col(Segment.unit_id) == unit.unit_id, col(Segment.segment_id) == segment_id)
        await session.exec(switched.values(active=rule["active"]))


async def _merge(unit: Unit, lead_ids: list[str]) -> None:
    shown = {
        row["lead_id"]
        for row in await unit.rows(
            "SELECT lead_id FROM leads WHERE unit_id = $1 AND merged_into IS NULL AND NOT deleting"
        )
    }
    if len(set(lead_ids)) == 2 and set(lead_ids) <= shown:
        await merge(unit.database, unit.unit_id, lead_ids[0], lead_ids[1:], Truncation(), "ada")


async def _delete(unit: Unit, lead_id: str) -> None:
    if any(row["lead_id"] == lead_id for row in await unit.rows("SELECT lead_id FROM leads WHERE unit_id = $1")):
        job_id = await lead_deletion.begin(unit.database, unit.unit_id, lead_id, "ada")
        await lead_deletion.finish(unit.database, unit.unit_id, job_id)


async def _delete_events(unit: Unit, every: int) -> None:
    ids = [event["event_id"] for event in await unit.events()][::every]
    await delete_events(unit.database, unit.unit_id, ids)


steps = st.one_of(
    st.tuples(st.just("score"), st.lists(events(), min_size=1, max_size=6)),
    st.tuples(st.just("score"), st.lists(events(), min_size=1, max_size=6)),
    st.tuples(st.just("job"), st.none()),
    st.tuples(st.just("rule"), rules()),
    st.tuples(st.just("edit"), st.lists(metadata, min_size=4, max_size=4)),
    st.tuples(st.just("merge"), st.lists(st.sampled_from(LEADS), min_size=2, max_size=2)),
    st.tuples(st.just("delete"), st.sampled_from(LEADS)),
    st.tuples(st.just("delete_events"), st.integers(1, 3)),
    st.tuples(st.just("rescore"), st.none()),
)


async def take(unit: Unit, step: str, what: Any) -> None:
    match step:
        case "score":
            await unit.score(*what, batch_size=4)
        case "job":
            await bring_up_to_date(unit.database, NOW)
        case "rule":
            await _rule(unit, what)
        case "edit":
            await write_leads(unit, what, [None] * 4)
        case "merge":
            await _merge(unit, what)
        case "delete":
            await _delete(unit, what)
        case "delete_events":
            await _delete_events(unit, what)
        case "rescore":
            await rescore(unit.database, unit.unit_id)


@settings(few, max_examples=10)
@given(
    st.lists(st.lists(rules(), min_size=1, max_size=3), min_size=1, max_size=3), st.lists(steps, min_size=2, max_size=7)
)
async def test_who_belongs_is_right_whatever_happens(
    database: Database, segments: list[list[dict[str, Any]]], history: list[tuple[str, Any]]
) -> None:
    unit = await new_unit(database, SCORING)
    await add_levels(unit)
    ids = [await add_segment(unit, each) for each in segments]
    await bring_up_to_date(database, NOW)
    for step, what in history:
        await take(unit, step, what)
        for segment_id in ids:
            assert await listed(unit, segment_id) == await matching(unit, segment_id), step
    await bring_up_to_date(database, NOW)
    kept = {
        (row["segment_id"], row["lead_id"])
        for row in await unit.rows("SELECT segment_id, lead_id FROM segment_members WHERE unit_id = $1")
    }
    assert kept == {(segment_id, lead_id) for segment_id in ids for lead_id in await matching(unit, segment_id)}
    told: set[tuple[str, str]] = set()
    for row in await unit.rows("SELECT * FROM segment_changes WHERE unit_id = $1 ORDER BY seq"):
        change = (row["segment_id"], row["lead_id"])
        assert (change in told) != row["entered"], "who enters was outside, who leaves was inside"
        told ^= {change}
    assert told == kept


async def test_the_worker_itself_notices(database: Database) -> None:
    """Without the job: what events do is known when they are scored, and only their leads are touched."""
    unit = await new_unit(database, SCORING)
    await add_levels(unit)
    hot = await add_segment(unit, [_on("engagement_level", "equals", "Hot")])
    seen = await add_segment(unit, [_on("event_metadata", "equals", "x", event_type="PAGE-VIEW")])
    never = await add_segment(unit, [_on("event_metadata", "is_empty", event_type="page_view")])
    await bring_up_to_date(database, NOW)
    await unit.score(body("view", "ld_a", 0), body("view", "ld_a", 10), body("Page View", "ld_b", metadata={"a": "x"}))
    rows = await unit.rows("SELECT segment_id, lead_id, entered FROM segment_changes WHERE unit_id = $1")
    assert {tuple(row) for row in rows} == {(hot, "ld_a", True), (seen, "ld_b", True), (never, "ld_a", True)}
    assert await unit.rows("SELECT FROM segment_touched WHERE unit_id = $1") == []
    assert await listed(unit, never) == {"ld_a"}
    await unit.score(body("page_view", "ld_a", 20, metadata={"a": "y"}))
    assert await listed(unit, never) == set()


async def test_changes_are_forgotten_but_for_the_last(database: Database) -> None:
    unit = await new_unit(database, SCORING)
    await add_segment(unit, [_on("lead_metadata", "is_empty")])
    await unit.score(body(lead="ld_a"), body(lead="ld_b"))
    await bring_up_to_date(database, NOW)
    await forget_changes(database, datetime(2999, 1, 1, tzinfo=UTC))
    assert [row["seq"] for row in await unit.rows("SELECT seq FROM segment_changes WHERE unit_id = $1")] == [2]


def _on(kind: str, operator: str, value: str | None = None, event_type: str | None = None) -> dict[str, Any]:
    about = {"rule_type": kind, "field_name": "a", "operator": operator, "value": value, "event_type": event_type}
    return about | {"order_index": 0}
