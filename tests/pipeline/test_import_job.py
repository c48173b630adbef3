"""An import's job: what it says while rows go in, at the end, and when the process died."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leadvibe.errors import ApiError
from leadvibe.pipeline import import_job
from leadvibe.pipeline.events import IncomingEvent
from leadvibe.pipeline.import_job import ImportJob
from leadvibe.pipeline.scheduler import JOBS
from leadvibe.store.database import Database
from tests.pipeline.units import Unit, new_unit, open_buffer
from tests.scoring.streams import config

HEADER = b"event_type,lead_id\n"


@pytest.fixture
async def unit(database: Database) -> Unit:
    return await new_unit(database, config())


async def begun(unit: Unit, name: str = "events.csv") -> ImportJob:
    return await import_job.begin(unit.database, unit.unit_id, name, "mem_1")


async def job(unit: Unit) -> dict[str, Any]:
    (row,) = await unit.rows("SELECT subject, status, done, failed, problems, error FROM jobs WHERE unit_id = $1")
    return dict(row)


async def run(unit: Unit, content: bytes, skip_triggers: bool = False) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield content

    async with open_buffer(unit.database) as buffer:

        async def accept(events: list[IncomingEvent]) -> Any:
            return await buffer.accept(unit.unit_id, events)

        await (await begun(unit)).run(chunks(), accept, skip_triggers)


async def in_an_hour(unit: Unit) -> str:
    return await JOBS["imports"].run(unit.database, datetime.now(UTC) + timedelta(hours=1))


async def test_a_job_says_what_went_in_and_what_did_not(unit: Unit) -> None:
    await run(unit, HEADER + b"view,a\n,b\nview,c\nview\0,\0\n", skip_triggers=True)
    ended = await job(unit)
    assert (ended["subject"], ended["status"], ended["error"]) == ("events.csv", "completed", None)
    assert (ended["done"], ended["failed"], [each["line"] for each in ended["problems"]]) == (2, 2, [3, 5])
    queued = await unit.rows("SELECT skip_triggers FROM ingest_queue WHERE unit_id = $1")
    assert [row["skip_triggers"] for row in queued] == [True, True]


async def test_a_refused_file_fails_its_job(unit: Unit) -> None:
    with pytest.raises(ApiError):
        await run(unit, b"lead_id\nld_1\n")
    ended = await job(unit)
    assert (ended["status"], ended["error"]) == ("failed", "The file has no event_type column.")


async def test_a_job_tells_how_far_it_is_and_that_it_was_stopped(unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_job, "_TELL_SECONDS", 0.01)
    asked = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield HEADER + b"view,a\n" * 2_000
        asked.set()
        await asyncio.Event().wait()

    async def accept(events: list[IncomingEvent]) -> Any:
        return [None] * len(events)

    running = asyncio.create_task((await begun(unit)).run(chunks(), accept))
    async with asyncio.timeout(30):
        await asked.wait()
        while (await job(unit))["done"] < 2_000:
            pass
    assert (await job(unit))["status"] == "running"
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    ended = await job(unit)
    assert (ended["status"], ended["done"]) == ("failed", 2_000)
    assert "stopped" in ended["error"]


async def test_an_import_whose_process_died_is_marked_as_failed(unit: Unit) -> None:
    await begun(unit, "e\0" + "x" * 1_000)
    await JOBS["imports"].run(unit.database, datetime.now(UTC))
    assert (await job(unit))["status"] == "pending", "it may be about to begin"
    assert (await in_an_hour(unit)).endswith("interrupted imports were marked as failed.")
    ended = await job(unit)
    assert (ended["status"], len(ended["subject"])) == ("failed", 255)
    assert ended["error"] == (
        "The import was interrupted after 0 rows; import the file again: rows with an event_id are not doubled."
    )


async def test_what_has_ended_is_left_alone(unit: Unit) -> None:
    await run(unit, HEADER + b"view,a\n")
    await in_an_hour(unit)
    assert (await job(unit))["status"] == "completed"
