"""Rescoring all leads of a unit with today's configuration."""

from __future__ import annotations

from datetime import UTC, datetime

from leadvibe.errors import ApiError
from leadvibe.pipeline import rescore_job
from leadvibe.pipeline.rescore_preview import RescorePreview, preview
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.resolvers.jobs import get_job
from leadvibe.store import rescore_jobs
from leadvibe.store.tables import JobRecord


@operation(Permission.WRITE)
async def rescore(context: Context) -> JobRecord:
    """Begins to rescore the unit; the job has only begun when this returns."""
    job = await rescore_job.begin(context.services.database, context.caller.unit_id, context.caller.actor)
    record = await get_job(context, job.job_id)
    context.services.background.start(job.run_alone())
    return record


@operation(Permission.WRITE)
async def cancel_job(context: Context, job_id: str) -> JobRecord:
    """Cancels a rescoring: what is done stays, and the rest keeps its scores. 404 for an unknown job, 409 for one
    that has ended or cannot be cancelled."""
    job = await get_job(context, job_id)
    if not await rescore_jobs.cancel(context.services.database, job.unit_id, job_id, datetime.now(UTC)):
        text = "Only a rescoring that has not ended can be cancelled."
        raise ApiError(409, "not_cancellable", text)
    return await get_job(context, job_id)


@operation(Permission.READ)
async def preview_rescore(context: Context) -> RescorePreview:
    """What `rescore` would change, without changing anything."""
    return await preview(context.services.database, context.caller.unit_id)
