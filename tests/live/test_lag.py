"""A subscriber that does not keep up is told so, and then gets what it missed from the log."""

from __future__ import annotations

import asyncio

from leadvibe.live.hub import Hub, Lagged
from leadvibe.store.database import Database
from tests.live.conftest import ids, take
from tests.live.event_log import EventLog


async def test_a_slow_subscriber_is_told_and_misses_nothing(
    database: Database, broadcast_url: str, log: EventLog
) -> None:
    hub = Hub(database, broadcast_url, most_waiting=10)
    await hub.start()
    async with hub.subscribe(log.unit_id) as slow, hub.subscribe(log.unit_id) as quick:
        await log.score({})
        assert ids(await take(slow, 1)) == log.events
        for _ in range(30):
            await log.score({}, {})
            await take(quick, 2)
        received = await take(slow, 61)
        assert received[0] == Lagged(after=1)
        assert ids(received) == log.events[1:]
        await log.score({})
        assert ids(await take(slow, 1)) == log.events[-1:]
    await hub.stop()


async def test_what_waits_for_a_subscriber_that_reads_nothing_is_bounded(
    database: Database, broadcast_url: str, log: EventLog
) -> None:
    hub = Hub(database, broadcast_url, most_waiting=10)
    await hub.start()
    async with hub.subscribe(log.unit_id) as idle, hub.subscribe(log.unit_id) as quick:
        waiting = asyncio.ensure_future(anext(idle))  # it has begun to listen
        for _ in range(20):
            await log.score({}, {}, {})
        assert ids(await take(quick, 61)) == log.events
        clients = hub._feeds[log.unit_id].clients
        assert all(len(client._waiting) <= 10 for client in clients)
        await waiting
    await hub.stop()
