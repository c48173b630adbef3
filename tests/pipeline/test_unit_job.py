"""Work in steps, at the example of rescoring: its progress, cancelling it, and taking it up where a process died."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leadvibe.pipeline import rescore, unit_job
from leadvibe.pipeline.rescore import RESCORE
from leadvibe.pipeline.scheduler import JOBS
from leadvibe.pipeline.unit_job import UnitJob
from leadvibe.store import unit_jobs
from leadvibe.store.database import Database
from tests.pipeline.units import Unit, body, new_unit
from tests.scoring.streams import config, ruleset


@pytest.fixture
async def unit(database: Database, monkeypatch: pytest.MonkeyPatch) -> Unit:
    """Five leads of 5 points, whose rule now gives 7; they are rescored two by two."""
    monkeypatch.setattr(rescore, "LEADS_AT_ONCE", 2)
    unit = await new_unit(database, config(ruleset(view=5)))
    await unit.score(*(body("view", f"ld_{n}") for n in range(5)))
    await database.pool.execute("UPDATE rules SET weight = 7 WHERE unit_id = $1", unit.unit_id)
    return unit


async def job(unit: Unit) -> dict[str, Any]:
    (row,) = await unit.rows("SELECT kind, status, done, total, last_subject FROM jobs WHERE unit_id = $1")
    return dict(row)


async def interrupted(unit: Unit) -> UnitJob:
    """A rescoring whose process died after its first group."""
    begun = await unit_job.begin(unit.database, RESCORE, unit.unit_id, "mem_1")

    def die(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await begun.run(die)
    return begun


async def test_a_job_tells_how_far_it_is(unit: Unit) -> None:
    begun = await unit_job.begin(unit.database, RESCORE, unit.unit_id, "mem_1")
    assert await job(unit) == {"kind": "rescore", "status": "pending", "done": 0, "total": 5, "last_subject": None}
    heard: list[int] = []
    assert await begun.run(heard.append) == 5
    assert heard == [2, 2, 1]
    assert await job(unit) == {"kind": "rescore", "status": "completed", "done": 5, "total": 5, "last_subject": "ld_4"}
    assert set((await unit.scores()).values()) == {7}


async def test_it_is_taken_up_behind_the_last_lead_that_was_done(unit: Unit) -> None:
    await interrupted(unit)
    assert list((await unit.scores()).values()).count(7) == 2
    assert (await job(unit))["last_subject"] == "ld_1"
    now = datetime.now(UTC)
    assert (await JOBS["unit-jobs"].run(unit.database, now)).startswith("0 "), "it may still be at work"
    # A lead that is done is not done again.
    await unit.rows("UPDATE leads SET scores = '{\"rs_a\": 99}' WHERE unit_id = $1 AND lead_id = 'ld_0'")
    assert (await JOBS["unit-jobs"].run(unit.database, now + timedelta(hours=1))).startswith("1 ")
    assert await unit.scores() == {"ld_0": 99, "ld_1": 7, "ld_2": 7, "ld_3": 7, "ld_4": 7}
    assert ((await job(unit))["status"], (await job(unit))["done"]) == ("completed", 5)


async def test_a_cancelled_job_goes_no_further(unit: Unit) -> None:
    begun = await interrupted(unit)
    assert await unit_jobs.cancel(unit.database, unit.unit_id, begun.job_id, ["rescore"], datetime.now(UTC))
    assert await begun.run() == 0
    await JOBS["unit-jobs"].run(unit.database, datetime.now(UTC) + timedelta(hours=1))
    assert ((await job(unit))["status"], (await job(unit))["done"]) == ("cancelled", 2)
    assert sorted((await unit.scores()).values()) == [5, 5, 5, 7, 7]
    assert not await unit_jobs.cancel(unit.database, unit.unit_id, begun.job_id, ["rescore"], datetime.now(UTC))


async def test_two_that_take_it_up_at_once_share_the_work(unit: Unit) -> None:
    begun = await interrupted(unit)
    await asyncio.gather(begun.run(), begun.run())
    assert ((await job(unit))["status"], (await job(unit))["done"]) == ("completed", 5)
    assert set((await unit.scores()).values()) == {7}
