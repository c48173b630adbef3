"""The delivery process: dead letters, breakers, leases, bounds, and deaths in the middle."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from prometheus_client import REGISTRY

from leadvibe.config import Settings
from leadvibe.pipeline.delivery.sender import Message
from leadvibe.pipeline.scheduler import JOBS
from leadvibe.store import delivery_queue
from leadvibe.store.database import Database
from leadvibe.store.outbox import MOST_TRIES
from tests.pipeline.delivery.outboxes import attempts, delivering, enqueue, hook, message, rows, until_status
from tests.pipeline.delivery.receiver import OK, Answer, Request, answers, hangs, receiver

FAST = {"delivery_retry_seconds": 0.001}


@asynccontextmanager
async def process(database: Database, settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    """`leadvibe deliver` as a process of its own, killed in the end."""
    environment = os.environ | {
        "LEADVIBE_DATABASE_URL": database.url,
        "LEADVIBE_DATA_DIR": str(settings.data_dir),
        "LEADVIBE_ALLOW_PRIVATE_WEBHOOKS": "true",
        "LEADVIBE_DELIVERY_RETRY_SECONDS": "0.05",
        "LEADVIBE_DELIVERY_TIMEOUT_SECONDS": str(settings.delivery_timeout_seconds),
        "LEADVIBE_LOG_LEVEL": "error",
    }
    made = await asyncio.create_subprocess_exec(sys.executable, "-m", "leadvibe", "deliver", env=environment)
    try:
        yield made
    finally:
        if made.returncode is None:
            made.kill()
        await made.wait()


def slow(seconds: float, then: Answer) -> Answer:
    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        await then(request, writer)

    return answer


async def test_every_delivery_arrives_however_often_the_process_is_killed(
    database: Database, settings: Settings, unit: str, other: str
) -> None:
    chance = random.Random(7)
    settings = settings.model_copy(update={"delivery_timeout_seconds": 0.5})
    async with receiver(slow(0.02, OK)) as there:
        wanted = await enqueue(database, unit, *(hook(there.url) for _ in range(60)))
        wanted |= await enqueue(database, other, *(hook(there.url) for _ in range(60)))
        for _ in range(2):
            seen = len(there.requests)
            async with process(database, settings) as one:
                await there.until(seen + chance.randint(5, 20))
                one.kill()
        async with process(database, settings):
            await there.until_ids(wanted)
            for each in (unit, other):
                await until_status(database, each, "delivered")
    assert set(there.ids()) == wanted
    bodies = {(request.id, request.body) for request in there.requests}
    assert len(bodies) == len(wanted)
    twice = [count for count in Counter(there.ids()).values() if count > 1]
    assert len(twice) <= 2 * 16  # what was in hand when it was killed


async def test_two_processes_never_send_the_same(database: Database, settings: Settings, unit: str) -> None:
    async with receiver(slow(0.005, OK)) as there, delivering(database, settings), delivering(database, settings):
        wanted = await enqueue(database, unit, *(hook(there.url) for _ in range(300)))
        await until_status(database, unit, "delivered")
    assert Counter(there.ids()) == dict.fromkeys(wanted, 1)
    assert there.most_open <= 16


async def test_a_stopped_process_puts_back_what_it_has_in_hand(
    database: Database, settings: Settings, unit: str
) -> None:
    settings = settings.model_copy(update={"delivery_timeout_seconds": 300.0})
    async with receiver(hangs) as there, process(database, settings) as one:
        await enqueue(database, unit, hook(there.url))
        await there.until(1)
        one.terminate()
        assert await asyncio.wait_for(one.wait(), 15) == 0
    (row,) = await rows(database, unit)
    assert row["status"] == "waiting"
    assert (row["attempts"], row["tries_left"]) == (1, MOST_TRIES)  # the try was not the receiver's fault
    assert row["due_at"] <= datetime.now(UTC)


async def test_the_last_try_makes_a_dead_letter(database: Database, settings: Settings, unit: str) -> None:
    settings = settings.model_copy(update=FAST)
    async with receiver(answers(500)) as there, delivering(database, settings):
        await enqueue(database, unit, hook(there.url))
        (row,) = await until_status(database, unit, "dead")
    assert len(there.requests) == MOST_TRIES == row["attempts"]
    assert (row["tries_left"], row["due_at"], row["status_code"]) == (0, None, 500)
    assert len(await attempts(database, row["delivery_id"])) == MOST_TRIES


async def test_a_dead_destination_is_left_alone(database: Database, settings: Settings, unit: str) -> None:
    settings = settings.model_copy(update={"delivery_retry_seconds": 30.0})
    async with receiver(answers(500)) as there, receiver(OK) as alive, delivering(database, settings):
        await enqueue(database, unit, *(hook(there.url) for _ in range(100)))
        await there.until(5)
        later = await enqueue(database, unit, hook(there.url), hook(alive.url))
        await alive.until(1)
        assert len(there.requests) == 5
    waiting = [row for row in await rows(database, unit) if row["status"] == "waiting"]
    assert len(waiting) == 101
    assert sum(row["attempts"] == 0 for row in waiting) == 96  # who waits for the breaker loses no try
    assert len(later) == 2


async def test_an_unforeseen_failure_is_a_failure(database: Database, settings: Settings, unit: str) -> None:
    class Broken:
        async def send(self, delivery: Message) -> None:
            raise KeyError("no such thing")

    async with delivering(database, settings.model_copy(update=FAST), {"slack": Broken()}):
        await enqueue(database, unit, message("slack", {"kind": "channel", "id": "C1"}), message("teams", {}))
        found = {row["channel"]: row for row in await until_status(database, unit, "dead")}
    assert {name: row["attempts"] for name, row in found.items()} == {"slack": MOST_TRIES, "teams": 1}
    assert "KeyError" in found["slack"]["error"]


async def test_a_unit_takes_its_share_and_no_more(
    database: Database, settings: Settings, unit: str, other: str
) -> None:
    """However many receivers of a unit hang, another unit's are reached at once."""
    settings = settings.model_copy(update={"delivery_timeout_seconds": 20.0})

    class Hanging:
        running = most = 0

        async def send(self, delivery: Message) -> None:
            if delivery.unit_id == unit:
                self.running += 1
                self.most = max(self.most, self.running)
                await asyncio.sleep(60)

    hanging = Hanging()
    async with delivering(database, settings, {"webhook": hanging}) as made:
        await enqueue(database, unit, *(hook(f"http://h{i}.example/") for i in range(200)))
        await enqueue(database, other, *(hook(f"http://h{i}.example/") for i in range(100)))
        await until_status(database, other, "delivered", seconds=5)
        for task in made._tasks:
            task.cancel()
    assert hanging.most == 64


async def test_a_host_takes_its_share_of_a_unit(database: Database, settings: Settings, unit: str) -> None:
    """However many receivers of a host hang, those of other hosts are reached at once."""
    settings = settings.model_copy(update={"delivery_timeout_seconds": 20.0})
    async with receiver(hangs) as dead, receiver(OK) as alive, delivering(database, settings):
        await enqueue(database, unit, *(hook(f"{dead.url}/{i}") for i in range(100)))
        await dead.until(8)
        wanted = await enqueue(database, unit, *(hook(f"{alive.url}/{i}") for i in range(100)))
        await alive.until_ids(wanted, seconds=5)
        assert dead.most_open == 8


async def test_a_lost_lease_is_not_written_down(database: Database, settings: Settings, unit: str) -> None:
    """A process that slept through its lease does not overrule the one that has the delivery now."""
    await enqueue(database, unit, hook("http://h.example/"))
    now, lease = datetime.now(UTC), timedelta(seconds=30)
    async with database.pool.acquire() as connection:
        claimed = []
        for moment in (now, now + timedelta(seconds=31)):
            (destination,) = await delivery_queue.due_destinations(connection, unit, moment)
            claimed += await delivery_queue.claim(connection, unit, destination, moment, lease, 10)
        first, second = claimed
        assert first["delivery_id"] == second["delivery_id"]
        assert await delivery_queue.due_destinations(connection, unit, moment) == []
        late = delivery_queue.Result(first["delivery_id"], 1, "refused", 404, "gone", now, 1.0, None)
        await delivery_queue.finish(connection, unit, [late], now)
        (row,) = await rows(database, unit)
        assert (row["status"], row["attempts"]) == ("sending", 2)
        done = delivery_queue.Result(first["delivery_id"], 2, "delivered", None, None, now, 1.0, None)
        await delivery_queue.finish(connection, unit, [done], now)
    (row,) = await rows(database, unit)
    assert (row["status"], row["due_at"]) == ("delivered", None)


async def test_a_database_that_goes_away_comes_again(database: Database, settings: Settings, unit: str) -> None:
    async with receiver(OK) as there, delivering(database, settings):
        await enqueue(database, unit, hook(there.url))
        await until_status(database, unit, "delivered")
        await database.pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 "
            "AND datname = current_database()",
            delivery_queue.DELIVERER_NAME,
        )
        wanted = await enqueue(database, unit, hook(there.url))
        await there.until_ids(wanted)


async def test_the_job_gives_up_after_a_day_and_forgets_after_a_month(
    database: Database, settings: Settings, unit: str
) -> None:
    async with receiver(OK) as there, delivering(database, settings):
        await enqueue(database, unit, hook(there.url))
        await until_status(database, unit, "delivered")
    await enqueue(database, unit, hook(there.url))
    now = datetime.now(UTC)
    assert (await JOBS["deliveries"].run(database, now + timedelta(hours=23)))[0] == "0"
    await JOBS["deliveries"].run(database, now + timedelta(hours=25))
    delivered, dead = await rows(database, unit)
    assert (delivered["status"], dead["status"], dead["due_at"]) == ("delivered", "dead", None)
    await JOBS["deliveries"].run(database, now + timedelta(days=31))
    assert await rows(database, unit) == []
    assert await database.pool.fetchval("SELECT count(*) FROM delivery_attempts") == 0


def _sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_metrics_tell_of_tries_and_of_the_time_to_slack(
    database: Database, settings: Settings, unit: str
) -> None:
    class Slack:
        async def send(self, delivery: Message) -> None:
            assert delivery.target == {"kind": "channel", "id": "C1"}

    before = _sample("event_to_slack_latency_seconds_count")
    tries = _sample("leadvibe_deliveries_total", channel="slack", outcome="delivered")
    sent = message("slack", {"kind": "channel", "id": "C1"})
    early = sent._replace(received_at=datetime.now(UTC) - timedelta(seconds=7))
    spent = _sample("event_to_slack_latency_seconds_sum")
    async with delivering(database, settings, {"slack": Slack()}):
        await enqueue(database, unit, early)
        await until_status(database, unit, "delivered")
    assert _sample("event_to_slack_latency_seconds_count") == before + 1
    assert 7 <= _sample("event_to_slack_latency_seconds_sum") - spent < 12
    assert _sample("leadvibe_deliveries_total", channel="slack", outcome="delivered") == tries + 1
