"""The decay job against a real database: each due cycle once, whatever its timing."""

from __future__ import annotations

import asyncio

import pytest

from leadvibe.pipeline.decay import decay
from leadvibe.pipeline.event_deletion import delete_events
from leadvibe.store.config_tables import DecayRule
from leadvibe.store.database import Database
from tests.pipeline.units import Unit, body, new_unit, rescore
from tests.scoring.streams import at, config, ruleset

# Days are counted from a hundred days before the events of these tests are received.
FIRST = -100


def on(day: float) -> float:
    """The second of a day."""
    return (FIRST + day) * 86_400.0


WORLD = config(ruleset("rs_a", view=40, click=1), ruleset("rs_b", view=5))


@pytest.fixture
async def unit(database: Database) -> Unit:
    return await new_unit(database, WORLD)


async def add_decay(unit: Unit, decay_id: str, days: int, decrease: int) -> None:
    async with unit.database.session() as session, session.begin():
        session.add(
            DecayRule(
                unit_id=unit.unit_id, org_id="org", decay_id=decay_id, inactive_for=days, unit="days", decrease=decrease
            )
        )


async def run(unit: Unit, days: float) -> int:
    return await decay(unit.database, unit.unit_id, at(on(days)))


async def cycles(unit: Unit) -> list[tuple[str, int]]:
    events = [event for event in await unit.events() if event["event_type"] == "DECAY"]
    return [(event["metadata"]["decay_id"], event["metadata"]["cycle"]) for event in events]


async def test_each_cycle_is_applied_once_and_recorded_with_what_it_took(unit: Unit) -> None:
    await add_decay(unit, "dc_month", 30, 25)
    await unit.score(body("view", "ld_1", on(0)), body("view", "ld_2", on(20)))
    assert await run(unit, 29.9) == 0
    assert [await run(unit, 30), await run(unit, 30), await run(unit, 45)] == [1, 0, 0]
    assert await unit.scores() == {"ld_1": 15, "ld_2": 40}
    assert await run(unit, 60) == 2  # the second cycle of one lead, the first of the other
    assert await unit.scores() == {"ld_1": 0, "ld_2": 15}
    event = (await unit.events())[2]
    assert (event["event_type"], event["channel"], event["lead_id"]) == ("DECAY", "system", "ld_1")
    assert event["metadata"] == {"channel": "system", "decay_id": "dc_month", "cycle": 1, "decrease": 25}
    assert {name: entry[0] for name, entry in event["scores"].items()} == {"rs_a": -25, "rs_b": -5}


async def test_missed_cycles_are_made_up_and_nothing_is_written_at_the_floor(unit: Unit) -> None:
    await add_decay(unit, "dc_day", 1, 15)
    await unit.score(body("view", second=on(0)))
    assert await run(unit, 90) == 3
    assert await cycles(unit) == [("dc_day", 1), ("dc_day", 2), ("dc_day", 3)]
    assert [entry["rs_a"][0] for entry in await unit.column("scores") if entry] == [40, -15, -15, -10]
    assert await run(unit, 99) == 0


async def test_one_run_applies_all_that_is_due_however_many_cycles_that_are(unit: Unit) -> None:
    await add_decay(unit, "dc_day", 1, 1)
    await unit.score(*(body("view", "ld_1", on(-240 + n)) for n in range(6)))
    assert await unit.scores() == {"ld_1": 240}
    assert await run(unit, 0) == 235
    assert (await cycles(unit))[-1] == ("dc_day", 235)
    assert [await run(unit, 9), await run(unit, 9)] == [5, 0]
    assert await unit.scores() == {"ld_1": 0}


async def test_a_new_event_begins_the_count_anew(unit: Unit) -> None:
    await add_decay(unit, "dc_day", 1, 1)
    await unit.score(body("view", second=on(0)))
    assert await run(unit, 2.5) == 2
    await unit.score(body("click", second=on(2.6)))
    assert [await run(unit, 3.5), await run(unit, 3.6), await run(unit, 4.6)] == [0, 1, 1]
    assert await cycles(unit) == [("dc_day", 1), ("dc_day", 2), ("dc_day", 1), ("dc_day", 2)]


async def test_what_was_applied_since_an_older_event_is_not_due_again_when_the_latest_is_deleted(unit: Unit) -> None:
    await add_decay(unit, "dc_day", 1, 1)
    await unit.score(body("view", second=on(0)))
    assert await run(unit, 2.5) == 2
    await unit.score(body("click", second=on(2.6)))
    assert await run(unit, 4.6) == 2
    (click,) = [event["event_id"] for event in await unit.events() if event["event_type"] == "click"]
    await delete_events(unit.database, unit.unit_id, [click])
    assert await unit.scores() == {"ld_1": 36}
    assert [await run(unit, 4.9), await run(unit, 5.1), await run(unit, 5.1)] == [0, 1, 0]


async def test_rules_count_for_themselves(unit: Unit) -> None:
    await add_decay(unit, "dc_a", 2, 1)
    await add_decay(unit, "dc_b", 3, 10)
    await unit.score(body("view", second=on(0)))
    assert await run(unit, 6) == 5
    assert await unit.scores() == {"ld_1": 40 - 3 * 1 - 2 * 10}


async def test_runs_beside_each_other_apply_each_cycle_once(unit: Unit) -> None:
    await add_decay(unit, "dc_day", 1, 1)
    await unit.score(*(body("view", f"ld_{n}", on(0)) for n in range(50)))
    applied = await asyncio.gather(*(run(unit, 3) for _ in range(4)))
    assert sum(applied) == 150 == len(await cycles(unit))
    assert set((await unit.scores()).values()) == {37}


async def test_a_rescore_keeps_what_decay_took_and_a_replay_agrees(unit: Unit) -> None:
    await add_decay(unit, "dc_day", 1, 15)
    await unit.score(body("view", second=on(0)), body("view", "ld_2", on(0)))
    await run(unit, 1.5)
    await unit.score(body("click", second=on(1.6)))
    before = await unit.leads()
    await rescore(unit.database, unit.unit_id)
    assert await unit.leads() == before
    assert {lead_id: replay.lead.scores for lead_id, replay in (await unit.replayed()).items()} == {
        lead_id: lead["scores"] for lead_id, lead in before.items()
    }


async def test_other_units_and_leads_that_were_merged_away_are_left_alone(unit: Unit, database: Database) -> None:
    other = await new_unit(database, WORLD)
    await add_decay(unit, "dc_day", 1, 15)
    for each in (unit, other):
        await each.score(body("view", second=on(0)), body("view", "ld_gone", on(0)))
    await database.pool.execute("UPDATE leads SET merged_into = 'ld_1' WHERE lead_id = 'ld_gone'")
    assert await run(unit, 1.001) == 1
    assert await run(other, 2) == 0
    assert (await unit.scores(), await other.scores()) == (
        {"ld_1": 25, "ld_gone": 40},
        {"ld_1": 40, "ld_gone": 40},
    )
