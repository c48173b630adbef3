"""The subscriptions of one API process: a feed for each unit that has clients."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from leadvibe import metrics
from leadvibe.live import log
from leadvibe.live.bus import bus_of
from leadvibe.live.events import Cursor, Lagged, LiveEvent, Subscription
from leadvibe.live.feed import Client, Feed
from leadvibe.live.publisher import announce, channel_of
from leadvibe.store.database import Database

__all__ = ["Hub", "Lagged", "LiveEvent", "Subscription"]

_log = logging.getLogger(__name__)

# How late a change can come when its message was lost.
_POLL_SECONDS = 5.0
# Events that may wait for a slow client; beyond that it reads the log by itself.
_MOST_WAITING = 1_000


class Hub:
    """Hands each unit's scored events to that unit's subscribers.

    The bus only says how far a log has grown. Its messages may be lost: the hub looks for itself every
    few seconds, and at once when the bus had to connect anew.
    """

    def __init__(self, database: Database, broadcast_url: str, most_waiting: int = _MOST_WAITING) -> None:
        self._database, self._most_waiting = database, most_waiting
        self._bus = bus_of(broadcast_url)
        self._feeds: dict[str, Feed] = {}
        self._starts: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._look = asyncio.Event()
        self._woken: set[asyncio.Event] = set()
        self.hung_up = asyncio.Event()

    async def start(self) -> None:
        await self._bus.connect()
        self._spawn(self._poll())

    async def publish(self, unit_id: str, from_seq: int, to_seq: int) -> None:
        """Tells every process' subscribers of events that this one has written and committed."""
        await announce(self._bus, unit_id, from_seq, to_seq)

    @asynccontextmanager
    async def wakes(self, unit_id: str) -> AsyncIterator[asyncio.Event]:
        """An event that is set when something was written in the unit, or may have been, and when the hub
        hangs up. A message may be lost: whoever waits looks for himself now and then."""
        woken = asyncio.Event()

        def hear(message: str | None) -> None:
            woken.set()

        self._woken.add(woken)
        try:
            await self._bus.hear(channel_of(unit_id), hear)
            yield woken
        finally:
            self._woken.discard(woken)
            self._spawn(self._bus.unhear(channel_of(unit_id), hear))

    def hang_up(self) -> None:
        """Ends every subscription. Open streams would hold up a server that wants to stop."""
        self.hung_up.set()
        for woken in self._woken:
            woken.set()
        for feed in self._feeds.values():
            feed.close()

    async def stop(self) -> None:
        self.hang_up()
        for task in self._tasks:
            task.cancel()
        for feed in list(self._feeds.values()):
            await self._bus.unhear(channel_of(feed.unit_id), feed.hear)
        self._feeds.clear()
        await self._bus.close()

    @asynccontextmanager
    async def subscribe(self, unit_id: str, after: str | None = None) -> AsyncIterator[Subscription]:
        """The unit's events from now on, or from behind the cursor `after` on: each once, in order.

        The iterator ends when the hub hangs up. Raises 400 for what is not a cursor.
        """
        cursor = None if after is None else Cursor.parse(after)
        feed = self._feed(unit_id)
        try:
            # Shielded: a client that leaves now must not take the others' feed with it.
            await asyncio.shield(self._starts[unit_id])
            if cursor is not None and cursor.seq > feed.position:
                cursor = await self._checked(unit_id, cursor)
            client = Client(feed, cursor, self._most_waiting)
            feed.clients.add(client)
            metrics.subscribers.inc()
            try:
                yield client.events()
            finally:
                metrics.subscribers.dec()
                feed.clients.discard(client)
        finally:
            self._leave(feed)

    def _feed(self, unit_id: str) -> Feed:
        feed = self._feeds.get(unit_id)
        if feed is None:
            feed = Feed(self._database, unit_id, min(log.CHUNK, self._most_waiting), self._look.set)
            self._feeds[unit_id] = feed
            self._starts[unit_id] = self._spawn(self._begin(feed))
        feed.users += 1
        return feed

    async def _begin(self, feed: Feed) -> None:
        # First the ear, then the look at the log: what is committed in between is heard of.
        await self._bus.hear(channel_of(feed.unit_id), feed.hear)
        await feed.start()

    def _leave(self, feed: Feed) -> None:
        # Nothing awaits here: a client that went away is cancelled, and could not finish.
        feed.users -= 1
        if feed.users == 0 and self._feeds.get(feed.unit_id) is feed:
            del self._feeds[feed.unit_id], self._starts[feed.unit_id]
            feed.close()
            self._spawn(self._bus.unhear(channel_of(feed.unit_id), feed.hear))

    async def _checked(self, unit_id: str, cursor: Cursor) -> Cursor | None:
        """The cursor, unless it names an event that does not exist (the database is an older one)."""
        last = await log.last_seqs(self._database, [unit_id])
        return cursor if cursor.seq <= last.get(unit_id, 0) else None

    async def _poll(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._look.wait()
            self._look.clear()
            if not self._feeds:
                continue
            try:
                found = await log.last_seqs(self._database, list(self._feeds))
            except log.AWAY as error:
                _log.warning("Looking for new events failed: %s", error)
                continue
            for unit_id, last_seq in found.items():
                if feed := self._feeds.get(unit_id):
                    feed.advance(last_seq)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
