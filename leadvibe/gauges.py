"""Looks now and then at what an API process has in use, for its gauges."""

from __future__ import annotations

import asyncio
from typing import cast

from sqlalchemy import QueuePool

from leadvibe import metrics
from leadvibe.pipeline.buffer import IngestBuffer
from leadvibe.store.database import Database

# In the processes of a machine any one of them answers for all, so that each must have looked before.
_SECONDS = 2.0


async def keep_looking(database: Database, buffer: IngestBuffer) -> None:
    """Until it is cancelled."""
    while True:
        look(database, buffer)
        await asyncio.sleep(_SECONDS)


def look(database: Database, buffer: IngestBuffer) -> None:
    """The connections of both pools, by their state, and the events that wait for a commit."""
    pool = database.pool
    entities = cast(QueuePool, database.engine.pool)
    _tell("events", pool.get_size() - pool.get_idle_size(), pool.get_idle_size())
    _tell("entities", entities.checkedout(), entities.checkedin())
    metrics.ingest_waiting.set(buffer.waiting)


def _tell(pool: str, used: int, idle: int) -> None:
    metrics.pool_connections.labels(pool, "used").set(used)
    metrics.pool_connections.labels(pool, "idle").set(idle)
