"""One unit's events on their way to the clients of this process: read once, handed to all."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from leadvibe import metrics
from leadvibe.live import log
from leadvibe.live.events import Cursor, Lagged, LiveEvent, Subscription
from leadvibe.live.publisher import last_seq_of
from leadvibe.store.database import Database


class Feed:
    """Follows a unit's event log. `position` is the last event handed out, `_target` the last known.

    `users`: how many subscriptions hold the feed, those that still wait for its start included.
    `look` is called when messages of the bus may have been lost.
    """

    def __init__(self, database: Database, unit_id: str, chunk: int, look: Callable[[], None]) -> None:
        self.unit_id, self.chunk, self._look = unit_id, chunk, look
        self.users = 0
        self.clients: set[Client] = set()
        self.position = self._target = 0
        self.closed = False
        self._database = database
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins behind the last event there is now."""
        self.position = (await log.last_seqs(self._database, [self.unit_id])).get(self.unit_id, 0)
        if not self.closed:
            self._task = asyncio.create_task(self._follow(), name=f"feed {self.unit_id}")

    def hear(self, message: str | None) -> None:
        """Takes a message of the bus."""
        if message is None:
            self._look()
        else:
            self.advance(last_seq_of(message))

    def advance(self, target: int) -> None:
        """There are events up to `target`."""
        self._target = max(self._target, target)
        self._wake.set()

    def close(self) -> None:
        """Ends the feed and the subscriptions of its clients."""
        self.closed = True
        if self._task is not None:
            self._task.cancel()
        for client in self.clients:
            client.wake()

    async def read(self, after: int, upto: int) -> list[LiveEvent]:
        """The next events of the log, at most a chunk of them."""
        return await log.read_events(self._database, self.unit_id, after, upto, self.chunk)

    async def _follow(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self.position < (upto := self._target):
                events = await self.read(self.position, upto)
                # From here to the next read nothing awaits: a client sees both or neither.
                self.position = events[-1].seq if len(events) == self.chunk else upto
                for client in self.clients:
                    client.offer(events)


class Client:
    """One subscriber. At most `most` events wait for it.

    While it is `_behind` nothing is handed to it: it reads the log by itself, at its own pace, until
    it has caught up with the feed. It changes sides without awaiting in between, so that no event is
    lost or comes twice.
    """

    def __init__(self, feed: Feed, after: Cursor | None, most: int) -> None:
        self._feed, self._most, self._resumed = feed, most, after
        self._waiting: deque[LiveEvent] = deque()
        self._wake = asyncio.Event()
        self._behind = after is not None
        self._lagged = False
        # The event of the cursor may have been shown in part: it is read again, and marked.
        self._position = feed.position if after is None else after.seq - 1

    def offer(self, events: Sequence[LiveEvent]) -> None:
        if self._behind:
            return
        if len(self._waiting) + len(events) > self._most:
            metrics.subscriber_lags.inc()
            metrics.subscriber_dropped.inc(len(self._waiting) + len(events))
            self._waiting.clear()
            self._behind = self._lagged = True
        else:
            self._waiting.extend(events)
        self._wake.set()

    def wake(self) -> None:
        self._wake.set()

    async def events(self) -> Subscription:
        while not self._feed.closed:
            if self._lagged:
                self._lagged = False
                yield Lagged(self._position)
            elif self._behind:
                async for event in self._catch_up():
                    yield event
            elif self._waiting:
                event = self._waiting.popleft()
                if event.seq > self._position:
                    self._position = event.seq
                    yield self._marked(event)
            else:
                self._wake.clear()
                await self._wake.wait()

    async def _catch_up(self) -> Subscription:
        feed = self._feed
        while self._position < (upto := feed.position):
            events = await feed.read(self._position, upto)
            for event in events:
                self._position = event.seq
                yield self._marked(event)
            if len(events) < feed.chunk:
                self._position = upto
        self._behind = False

    def _marked(self, event: LiveEvent) -> LiveEvent:
        if self._resumed is not None and self._resumed.seq == event.seq:
            return replace(event, seen=self._resumed.part, encoded={})
        return event
