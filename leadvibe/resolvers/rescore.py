"""Rescoring all leads of a unit with today's configuration."""

from __future__ import annotations

from leadvibe.pipeline.rescore import RESCORE
from leadvibe.pipeline.rescore_preview import RescorePreview, preview
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.resolvers.jobs import begin_unit_job
from leadvibe.store.tables import JobRecord


@operation(Permission.WRITE)
async def rescore(context: Context) -> JobRecord:
    """Begins to rescore the unit; the job has only begun when this returns."""
    return await begin_unit_job(context, RESCORE)


@operation(Permission.READ)
async def preview_rescore(context: Context) -> RescorePreview:
    """What `rescore` would change, without changing anything."""
    return await preview(context.services.database, context.caller.unit_id)
