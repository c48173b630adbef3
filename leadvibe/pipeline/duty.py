"""Being at work over one database connection until told to stop, whatever becomes of the database."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import asyncpg

_FIRST_BACKOFF_SECONDS, _LONGEST_BACKOFF_SECONDS = 0.1, 10.0

_log = logging.getLogger(__name__)


async def stay_at_work(
    connect: Callable[[], Awaitable[Any]],
    work: Callable[[Any, asyncio.Task[bool]], Awaitable[None]],
    stop: asyncio.Event,
) -> None:
    """Does `work` over a connection until `stop` is set; a database that goes away is waited for. `work` is given
    the connection, and a task that ends with `stop`."""
    backoff = _FIRST_BACKOFF_SECONDS
    stopped = asyncio.create_task(stop.wait())
    try:
        while not stop.is_set():
            began = time.monotonic()
            try:
                connection = await connect()
                try:
                    await work(connection, stopped)
                finally:
                    await connection.close(timeout=5)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                if time.monotonic() - began > _LONGEST_BACKOFF_SECONDS:  # it went well for a while
                    backoff = _FIRST_BACKOFF_SECONDS
                _log.warning("The database failed (%r); trying again in %.1f s.", error, backoff)
                await asyncio.wait({stopped}, timeout=backoff)
                backoff = min(backoff * 2, _LONGEST_BACKOFF_SECONDS)
    finally:
        stopped.cancel()
        with suppress(asyncio.CancelledError):
            await stopped


async def wait_for_either(woken: asyncio.Event, stopped: asyncio.Task[bool], most_seconds: float) -> None:
    """Until there may be work, until the stop, or at most so long: a wake-up may be lost."""
    waking = asyncio.create_task(woken.wait())
    await asyncio.wait({waking, stopped}, timeout=most_seconds, return_when=asyncio.FIRST_COMPLETED)
    waking.cancel()
