"""Broadcaster with what a long-lived process needs besides: turns, supervision, reconnection.

Broadcaster's PostgreSQL backend has one connection, which takes one statement at a time, and a backend
whose listener died says nothing. So operations take turns here, and a ping that does not come back
makes a new connection. Messages may be lost meanwhile; hearers are told that they may have been.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress

from broadcaster import Broadcast

from leadvibe.ids import new_id

_log = logging.getLogger(__name__)

# How long a dead connection can go unnoticed; the hub's polling bounds the delay of a message anyway.
_PING_SECONDS = 2.0
_OPERATION_SECONDS = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0

# Gets a message; None means that messages may have been lost.
Hearer = Callable[[str | None], None]

_in_memory: dict[str, Bus] = {}


def bus_of(url: str) -> Bus:
    """The bus of a URL. In memory there is one for the whole process, or nobody would hear anybody."""
    if url.startswith("memory:"):
        return _in_memory.setdefault(url, Bus(url))
    return Bus(url)


class Bus:
    """A connection to the message broker. Usable by several owners: each connects and closes once."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._owners = 0
        self._turn = asyncio.Lock()
        self._broadcast: Broadcast | None = None
        self._hearers: dict[str, Hearer] = {}
        self._subscriptions: dict[str, AsyncExitStack] = {}
        self._ping_channel, self._pong = new_id("ping"), asyncio.Event()
        self._watch: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        async with self._turn:
            self._owners += 1
            if self._broadcast is None:
                await self._open()

    async def close(self) -> None:
        async with self._turn:
            self._owners -= 1
            if self._owners == 0:
                if self._watch is not None:
                    self._watch.cancel()
                    self._watch = None
                self._hearers.clear()
                await self._drop()

    async def publish(self, channel: str, message: str) -> None:
        """Sends a message; a broken connection is replaced once before the backend's error is raised."""
        async with self._turn:
            try:
                await self._send(channel, message)
            except Exception as error:
                _log.warning("Publishing failed, connecting anew: %r", error)
                await self._reopen()
                await self._send(channel, message)

    async def hear(self, channel: str, hearer: Hearer) -> None:
        """From when this returns, `hearer` gets the channel's messages. There is one for each channel."""
        async with self._turn:
            self._hearers[channel] = hearer
            if self._watch is None:
                self._hearers[self._ping_channel] = lambda _: self._pong.set()
                self._watch = asyncio.create_task(self._keep_alive(), name="bus watch")
                await self._listen(self._ping_channel)
            await self._listen(channel)

    async def unhear(self, channel: str, hearer: Hearer) -> None:
        """Ends what `hear` began, unless another hearer has taken the channel over."""
        async with self._turn:
            if self._hearers.get(channel) == hearer:
                del self._hearers[channel]
                if subscription := self._subscriptions.pop(channel, None):
                    await _quietly(subscription)

    async def _open(self) -> None:
        broadcast = Broadcast(self._url)
        async with asyncio.timeout(_OPERATION_SECONDS):
            await broadcast.connect()
        self._broadcast = broadcast

    async def _send(self, channel: str, message: str) -> None:
        if self._broadcast is None:
            raise ConnectionError("The message broker is not connected.")
        async with asyncio.timeout(_OPERATION_SECONDS):
            await self._broadcast.publish(channel, message)

    async def _listen(self, channel: str) -> None:
        """Subscribes where there is a connection; where there is none, the next one brings it along."""
        if self._broadcast is None or channel in self._subscriptions:
            return
        stack = AsyncExitStack()
        try:
            async with asyncio.timeout(_OPERATION_SECONDS):
                subscriber = await stack.enter_async_context(self._broadcast.subscribe(channel))
        except Exception as error:
            _log.warning("Subscribing failed, the next ping will connect anew: %r", error)
            return

        async def drain() -> None:
            # The library's queue has no bound: a hearer must not wait.
            while True:
                event = await subscriber.get()
                if hearer := self._hearers.get(channel):
                    hearer(event.message)

        task = asyncio.create_task(drain(), name=f"bus {channel}")
        stack.callback(task.cancel)
        self._subscriptions[channel] = stack

    async def _drop(self) -> None:
        broadcast, self._broadcast = self._broadcast, None
        subscriptions, self._subscriptions = self._subscriptions, {}
        for subscription in subscriptions.values():
            await _quietly(subscription)
        if broadcast is not None:
            # Gathered: what a dead listener raises here, a cancellation included, is its own affair.
            with suppress(TimeoutError):
                async with asyncio.timeout(_OPERATION_SECONDS):
                    await asyncio.gather(broadcast.disconnect(), return_exceptions=True)

    async def _reopen(self) -> None:
        await self._drop()
        await self._open()
        for channel in self._hearers:
            await self._listen(channel)
        for hearer in self._hearers.values():
            hearer(None)

    async def _keep_alive(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            await asyncio.sleep(_PING_SECONDS)
            if await self._ping():
                pause = _FIRST_PAUSE
                continue
            try:
                async with self._turn:
                    await self._reopen()
            except Exception as error:
                _log.warning("The message broker is away, next try in %.1f s: %r", pause, error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def _ping(self) -> bool:
        self._pong.clear()
        try:
            async with self._turn:
                await self._send(self._ping_channel, "")
            async with asyncio.timeout(_PING_SECONDS):
                await self._pong.wait()
        except Exception as error:
            _log.warning("The message broker does not answer: %r", error)
            return False
        return True


async def _quietly(subscription: AsyncExitStack) -> None:
    with suppress(Exception):  # a broken connection cannot unsubscribe, and need not
        async with asyncio.timeout(_OPERATION_SECONDS):
            await subscription.aclose()
