"""Profile scoring: properties that events bring along, and scores that follow from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from leadvibe.scoring.fit import FitConfig, mapped
from leadvibe.store import profiles, queue, unit_config
from leadvibe.store.database import Database
from leadvibe.store.queue import AnyConnection

# Leads of one transaction, for whose time live scoring of the unit waits.
_LEADS_AT_ONCE = 2_000


async def take_in(
    connection: AnyConnection,
    unit_id: str,
    config: FitConfig,
    heard: Mapping[str, Sequence[Mapping[str, Any]]],
    now: datetime,
) -> None:
    """Maps the metadata of events (lead → in their order) to properties and rescores whom it changed."""
    before = await profiles.load(connection, unit_id, list(heard))
    after = dict(before)
    for lead_id, events in heard.items():
        for metadata in events:
            after[lead_id] = mapped(config.mappings, metadata, after[lead_id])
    changed = {lead_id: properties for lead_id, properties in after.items() if properties != before[lead_id]}
    if changed:
        await profiles.save(connection, unit_id, config, changed, now)


async def rescore_profiles(connection: AnyConnection, unit_id: str, lead_ids: Sequence[str], now: datetime) -> None:
    """Rescores some leads, in the caller's transaction, which holds the unit's lane."""
    config = await unit_config.load_profile(connection, unit_id)
    await profiles.save(connection, unit_id, config, await profiles.load(connection, unit_id, lead_ids), now)


async def rescore_outdated(database: Database, now: datetime) -> int:
    """Rescores the profiles of every unit whose rules changed; the number of leads whose score changed."""
    changed = 0
    for row in await database.pool.fetch("SELECT unit_id FROM lanes WHERE profile_done < profile_version"):
        changed += await _rescore_unit(database, row["unit_id"], now)
    return changed


async def _rescore_unit(database: Database, unit_id: str, now: datetime) -> int:
    """Group by group, each with the rules of its moment. A change of the rules meanwhile raises the version
    beyond what is then done, so that the next run begins anew."""
    version = await database.pool.fetchval("SELECT profile_version FROM lanes WHERE unit_id = $1", unit_id)
    changed, after = 0, ""
    while True:
        async with database.pool.acquire() as connection, connection.transaction():
            await queue.lock_lane(connection, unit_id, wait=True)
            leads = await profiles.next_page(connection, unit_id, after, _LEADS_AT_ONCE)
            if not leads:
                await connection.execute(
                    "UPDATE lanes SET profile_done = greatest(profile_done, $2) WHERE unit_id = $1", unit_id, version
                )
                return changed
            config = await unit_config.load_profile(connection, unit_id)
            changed += await profiles.save(connection, unit_id, config, leads, now)
        after = max(leads)
