"""Workers that are killed at any moment: every accepted event is scored once, and none is lost."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from leadvibe.pipeline.buffer import IngestBuffer
from leadvibe.scoring.surge import STANDARD
from leadvibe.store.database import Database
from leadvibe.store.queue import WORKER_NAME
from tests.pipeline.units import Unit, body, email, incoming, new_unit, open_buffer
from tests.scoring.streams import config, grouped, plain, ruleset

KILLS = 5
WORLD = config(
    ruleset("rs_a", view=5, click=3, buy=-4),
    ruleset("rs_b", view=1),
    filters=[plain(4, 3, "click"), grouped(3, 2)],
    surge=STANDARD,
)

Process = asyncio.subprocess.Process


@asynccontextmanager
async def worker_process(database: Database) -> AsyncIterator[Process]:
    """A worker of its own process, killed in the end unless it is dead already."""
    environment = os.environ | {
        "LEADVIBE_DATABASE_URL": database.url,
        "LEADVIBE_BATCH_SIZE": "100",
        "LEADVIBE_LOG_LEVEL": "warning",
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "leadvibe", "worker", env=environment)
    try:
        yield process
    finally:
        await kill(process)


async def kill(process: Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


async def until(database: Database, query: str, *arguments: Any) -> None:
    """Asks again and again until the answer is true."""
    async with asyncio.timeout(60):
        while not await database.pool.fetchval(query, *arguments):  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def workers_are_connected(database: Database, count: int) -> None:
    query = "SELECT count(*) = $2 FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()"
    await until(database, query, WORKER_NAME, count)


def some_events(chance: random.Random, first: int, count: int) -> list[dict[str, Any]]:
    def one(number: int) -> dict[str, Any]:
        person, event_type = chance.randrange(40), chance.choice(("view", "click", "buy"))
        name = {"lead": f"ld_{person}"} if chance.random() < 0.7 else {"lead": None, "aliases": email(f"{person}@x")}
        return body(event_type, second=number // 20 + chance.choice((0, 1, -9)), event_id=f"e{number}", **name)

    return [one(number) for number in range(first, first + count)]


async def send(buffer: IngestBuffer, unit: Unit, bodies: list[dict[str, Any]]) -> None:
    """Sends in small groups, as clients do, while the workers run."""
    for i in range(0, len(bodies), 50):
        await buffer.accept(unit.unit_id, [incoming(each) for each in bodies[i : i + 50]])


@pytest.mark.parametrize(("workers", "seed"), [(1, 11), (2, 12)])
async def test_killed_workers_lose_and_double_nothing(database: Database, workers: int, seed: int) -> None:
    chance = random.Random(seed)
    units = [await new_unit(database, WORLD) for _ in range(workers)]
    sent = 0
    async with open_buffer(database) as buffer, AsyncExitStack() as stack:
        for _ in range(KILLS):
            started = [await stack.enter_async_context(worker_process(database)) for _ in range(workers)]
            await workers_are_connected(database, workers)
            bodies = some_events(chance, sent, 600)
            sent += len(bodies)
            sending = [asyncio.create_task(send(buffer, unit, bodies)) for unit in units]
            # Kill somewhere in the work: when so many events of this round are through, and a little later.
            reached = sent - len(bodies) + chance.randrange(len(bodies) - 100)
            await until(database, "SELECT max(last_seq) >= $1 FROM lanes", reached)
            await asyncio.sleep(chance.random() * 0.03)
            await asyncio.gather(*map(kill, started), *sending)
            await workers_are_connected(database, 0)
        await stack.enter_async_context(worker_process(database))
        await until(database, "SELECT NOT EXISTS (SELECT FROM ingest_queue)")
    for unit in units:
        await assert_scored_once(unit, sent)


async def assert_scored_once(unit: Unit, sent: int) -> None:
    events, leads, replays = await unit.events(), await unit.leads(), await unit.replayed()
    assert Counter(event["event_id"] for event in events) == {f"e{number}": 1 for number in range(sent)}
    assert [event["seq"] for event in events] == list(range(1, sent + 1))
    reasons = {seq: reason for each in replays.values() for seq, reason in each.reasons.items()}
    assert {event["seq"]: event["suppression_reason"] for event in events if event["suppression_reason"]} == reasons
    assert {lead_id: each.lead.scores for lead_id, each in replays.items()} == {
        lead_id: lead["scores"] for lead_id, lead in leads.items()
    }
