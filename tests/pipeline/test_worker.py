"""The worker: whom an event belongs to, what comes into being with it, and when a change holds."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from leadvibe.pipeline.duty import stay_at_work
from leadvibe.scoring.model import UnitConfig
from leadvibe.store import unit_config
from leadvibe.store.database import Database, connect
from leadvibe.store.partitions import existing_months
from tests.pipeline.units import Unit, body, email, new_unit, open_worker, rescore
from tests.scoring.streams import SHORT_SESSIONS, at, config, grouped, plain, ruleset

WORLD = config(ruleset("rs_a", view=10), ruleset("rs_b", view=1, click=2))


@pytest.fixture
async def unit(database: Database) -> Unit:
    return await new_unit(database, WORLD)


async def test_a_stored_configuration_is_the_one_that_scores(database: Database) -> None:
    stored = config(
        ruleset("rs_a", 0, 9, view=10),
        ruleset("rs_b", buy=-1),
        filters=[plain(3, 1), grouped(2, 5)],
        surge=SHORT_SESSIONS,
        allow_negative_scores=True,
        ceilings={"click": "observe", "buy": "decide"},
    )
    unit = await new_unit(database, stored)
    async with database.pool.acquire() as connection:
        loaded = await unit_config.load(connection, unit.unit_id)
    assert loaded.primary_ruleset_id == "rs_a"
    assert (loaded.rulesets, loaded.surge, loaded.ceilings) == (stored.rulesets, stored.surge, stored.ceilings)
    assert loaded.allow_negative_scores
    assert [(each.count_threshold, each.group_events) for each in loaded.filters["view"]] == [(3, False), (2, True)]


async def test_an_event_is_written_with_what_it_scored(unit: Unit) -> None:
    await unit.score(body(second=7, event_id="e1", metadata={"channel": "newsletter"}))
    (event,) = await unit.events()
    assert (event["event_id"], event["lead_id"], event["seq"]) == ("e1", "ld_1", 1)
    assert (event["occurred_at"], event["channel"], event["observed"]) == (at(7), "email", False)
    assert event["scores"] == {"rs_a": [10, 0, 10, 0, "rl_rs_a_view"], "rs_b": [1, 0, 1, 0, "rl_rs_b_view"]}
    (lead,) = (await unit.leads()).values()
    assert (lead["score"], lead["scores"], lead["last_event_at"]) == (10, {"rs_a": 10, "rs_b": 1}, at(7))


async def test_an_unknown_lead_id_creates_that_lead_with_its_aliases(unit: Unit) -> None:
    await unit.score(body(lead="new", aliases=email(" Ada@Acme.example")))
    assert await unit.scores() == {"new": 10}
    assert await unit.aliases() == {"ada@acme.example": "new"}


@pytest.mark.parametrize("batch_size", [1, 100])
async def test_the_first_known_alias_decides_and_the_others_are_attached(unit: Unit, batch_size: int) -> None:
    await unit.score(
        body(lead="ada", aliases=email("a@x")),
        body(lead="bob", aliases=email("b@x")),
        body(lead=None, aliases=email("new@x", "b@x", "a@x", "other@x")),
        batch_size=batch_size,
    )
    assert await unit.scores() == {"ada": 10, "bob": 20}
    assert await unit.aliases() == {"a@x": "ada", "b@x": "bob", "new@x": "bob", "other@x": "bob"}


@pytest.mark.parametrize("batch_size", [1, 100])
async def test_a_lead_id_decides_over_aliases_and_nobody_is_merged(unit: Unit, batch_size: int) -> None:
    await unit.score(
        body(lead="ada", aliases=email("a@x")),
        body(lead="bob", aliases=email("a@x", "b@x")),
        batch_size=batch_size,
    )
    assert await unit.scores() == {"ada": 10, "bob": 10}
    assert await unit.aliases() == {"a@x": "ada", "b@x": "bob"}


@pytest.mark.parametrize("batch_size", [1, 100])
async def test_unknown_aliases_make_one_new_lead(unit: Unit, batch_size: int) -> None:
    await unit.score(
        body(lead=None, aliases=email("a@x", "b@x")),
        body(lead=None, aliases=email("b@x")),
        body(lead=None, aliases=[{"alias_kind": "external_id", "raw_value": "a@x"}]),
        batch_size=batch_size,
    )
    assert sorted((await unit.scores()).values()) == [10, 20]
    assert len(set(await unit.column("lead_id"))) == 2


async def test_an_event_of_a_merged_lead_goes_where_the_lead_went(unit: Unit, database: Database) -> None:
    await unit.score(body(lead="a"), body(lead="b"), body(lead="c"))
    for source, target in (("a", "b"), ("b", "c")):
        await database.pool.execute("UPDATE leads SET merged_into = $2 WHERE lead_id = $1", source, target)
    await unit.score(body(lead="a"))
    assert (await unit.column("lead_id"))[-1] == "c"
    assert (await unit.scores())["c"] == 20


async def test_a_suppressed_event_of_an_unknown_lead_is_stored_and_creates_no_lead(database: Database) -> None:
    # A threshold of 0, which the API refuses, stands for whatever suppresses a first event.
    unit = await new_unit(database, config(ruleset(view=10), filters=[plain(0, 1)]))
    await unit.score(body(lead="new", aliases=email("a@x")), body(lead=None, aliases=email("b@x")))
    assert [(e["lead_id"], e["suppression_reason"]) for e in await unit.events()] == [(None, "inorganic")] * 2
    assert (await unit.leads(), await unit.aliases()) == ({}, {})
    await unit.score(body("click", lead="new"), body(lead="new"))
    assert await unit.column("lead_id") == [None, None, "new", "new"]


async def test_an_observed_event_creates_its_lead_and_scores_nothing(database: Database) -> None:
    unit = await new_unit(database, config(ruleset(view=10), ceilings={"view": "observe"}))
    await unit.score(body())
    (event,) = await unit.events()
    assert (event["lead_id"], event["observed"], event["scores"]) == ("ld_1", True, None)
    assert await unit.scores() == {"ld_1": 0}


async def test_a_burst_is_taken_back_across_batches_and_within_one(database: Database) -> None:
    world = config(ruleset(view=10), filters=[grouped(2, 5)])
    for batch_size in (1, 2, 100):
        unit = await new_unit(database, world)
        await unit.score(*[body(second=second) for second in range(4)], batch_size=batch_size)
        assert await unit.column("suppression_reason") == [None, *["inorganic_grouped"] * 3]
        assert await unit.scores() == {"ld_1": 10}


async def test_a_filter_sees_the_past_of_a_lead_whose_alias_is_new_in_the_batch(database: Database) -> None:
    unit = await new_unit(database, config(ruleset(view=10), filters=[plain(2, 60)]))
    await unit.score(body(second=0), body(second=1))
    named, by_alias = body("click", second=2, aliases=email("a@x")), body(lead=None, second=3, aliases=email("a@x"))
    await unit.score(named, by_alias)
    assert await unit.column("suppression_reason") == [None, None, None, "inorganic"]


async def test_event_types_come_into_being_with_their_first_event(database: Database) -> None:
    unit = await new_unit(database, config(ruleset(view=10), ceilings={"click": "decide"}))
    await unit.score(body("view"), body("click"), body("buy"), body("view"))
    await unit.score(body("buy"), body("late type"))
    rows = await unit.rows("SELECT name, max_processing_scope FROM event_types WHERE unit_id = $1 ORDER BY name")
    assert [tuple(row) for row in rows] == [
        ("buy", "activate"),
        ("click", "decide"),
        ("late type", "activate"),
        ("view", "activate"),
    ]


async def test_partitions_of_old_months_are_made_on_the_way(unit: Unit, database: Database) -> None:
    times = ["1970-01-01T00:00:00Z", "1999-12-31T23:59:59.999999Z", "2000-01-01T00:00:00Z", "2024-02-29T12:00:00Z"]
    await unit.score(*[body() | {"timestamp": time} for time in times], batch_size=3)
    assert await unit.scores() == {"ld_1": 40}
    assert {(1970, 1), (1999, 12), (2000, 1), (2024, 2)} <= await existing_months(database.pool)


async def test_a_partition_that_another_worker_made_is_found(unit: Unit, database: Database) -> None:
    async with open_worker(database) as one, open_worker(database) as two:
        for worker, connection in (one, two, one):
            await unit.accept(body() | {"timestamp": "2001-05-05T00:00:00Z"})
            assert await worker.run_once(connection) == 1


async def test_workers_that_need_the_same_partition_at_once_both_get_on(database: Database) -> None:
    units = [await new_unit(database, WORLD) for _ in range(3)]
    for unit in units:
        await unit.accept(*[body() | {"timestamp": f"20{year}-06-01T00:00:00Z"} for year in range(10, 20)])
    await units[0].work(batch_size=2, workers=3)
    for unit in units:
        assert await unit.scores() == {"ld_1": 100}


async def test_a_change_of_configuration_holds_from_the_next_batch_on(unit: Unit, database: Database) -> None:
    async with open_worker(database) as (worker, connection):
        await unit.accept(body())
        await worker.run_once(connection)
        await database.pool.execute("UPDATE rules SET weight = 70 WHERE rule_id = 'rl_rs_a_view'")
        await unit.accept(body())
        await worker.run_once(connection)  # the lane's version tells of nothing
        await database.pool.execute("UPDATE lanes SET config_version = config_version + 1")
        await unit.accept(body())
        await worker.run_once(connection)
    assert [scores["rs_a"][0] for scores in await unit.column("scores")] == [10, 10, 70]


async def test_a_rescore_uses_todays_configuration(unit: Unit, database: Database) -> None:
    await unit.score(body(lead="a"), body(lead="b"), body("click", lead="b"))
    await database.pool.execute("UPDATE rules SET weight = 3 WHERE rule_id = 'rl_rs_a_view'")
    await database.pool.execute("DELETE FROM rulesets WHERE ruleset_id = 'rs_b'")
    heard: list[int] = []
    assert await rescore(database, unit.unit_id, heard.append) == 2
    assert sum(heard) == 2
    assert {lead_id: lead["scores"] for lead_id, lead in (await unit.leads()).items()} == {
        "a": {"rs_a": 3},
        "b": {"rs_a": 3},
    }
    assert await unit.column("scores") == [{"rs_a": [3, 0, 3, 0, "rl_rs_a_view"]}] * 2 + [None]


async def test_live_scoring_goes_on_beside_a_rescore(unit: Unit, database: Database) -> None:
    await unit.score(*[body(lead=f"ld_{i}") for i in range(450)])
    await unit.accept(*[body(lead=f"ld_{i}", second=1) for i in range(450)])
    await asyncio.gather(rescore(database, unit.unit_id), unit.work(batch_size=40, workers=2))
    assert set((await unit.scores()).values()) == {20}
    assert sorted(await unit.column("seq")) == list(range(1, 901))


async def test_a_rescore_keeps_recorded_decay(unit: Unit, database: Database) -> None:
    await unit.score(body(), body("DECAY", second=9), body(second=10))
    # What the decay job will record, until it is there.
    await database.pool.execute(
        """UPDATE engagement_events SET scores = '{"rs_a": [-4, 10, 6, 0, null]}' WHERE event_type = 'DECAY'"""
    )
    await rescore(database, unit.unit_id)
    assert await unit.scores() == {"ld_1": 16}
    assert [scores["rs_a"][:3] for scores in await unit.column("scores")] == [[10, 0, 10], [-4, 10, 6], [10, 6, 16]]


async def test_a_waiting_event_of_a_unit_without_configuration_is_kept_unscored(database: Database) -> None:
    unit = await new_unit(database, UnitConfig((), {}, WORLD.surge))
    await unit.score(body(lead=None, aliases=email("a@x")))
    assert await unit.column("scores") == [None]
    assert list((await unit.scores()).values()) == [0]


async def test_a_running_worker_scores_what_comes_and_stops_when_told(unit: Unit, database: Database) -> None:
    stop = asyncio.Event()
    async with open_worker(database) as (worker, _):
        running = asyncio.create_task(worker.run(stop))
        async with asyncio.timeout(30):
            for i in range(5):
                await unit.accept(body())
                while len(await unit.events()) <= i:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
        stop.set()
        await running
    assert await unit.scores() == {"ld_1": 50}


async def test_work_that_fails_again_and_again_is_tried_more_and_more_seldom(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    stop, tries = asyncio.Event(), 0

    async def work(connection: Any, stopped: asyncio.Task[bool]) -> None:
        nonlocal tries
        tries += 1
        if tries == 3:
            stop.set()
        await connection.execute("SELECT FROM nowhere")

    with caplog.at_level("WARNING", "leadvibe.pipeline.duty"):
        await stay_at_work(lambda: connect(database.url), work, stop)
    assert [record.message.rpartition("in ")[2] for record in caplog.records] == ["0.1 s.", "0.2 s.", "0.4 s."]


async def test_a_unit_whose_batch_fails_holds_up_no_other_and_loses_nothing(database: Database) -> None:
    broken, fine = await new_unit(database, WORLD, "unit_a"), await new_unit(database, WORLD, "unit_b")
    await database.pool.execute(
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON leads FOR EACH ROW WHEN (NEW.unit_id = 'unit_a')
        EXECUTE FUNCTION refuse()
        """
    )
    for unit in (broken, fine):
        await unit.accept(body())
    async with open_worker(database) as (worker, connection):
        assert [await worker.run_once(connection) for _ in range(3)] == [1, 0, 0]
        await database.pool.execute("DROP TRIGGER refuse ON leads")
        async with asyncio.timeout(10):
            while not await worker.run_once(connection):  # noqa: ASYNC110
                await asyncio.sleep(0.05)  # the unit rests for a second
    assert await broken.scores() == await fine.scores() == {"ld_1": 10}
