"""Work that outlives its request, and how far it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime

from leadvibe.errors import ApiError, not_found
from leadvibe.pipeline import unit_job
from leadvibe.pipeline.unit_job import Kind
from leadvibe.pipeline.unit_jobs import KINDS
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.store import unit_jobs
from leadvibe.store.tables import JobRecord

# The process that works may be another one: its progress is read from the database.
_LOOK_SECONDS = 0.5
_ENDED = ("completed", "failed", "cancelled")


@operation(Permission.READ)
async def get_job(context: Context, job_id: str) -> JobRecord:
    """The unit's job; 404 when there is none of this id."""
    async with context.services.database.session() as session:
        job = None if "\0" in job_id else await session.get(JobRecord, (context.caller.unit_id, job_id))
    if job is None:
        raise not_found(f"Job {job_id}")
    return job


@operation(Permission.READ)
async def follow_job(context: Context, job_id: str) -> AsyncIterator[JobRecord]:
    """The job as it is, and again whenever it has gone on; the last one has ended. 404 as above."""
    return _follow(context, await get_job(context, job_id))


async def begin_unit_job(context: Context, kind: Kind) -> JobRecord:
    """Begins such a job for the caller's unit; permission to do so is the caller's matter."""
    caller = context.caller
    job = await unit_job.begin(context.services.database, kind, caller.unit_id, caller.actor)
    record = await get_job(context, job.job_id)
    context.services.background.start(job.run_alone())
    return record


@operation(Permission.WRITE)
async def cancel_job(context: Context, job_id: str) -> JobRecord:
    """Cancels a rescoring or a backfill: what is done stays, and the rest is left as it was. 404 for an unknown job,
    409 for one that has ended or cannot be cancelled."""
    job = await get_job(context, job_id)
    kinds = [kind.name for kind in KINDS]
    if not await unit_jobs.cancel(context.services.database, job.unit_id, job_id, kinds, datetime.now(UTC)):
        text = "Only a rescoring or a backfill that has not ended can be cancelled."
        raise ApiError(409, "not_cancellable", text)
    return await get_job(context, job_id)


async def _follow(context: Context, job: JobRecord) -> AsyncIterator[JobRecord]:
    yield job
    stopping = context.services.hub.hung_up
    while job.status not in _ENDED and not stopping.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_SECONDS):
                await stopping.wait()
        before, job = job, await get_job(context, job.job_id)
        if (job.status, job.updated_at) != (before.status, before.updated_at):
            yield job
