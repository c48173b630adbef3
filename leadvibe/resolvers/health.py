"""Is the server alive, and is it ready: database, queue and workers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import get_args

from asyncpg import InterfaceError, InternalClientError, PostgresError

from leadvibe import metrics
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.store import delivery_queue
from leadvibe.store.outbox import Channel
from leadvibe.store.queue import depth, pipeline_health

# A healthy worker takes a fresh event within milliseconds; a queue this old stands still.
_STANDS_STILL_SECONDS = 30

# The last two come from connections of the pool that broke while nobody looked.
_AWAY = (OSError, TimeoutError, PostgresError, InterfaceError, InternalClientError)


@dataclass(frozen=True, slots=True)
class Readiness:
    """`ready` when every part is; each part says "ok" or what is wrong with it."""

    ready: bool
    database: str
    queue: str
    workers: str


@operation(Permission.PUBLIC)
async def readiness(context: Context) -> Readiness:
    try:
        async with context.services.database.pool.acquire(timeout=2) as connection:
            health = await pipeline_health(connection, datetime.now(UTC))
    except _AWAY:
        return Readiness(False, "cannot be reached", "unknown", "unknown")
    age = health.oldest_age_seconds
    queue = "ok" if age < _STANDS_STILL_SECONDS else f"the oldest event has waited {age:.0f} s"
    workers = "ok" if health.workers else "no scoring worker is running"
    return Readiness(queue == workers == "ok", "ok", queue, workers)


async def measure(context: Context) -> None:
    """Brings the gauges of the queue up to date; without a database they keep what they were."""
    try:
        async with context.services.database.pool.acquire(timeout=2) as connection:
            health = await pipeline_health(connection, datetime.now(UTC))
            metrics.queue_depth.set(await depth(connection))
            waiting = await delivery_queue.waiting(connection)
    except _AWAY:
        return
    metrics.queue_lag.set(max(0.0, health.oldest_age_seconds))
    metrics.scoring_workers.set(health.workers)
    for channel in get_args(Channel):
        metrics.deliveries_waiting.labels(channel).set(waiting.get(channel, 0))
