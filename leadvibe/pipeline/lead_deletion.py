"""Deleting a lead: hidden at once, removed piece by piece, picked up again where a process died.

What is deleted is what the lead had when its deletion was asked for. An event that is scored after that
is no part of it: when all else is gone, the lead begins anew with these events. So an accepted event is
never lost, and the worker needs to know nothing of deletions.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import asyncpg

from leadvibe.errors import not_found
from leadvibe.ids import new_id
from leadvibe.pipeline.fit import rescore_profiles
from leadvibe.pipeline.rescore import rescore_leads
from leadvibe.store import deletion, event_log, queue, segment_members
from leadvibe.store.database import Database
from leadvibe.store.queue import AnyConnection

KIND = "lead_deletion"

# How many events go in one transaction, for whose time live scoring of the unit waits.
EVENTS_AT_ONCE = 5_000
# A deletion that nobody has worked at for so long was left by a process that died.
_STALE = timedelta(minutes=1)

_log = logging.getLogger(__name__)


async def begin(database: Database, unit_id: str, lead_id: str, actor: str) -> str:
    """Hides the lead, removes what belongs to it but its events, and notes the job; its id. 404 when the
    unit has no such lead. The leads that were merged into it go with it."""
    now, job_id = datetime.now(UTC), new_id("job")
    async with database.pool.acquire() as connection, connection.transaction():
        lane = await queue.lock_lane(connection, unit_id, wait=True)
        assert lane is not None, "a unit has a lane"
        lead = await deletion.mark_deleting(connection, unit_id, lead_id, now)
        if lead is None:
            raise not_found(f"Lead {lead_id}")
        await deletion.remove_merged(connection, unit_id, lead_id)
        await deletion.remove_belongings(connection, unit_id, lead_id)
        await segment_members.touch(connection, unit_id, [lead_id])
        await deletion.add_job(connection, unit_id, job_id, lead_id, lane.last_seq, actor, now)
        counted = lead["merged_into"] is None
        await queue.advance_lane(connection, unit_id, lane.last_seq, -1 if counted else 0)
    return job_id


async def finish(database: Database, unit_id: str, job_id: str) -> None:
    """Works until the lead is gone. A failure is noted in the job, and the scheduler tries again."""
    try:
        while not await _step(database, unit_id, job_id):
            pass
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        _log.warning("The deletion %s of %s stopped, and will be taken up again: %r", job_id, unit_id, error)
        await _note_failure(database, unit_id, job_id)


async def finish_stale(database: Database, now: datetime) -> str:
    """Takes up what a process that died, or a failure, has left."""
    async with database.pool.acquire() as connection:
        jobs = await deletion.stale(connection, now - _STALE)
    for job in jobs:
        await finish(database, job["unit_id"], job["job_id"])
    return f"{len(jobs)} unfinished deletions of leads were taken up."


async def _step(database: Database, unit_id: str, job_id: str) -> bool:
    """Removes some of the events, and with the last of them the lead; True when there is nothing left to do."""
    now = datetime.now(UTC)
    async with database.pool.acquire() as connection, connection.transaction():
        lane = await queue.lock_lane(connection, unit_id, wait=True)
        job = await deletion.unfinished(connection, unit_id, job_id)
        if lane is None or job is None:
            return True
        removed = await deletion.remove_events(connection, unit_id, job["subject"], job["up_to_seq"], EVENTS_AT_ONCE)
        await event_log.count_events(connection, unit_id, {day: -count for day, count in removed.items()})
        last = removed.total() < EVENTS_AT_ONCE
        if last:
            revived = await _end(connection, unit_id, job["subject"], now)
            await queue.advance_lane(connection, unit_id, lane.last_seq, revived)
        await deletion.advance_job(
            connection, unit_id, job_id, "completed" if last else "running", removed.total(), now
        )
    return last


async def _end(connection: AnyConnection, unit_id: str, lead_id: str, now: datetime) -> int:
    """Removes the lead, or lets it begin anew with the events that came meanwhile; how many leads came back."""
    if await deletion.has_events(connection, unit_id, lead_id):
        await deletion.revive_lead(connection, unit_id, lead_id, now)
        await rescore_leads(connection, unit_id, [lead_id])
        await rescore_profiles(connection, unit_id, [lead_id], now)
        return 1
    await deletion.remove_belongings(connection, unit_id, lead_id)
    await deletion.remove_lead(connection, unit_id, lead_id)
    return 0


async def _note_failure(database: Database, unit_id: str, job_id: str) -> None:
    try:
        async with database.pool.acquire() as connection:
            text = "The database refused; the deletion will be tried again."
            await deletion.advance_job(connection, unit_id, job_id, "failed", 0, datetime.now(UTC), text)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        _log.warning("The deletion %s could not be marked as failed either.", job_id)
