"""Fit scoring: properties that events bring along, and scores of leads and accounts that follow from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from leadvibe.scoring.fit import FitConfig, mapped
from leadvibe.store import fit_state, queue, segment_members, unit_config
from leadvibe.store.database import Database
from leadvibe.store.fit_state import ACCOUNT, PROFILE, Surface
from leadvibe.store.queue import AnyConnection

# Leads or accounts of one transaction, for whose time live scoring of the unit waits.
ROWS_AT_ONCE = 2_000


async def take_in(
    connection: AnyConnection,
    surface: Surface,
    unit_id: str,
    config: FitConfig,
    heard: Mapping[str, Sequence[Mapping[str, Any]]],
    now: datetime,
) -> None:
    """Maps the metadata of events (lead or account → in their order) to properties and rescores whom it changed."""
    before = await fit_state.load(connection, surface, unit_id, list(heard))
    after = dict(before)
    for row_id in before:
        for metadata in heard[row_id]:
            after[row_id] = mapped(config.mappings, metadata, after[row_id])
    changed = {row_id: properties for row_id, properties in after.items() if properties != before[row_id]}
    if changed:
        await fit_state.save(connection, surface, unit_id, config, changed, now)
    if changed and surface is ACCOUNT:  # leads that the batch itself may not have touched
        await segment_members.touch_rows(connection, unit_id, surface, changed)


async def rescore_profiles(connection: AnyConnection, unit_id: str, lead_ids: Sequence[str], now: datetime) -> None:
    """Rescores some leads, in the caller's transaction, which holds the unit's lane."""
    config = await unit_config.load_fit(connection, unit_id, PROFILE.name)
    leads = await fit_state.load(connection, PROFILE, unit_id, lead_ids)
    await fit_state.save(connection, PROFILE, unit_id, config, leads, now)
    await segment_members.touch(connection, unit_id, leads)


async def rescore_outdated(database: Database, surface: Surface, now: datetime) -> int:
    """Rescores the surface of every unit whose rules changed; the number of leads or accounts that changed."""
    async with database.pool.acquire() as connection:
        units = await fit_state.outdated(connection, surface)
    return sum([await _rescore_unit(database, surface, unit_id, units[unit_id], now) for unit_id in sorted(units)])


async def _rescore_unit(database: Database, surface: Surface, unit_id: str, version: int, now: datetime) -> int:
    """Group by group, each with the rules of its moment. A change of the rules meanwhile raises the version
    beyond what is then done, so that the next run begins anew."""
    changed, after = 0, ""
    while True:
        async with database.pool.acquire() as connection, connection.transaction():
            await queue.lock_lane(connection, unit_id, wait=True)
            rows = await fit_state.next_page(connection, surface, unit_id, after, ROWS_AT_ONCE)
            if not rows:
                await fit_state.mark_done(connection, surface, unit_id, version)
                return changed
            config = await unit_config.load_fit(connection, unit_id, surface.name)
            changed += await fit_state.save(connection, surface, unit_id, config, rows, now)
            await segment_members.touch_rows(connection, unit_id, surface, rows)
        after = max(rows)
