"""Deleting a lead, and how far that is."""

from __future__ import annotations

from sqlmodel import col, select

from leadvibe.errors import not_found
from leadvibe.pipeline import lead_deletion
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.store.tables import JobRecord


@operation(Permission.WRITE)
async def delete_lead(context: Context, lead_id: str) -> JobRecord:
    """Hides the lead and begins to remove it and all that belongs to it; not to be undone. 404 when the
    unit has no such lead, or is deleting it already."""
    services, caller = context.services, context.caller
    job_id = await lead_deletion.begin(services.database, caller.unit_id, lead_id, caller.actor)
    job = await get_lead_deletion(context, lead_id)
    services.background.start(lead_deletion.finish(services.database, caller.unit_id, job_id))
    return job


@operation(Permission.READ)
async def get_lead_deletion(context: Context, lead_id: str) -> JobRecord:
    """The latest deletion of a lead, also long after it is gone; 404 when none was asked for."""
    query = (
        select(JobRecord)
        .where(JobRecord.unit_id == context.caller.unit_id, JobRecord.kind == lead_deletion.KIND)
        .where(JobRecord.subject == lead_id)
        .order_by(col(JobRecord.created_at).desc())
    )
    async with context.services.database.session() as session:
        job = (await session.exec(query.limit(1))).first()
    if job is None:
        raise not_found(f"A deletion of the lead {lead_id}")
    return job
