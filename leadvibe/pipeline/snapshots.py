"""The hourly job that remembers scores."""

from __future__ import annotations

from datetime import datetime

from leadvibe.store import snapshots
from leadvibe.store.database import Database


async def take_snapshots(database: Database, now: datetime) -> str:
    """Takes each unit's snapshots and forgets the old ones; says how many."""
    taken = forgotten = 0
    for unit in await database.pool.fetch("SELECT unit_id FROM lanes"):
        async with database.pool.acquire() as connection, connection.transaction():
            taken += await snapshots.take(connection, unit["unit_id"], now)
        forgotten += await snapshots.forget(database.pool, unit["unit_id"], now)
    return f"{taken} scores had changed and are remembered; {forgotten} old snapshots are gone."
