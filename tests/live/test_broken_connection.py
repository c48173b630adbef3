"""The bus survives the loss of its connections, and subscribers do not notice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import monotonic

import asyncpg
import pytest

from leadvibe.live.bus import bus_of
from leadvibe.live.hub import Hub
from leadvibe.live.publisher import Publisher
from leadvibe.store.database import Database
from tests.live.conftest import ids, take
from tests.live.event_log import EventLog

_BUS = "query LIKE '%LISTEN%' OR query LIKE '%pg_notify%'"


@pytest.fixture
def broadcast_url(database_url: str) -> str:
    return database_url


async def _terminate(database: Database, which: str) -> int:
    """Ends the connections of this database whose last statement fits."""
    return await database.pool.fetchval(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        f"WHERE datname = current_database() AND pid <> pg_backend_pid() AND ({which})"
    )


async def test_nothing_is_lost_or_doubled_when_the_listener_is_killed(
    hub: Hub, log: EventLog, database: Database
) -> None:
    async with hub.subscribe(log.unit_id) as subscription:
        killed = 0
        for number in range(60):
            await log.score({}, {})
            if number in (10, 11, 30):
                killed += await _terminate(database, _BUS)
            await asyncio.sleep(0.02)
        assert killed >= 3
        assert ids(await take(subscription, 120)) == log.events


async def _delays(hub: Hub, log: EventLog, break_it: Callable[[], Awaitable[object]]) -> list[float]:
    """Seconds from the commit to the subscriber, of 15 events after something broke."""
    async with hub.subscribe(log.unit_id) as subscription:
        await break_it()
        delays: list[float] = []
        for _ in range(15):
            scored_at = monotonic()
            await log.score({})
            assert ids(await take(subscription, 1)) == log.events[-1:]
            delays.append(monotonic() - scored_at)
    return delays


async def test_messages_arrive_again_after_the_listener_was_killed(hub: Hub, log: EventLog, database: Database) -> None:
    delays = await _delays(hub, log, lambda: _terminate(database, _BUS))
    assert max(delays[-5:]) < 1, "polling alone would take seconds for most of them"


async def test_messages_arrive_again_after_the_listener_died_in_silence(hub: Hub, log: EventLog) -> None:
    async def stop_listening() -> None:
        hub._bus._broadcast._listener_task.cancel()

    delays = await _delays(hub, log, stop_listening)
    assert max(delays[-5:]) < 1


async def test_subscribers_survive_the_loss_of_every_connection(hub: Hub, log: EventLog, database: Database) -> None:
    async with hub.subscribe(log.unit_id) as subscription:
        await log.score({})
        await _terminate(database, "true")
        for _ in range(5):
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError):  # its own connections are among them
                await log.score({})
        assert len(log.events) > 1
        assert ids(await take(subscription, len(log.events))) == log.events


async def test_many_publish_at_once_on_one_connection(database: Database, database_url: str) -> None:
    publisher, bus = Publisher(database_url), bus_of(database_url)
    await publisher.connect()
    await bus.connect()
    heard: asyncio.Queue[str | None] = asyncio.Queue()
    await bus.hear("ou:unit_a", heard.put_nowait)
    await asyncio.gather(*(publisher.publish("unit_a", n, n) for n in range(100)))
    async with asyncio.timeout(10):
        assert {await heard.get() for _ in range(100)} == {f"{n}:{n}" for n in range(100)}
    await publisher.close()
    await bus.close()


async def test_a_publisher_whose_connection_was_killed_connects_anew(database: Database, database_url: str) -> None:
    publisher, bus = Publisher(database_url), bus_of(database_url)
    await publisher.connect()
    await publisher.publish("unit_a", 1, 1)
    assert await _terminate(database, _BUS)
    await bus.connect()
    heard: asyncio.Queue[str | None] = asyncio.Queue()
    await bus.hear("ou:unit_a", heard.put_nowait)
    await publisher.publish("unit_a", 2, 3)
    async with asyncio.timeout(10):
        assert await heard.get() == "2:3"
    await publisher.close()
    await bus.close()


async def test_publishing_into_the_void_harms_nobody(database_url: str) -> None:
    publisher = Publisher(database_url.replace("test_", "absent_", 1))
    await publisher.publish("unit_a", 1, 1)
