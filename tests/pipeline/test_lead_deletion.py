"""Deleting a lead: all of it goes, in pieces, whoever dies meanwhile, and what arrives later is not lost."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadvibe.errors import ApiError
from leadvibe.pipeline.lead_deletion import EVENTS_AT_ONCE, begin, finish
from leadvibe.pipeline.merging import Truncation, merge
from leadvibe.pipeline.scheduler import JOBS
from leadvibe.scoring.model import UnitConfig
from leadvibe.store.database import Database
from tests.pipeline.test_invariance import few, worlds
from tests.pipeline.units import Unit, body, email, new_unit, rescore, true_counts
from tests.scoring.streams import START, at, config, ruleset, streams

WORLD = config(ruleset("rs_a", view=10))


@pytest.fixture
async def unit(database: Database) -> Unit:
    return await new_unit(database, WORLD)


async def begun(unit: Unit, lead_id: str = "a") -> str:
    return await begin(unit.database, unit.unit_id, lead_id, "mem_1")


async def deleted(unit: Unit, lead_id: str = "a") -> None:
    await finish(unit.database, unit.unit_id, await begun(unit, lead_id))


async def job(unit: Unit) -> Any:
    (row,) = await unit.rows("SELECT status, done, error FROM jobs WHERE unit_id = $1")
    return row


async def in_an_hour(unit: Unit) -> str:
    """The scheduler's answer, long after the last sign of life."""
    return await JOBS["lead-deletions"].run(unit.database, datetime.now(UTC) + timedelta(hours=1))


async def test_nothing_of_the_lead_remains(unit: Unit) -> None:
    await unit.score(*(body(lead=lead_id, aliases=email(f"{lead_id}@x")) for lead_id in "abc"))
    await merge(unit.database, unit.unit_id, "a", ["b"], Truncation(), "mem_1")
    for lead_id in "ac":
        for statement in (
            "INSERT INTO orders VALUES ($1, $2, $2, $2, 10, 'EUR', 'paid', $3, '{}')",
            "INSERT INTO score_snapshots VALUES ($1, $2, 'rs_a', $3, 1)",
        ):
            await unit.database.pool.execute(statement, unit.unit_id, lead_id, at(0))
    await deleted(unit)
    assert {event["lead_id"] for event in await unit.events()} == {"c"}
    assert set(await unit.leads()) == {"c"}, "the lead that was merged into it is gone as well"
    assert await unit.aliases() == {"c@x": "c"}
    for table in ("orders", "score_snapshots"):
        assert [row[0] for row in await unit.rows(f"SELECT lead_id FROM {table} WHERE unit_id = $1")] == ["c"]
    assert tuple(await job(unit)) == ("completed", 3, None)
    await true_counts(unit)


async def test_many_events_go_in_pieces(unit: Unit) -> None:
    """Each piece is a transaction: another finisher sees it, takes part, and does no harm."""
    await unit.score(body(lead="a"), body(lead="b"))
    count = 2 * EVENTS_AT_ONCE + 7
    await unit.database.pool.execute(
        """
        INSERT INTO engagement_events (unit_id, occurred_at, seq, event_id, lead_id, event_type, channel, metadata,
                                       observed, received_at, processed_at)
        SELECT $1, $2::timestamptz + make_interval(secs => i / 3), 2 + i, i::text, 'a', 'view', 'web', '{}',
               false, $2, $2
        FROM generate_series(1, $3) i
        """,
        unit.unit_id,
        at(0),
        count,
    )
    await unit.database.pool.execute("UPDATE lanes SET last_seq = $2 WHERE unit_id = $1", unit.unit_id, 2 + count)
    await unit.database.pool.execute(
        "UPDATE event_counts SET events = events + $2 WHERE unit_id = $1", unit.unit_id, count
    )
    job_id = await begun(unit)
    assert tuple(await job(unit)) == ("pending", 0, None)
    await asyncio.gather(*(finish(unit.database, unit.unit_id, job_id) for _ in range(2)))
    assert tuple(await job(unit)) == ("completed", count + 1, None)
    assert set(await unit.leads()) == {"b"} and len(await unit.events()) == 1
    await true_counts(unit)


async def test_a_deletion_is_finished_when_its_process_died(unit: Unit) -> None:
    await unit.score(body(lead="a"), body(lead="b"))
    await begun(unit)
    await true_counts(unit)
    job_report = await JOBS["lead-deletions"].run(unit.database, datetime.now(UTC))
    assert job_report.startswith("0 "), "somebody may still be at it"
    assert (await in_an_hour(unit)).startswith("1 ")
    assert set(await unit.leads()) == {"b"}
    assert (await in_an_hour(unit)).startswith("0 ")
    await true_counts(unit)


async def test_a_failure_is_told_and_tried_again(unit: Unit) -> None:
    await unit.score(body(lead="a"))
    job_id = await begun(unit)
    await unit.database.pool.execute("ALTER TABLE event_counts RENAME TO away")
    await finish(unit.database, unit.unit_id, job_id)
    status, done, error = await job(unit)
    assert (status, done) == ("failed", 0) and "away" not in error and error
    await unit.database.pool.execute("ALTER TABLE away RENAME TO event_counts")
    await in_an_hour(unit)
    assert tuple(await job(unit)) == ("completed", 1, None)
    assert await unit.leads() == {}


async def test_only_a_lead_that_is_there_can_be_deleted(unit: Unit, database: Database) -> None:
    await unit.score(body(lead="a"))
    other = await new_unit(database, WORLD)
    for where, lead_id in ((unit, "nobody"), (other, "a")):
        with pytest.raises(ApiError) as refusal:
            await begun(where, lead_id)
        assert refusal.value.status == 404
    await begun(unit)
    with pytest.raises(ApiError):
        await begun(unit)
    assert len(await unit.rows("SELECT FROM jobs WHERE unit_id = $1")) == 1


async def test_a_merged_lead_goes_alone(unit: Unit) -> None:
    await unit.score(body(lead="a"), body(lead="b"))
    await merge(unit.database, unit.unit_id, "a", ["b"], Truncation(), "mem_1")
    await deleted(unit, "b")
    assert await unit.scores() == {"a": 20}
    await true_counts(unit)


async def test_a_deleted_id_may_come_again(unit: Unit) -> None:
    await unit.score(body(lead="a", aliases=email("a@x")))
    await deleted(unit)
    await unit.score(body(lead="a", aliases=email("a@x"), event_id="again"))
    assert (await unit.scores(), await unit.aliases()) == ({"a": 10}, {"a@x": "a"})
    await true_counts(unit)


@few
@given(worlds, streams(fewest=5, most=40), st.data())
async def test_what_comes_meanwhile_makes_a_new_lead(
    database: Database, config: UnitConfig, events: list[Any], data: st.DataObject
) -> None:
    """It is the lead that a unit has which never knew the deleted one."""
    bodies = [
        body(event.event_type, "a", (event.at - START).total_seconds(), event_id=f"e{event.seq}", aliases=email("a@x"))
        for event in events
    ]
    split = data.draw(st.integers(1, len(events)))
    unit, fresh = await new_unit(database, config), await new_unit(database, config)
    await unit.score(*bodies[:split])
    waiting = data.draw(st.booleans())
    if waiting:
        await unit.accept(*bodies[split:])
    job_id = await begun(unit)
    await (unit.work() if waiting else unit.score(*bodies[split:]))
    await finish(database, unit.unit_id, job_id)
    await fresh.score(*bodies[split:])

    def scored(events: list[dict[str, Any]]) -> list[Any]:
        return [(event["event_id"], event["suppression_reason"], event["scores"]) for event in events]

    assert scored(await unit.events()) == scored(await fresh.events())
    assert await unit.leads() == await fresh.leads()
    assert await unit.aliases() == await fresh.aliases()
    assert (await job(unit))["status"] == "completed"
    await true_counts(unit)
    before = await unit.leads()
    await rescore(database, unit.unit_id)
    assert await unit.leads() == before
