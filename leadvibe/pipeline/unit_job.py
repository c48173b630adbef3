"""Work that goes through a unit step by step, as a job: it tells how far it is, can be cancelled, and is taken
up where a process died."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import asyncpg

from leadvibe.ids import new_id
from leadvibe.store import queue, unit_jobs
from leadvibe.store.database import Database
from leadvibe.store.queue import AnyConnection

# A job that nobody has worked at for so long was left by a process that died.
_STALE = timedelta(minutes=1)

_log = logging.getLogger(__name__)

Progress = Callable[[int], None]


class Place(NamedTuple):
    """Where a job is: `after` is the last subject that is done ("" at the start), `up_to_seq` the last event that
    the unit had when the job was asked for, `now` the time of the step. `subject`: what of the unit the job is
    about, "" is all."""

    after: str
    up_to_seq: int
    now: datetime
    subject: str = ""


class Step(NamedTuple):
    """What a step did: `last` is the last subject that is done now, or None when nothing was left to do; `done`
    says of how many, `counts` what it counted by name."""

    last: str | None
    done: int = 0
    counts: Mapping[str, int] = {}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of work. `step` does some of it, in the transaction that holds the unit's lane and notes the step.
    `counts` names what it counts. Subjects are leads, or events (`of_events`)."""

    name: str
    step: Callable[[AnyConnection, str, Place], Awaitable[Step]]
    counts: tuple[str, ...] = ()
    of_events: bool = False


@dataclass(frozen=True, slots=True)
class UnitJob:
    """A job that was asked for: its row is there, and `run` does it."""

    database: Database
    kind: Kind
    unit_id: str
    job_id: str
    total: int = 0

    async def run(self, progress: Progress | None = None) -> int:
        """Works behind what is done until all is or the job is cancelled; how much is done. `progress` hears of
        each step.

        Live scoring goes on between the steps. A step and the note of it are one transaction.
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
            _log.warning("The job %s of %s stopped, and is taken up again: %r", self.job_id, self.unit_id, error)

    async def _step(self, done: int) -> tuple[int, bool]:
        """Does a step; how much is done, and whether some may be left."""
        now = datetime.now(UTC)
        async with self.database.pool.acquire() as connection, connection.transaction():
            await queue.lock_lane(connection, self.unit_id, wait=True)
            job = await unit_jobs.unfinished(connection, self.unit_id, self.job_id)
            if job is None:
                return done, False
            place = Place(job["last_subject"] or "", job["up_to_seq"], now, job["subject"])
            step = await self.kind.step(connection, self.unit_id, place)
            done = job["done"] + step.done
            counts = Counter(dict.fromkeys(self.kind.counts, 0) | job["counts"])
            counts.update(step.counts)
            await unit_jobs.advance(connection, self.unit_id, self.job_id, step.last, done, counts, now)
        return done, step.last is not None


async def begin(
    database: Database, kind: Kind, unit_id: str, actor: str | None, subject: str = "", total: int | None = None
) -> UnitJob:
    """Notes that a unit's work is to be done. `actor`: the member or credential, None on the command line;
    `subject`: what of the unit the work is about, if not all, and `total` how much that is."""
    job_id, now = new_id("job"), datetime.now(UTC)
    total = await unit_jobs.add(database, unit_id, job_id, kind.name, kind.of_events, actor, now, subject, total)
    return UnitJob(database, kind, unit_id, job_id, total)


async def finish_stale(database: Database, kinds: Sequence[Kind], now: datetime) -> str:
    """Takes up what a process that died has left."""
    by_name = {kind.name: kind for kind in kinds}
    jobs = await unit_jobs.stale(database, list(by_name), now - _STALE)
    for job in jobs:
        await UnitJob(database, by_name[job["kind"]], job["unit_id"], job["job_id"]).run_alone()
    return f"{len(jobs)} unfinished jobs were taken up."
