"""Scheduled jobs: what they remove, what they add, and that one that fails stops no other."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from leadvibe.pipeline.scheduler import JOBS, run_jobs
from leadvibe.store.database import Database
from leadvibe.store.partitions import existing_months
from tests.pipeline.units import RECEIVED, Unit, body, incoming, new_unit, open_buffer
from tests.scoring.streams import config

WEEK = timedelta(days=7)


async def accept_at(unit: Unit, event_id: str, received_at: datetime) -> bool:
    """Whether the event is a duplicate."""
    async with open_buffer(unit.database) as buffer:
        sent = body(event_id=event_id) | {"timestamp": "2020-01-01T00:00:00Z"}
        event = incoming(sent, received_at=received_at)
        (result,) = await buffer.accept(unit.unit_id, [event])
    return bool(getattr(result, "duplicate", False))


async def test_keys_are_forgotten_after_more_than_a_week(database: Database) -> None:
    unit = await new_unit(database, config())
    ages = {"new": timedelta(0), "a week": WEEK, "old": timedelta(days=8, seconds=1), "ancient": timedelta(days=400)}
    for name, age in ages.items():
        await accept_at(unit, name, RECEIVED - age)
    assert (await JOBS["purge-keys"].run(database, RECEIVED)).startswith("2 ")
    rows = await unit.rows("SELECT key FROM ingest_keys WHERE unit_id = $1 ORDER BY received_at")
    assert [row["key"] for row in rows] == ["e:a week", "e:new"]
    assert await accept_at(unit, "a week", RECEIVED)
    assert not await accept_at(unit, "old", RECEIVED)


async def test_all_old_keys_go_however_many_they_are(database: Database) -> None:
    units = [await new_unit(database, config()) for _ in range(2)]
    for unit in units:
        await database.pool.execute(
            "INSERT INTO ingest_keys SELECT $1, i::text, '', i::text, $2 FROM generate_series(1, 10050) i",
            unit.unit_id,
            RECEIVED,
        )
    report = await JOBS["purge-keys"].run(database, RECEIVED + timedelta(days=9))
    assert report.startswith("20100 ")
    assert await database.pool.fetchval("SELECT count(*) FROM ingest_keys") == 0


@pytest.mark.parametrize("month", [1, 10, 11, 12])
async def test_partitions_are_made_three_months_ahead(database: Database, month: int) -> None:
    await JOBS["partitions"].run(database, datetime(2031, month, 28, 23, 59, tzinfo=UTC))
    expected = {(2031 + (month - 1 + i) // 12, (month - 1 + i) % 12 + 1) for i in range(4)}
    made = await existing_months(database.pool)
    assert {each for each in made if each >= (2031, 1)} == expected
    await JOBS["partitions"].run(database, datetime(2031, month, 28, 23, 59, tzinfo=UTC))
    assert await existing_months(database.pool) == made


async def test_the_scheduler_runs_every_job_at_its_start_and_stops_when_told(database: Database) -> None:
    unit = await new_unit(database, config())
    await accept_at(unit, "old", datetime.now(UTC) - timedelta(days=30))
    stop = asyncio.Event()
    running = asyncio.create_task(run_jobs(database, stop))
    async with asyncio.timeout(30):
        while await database.pool.fetchval("SELECT count(*) FROM ingest_keys"):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        stop.set()
        await running
    now = datetime.now(UTC)
    assert (now.year, now.month) in await existing_months(database.pool)


async def test_a_job_that_fails_keeps_no_other_from_running(database: Database) -> None:
    await database.pool.execute("ALTER TABLE engagement_events RENAME TO hidden")
    unit = await new_unit(database, config())
    await accept_at(unit, "old", datetime.now(UTC) - timedelta(days=30))
    stop = asyncio.Event()
    running = asyncio.create_task(run_jobs(database, stop))
    async with asyncio.timeout(30):
        while await database.pool.fetchval("SELECT count(*) FROM ingest_keys"):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        stop.set()
        await running
