"""Rescoring a unit as a job: it tells how far it is, can be cancelled, and is taken up where a process died."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg

from leadvibe.ids import new_id
from leadvibe.pipeline.rescore import Progress, next_leads, rescore_leads
from leadvibe.store import queue, rescore_jobs
from leadvibe.store.database import Database

# A rescoring that nobody has worked at for so long was left by a process that died.
_STALE = timedelta(minutes=1)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RescoreJob:
    """A rescoring that was asked for: its row is there, and `run` does it."""

    database: Database
    unit_id: str
    job_id: str
    total: int

    async def run(self, progress: Progress | None = None) -> int:
        """Rescores the leads behind the last one that is done, until all are or the job is cancelled; how many
        are done. `progress` hears of each group.

        Live scoring goes on between the groups. A group and the note of it are one transaction.
        """
        done, more = 0, True
        while more:
            before = done
            done, more = await self._step(done)
            if progress is not None and done > before:
                progress(done - before)
        return done

    async def run_alone(self) -> None:
        """The same with nobody waiting: when it fails, the log tells and the scheduler takes it up."""
        try:
            await self.run()
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            _log.warning("The rescoring %s of %s stopped, and is taken up again: %r", self.job_id, self.unit_id, error)

    async def _step(self, done: int) -> tuple[int, bool]:
        """Rescores a group; how many leads are done, and whether some may be left."""
        async with self.database.pool.acquire() as connection, connection.transaction():
            await queue.lock_lane(connection, self.unit_id, wait=True)
            job = await rescore_jobs.unfinished(connection, self.unit_id, self.job_id)
            if job is None:
                return done, False
            leads = await next_leads(connection, self.unit_id, job["last_subject"] or "")
            if leads:
                await rescore_leads(connection, self.unit_id, leads)
            await rescore_jobs.advance(connection, self.unit_id, self.job_id, leads, datetime.now(UTC))
        return job["done"] + len(leads), bool(leads)


async def begin(database: Database, unit_id: str, actor: str | None) -> RescoreJob:
    """Notes that a unit is to be rescored. `actor`: the member or credential, None on the command line."""
    job_id = new_id("job")
    total = await rescore_jobs.add(database, unit_id, job_id, actor, datetime.now(UTC))
    return RescoreJob(database, unit_id, job_id, total)


async def finish_stale(database: Database, now: datetime) -> str:
    """Takes up what a process that died has left."""
    jobs = await rescore_jobs.stale(database, now - _STALE)
    for job in jobs:
        await RescoreJob(database, job["unit_id"], job["job_id"], 0).run_alone()
    return f"{len(jobs)} unfinished rescorings were taken up."
