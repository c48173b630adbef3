"""Reads that many requests ask for at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Coalesced(Generic[Key, Value]):
    """Reads values by their keys. Whoever asks while a read runs shares the next one.

    So an answer is never older than its question, as a cache's would be, and a flood of requests costs
    few queries.
    """

    def __init__(self, read: Callable[[Sequence[Key]], Awaitable[dict[Key, Value]]]) -> None:
        self._read = read
        # A future for each: one that goes away must not take the others with it.
        self._waiting: dict[Key, list[asyncio.Future[Value | None]]] = {}
        self._reader: asyncio.Task[None] | None = None

    async def get(self, key: Key) -> Value | None:
        """The value as it is now; None when there is none. Raises what the read raised."""
        future: asyncio.Future[Value | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(future)
        if self._reader is None:
            self._reader = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, {}
            try:
                found = await self._read(list(waiting))
            except Exception as error:
                for futures in waiting.values():
                    for future in futures:
                        if not future.done():
                            future.set_exception(error)
            else:
                for key, futures in waiting.items():
                    value = found.get(key)
                    for future in futures:
                        if not future.done():
                            future.set_result(value)
        self._reader = None
