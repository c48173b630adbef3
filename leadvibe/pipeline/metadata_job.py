"""The job that makes metadata values findable, a block of events at a time."""

from __future__ import annotations

from datetime import datetime

from leadvibe.store import metadata_terms
from leadvibe.store.database import Database

# A unit's blocks of one run, which other jobs wait for.
_BLOCKS_AT_ONCE = 16


async def index_metadata(database: Database, now: datetime) -> str:
    """Adds the next blocks of each unit; says how many. Each is a transaction: who comes next goes on behind it."""
    async with database.pool.acquire() as connection:
        added = 0
        for unit_id in await metadata_terms.units_behind(connection, now):
            for _ in range(_BLOCKS_AT_ONCE):
                async with connection.transaction():
                    if not await metadata_terms.add_block(connection, unit_id):
                        break
                added += 1
    return f"The metadata of {added} blocks of events can be found."
