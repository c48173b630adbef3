"""Deleting all events of a type in a unit."""

from __future__ import annotations

from dataclasses import dataclass

from leadvibe.errors import conflict, not_found
from leadvibe.pipeline import unit_job
from leadvibe.pipeline.event_type_deletion import DELETE_EVENT_TYPE
from leadvibe.pipeline.unit_job import UnitJob
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.resolvers.jobs import get_job
from leadvibe.resolvers.settings import PROTECTED_TYPES
from leadvibe.store import event_types, type_deletion
from leadvibe.store.tables import JobRecord


@dataclass(frozen=True, slots=True)
class TypeEvents:
    """A type's events, and event scores: what one of the events did in one ruleset."""

    events: int
    event_scores: int


@operation(Permission.READ)
async def preview_event_type_deletion(context: Context, event_type: str) -> TypeEvents:
    """What a deletion would delete. 404 for a type that the unit does not know."""
    unit_id = context.caller.unit_id
    async with context.services.database.session() as session:
        if not await event_types.exists(session, unit_id, event_type):
            raise not_found(f"Event type {event_type}")
        return TypeEvents(*await type_deletion.counted(session, unit_id, event_type))


@operation(Permission.WRITE)
async def delete_event_type_events(context: Context, event_type: str) -> TypeEvents:
    """Deletes them for good and rebuilds the scores of their leads, which stay; by then it is done. 404 as above,
    409 for a protected type. Should it be interrupted, the scheduler goes on."""
    job = await _begin(context, event_type)
    await job.run()
    counts = (await get_job(context, job.job_id)).counts
    return TypeEvents(counts.get("events_deleted", 0), counts.get("event_scores_deleted", 0))


@operation(Permission.WRITE)
async def begin_event_type_deletion(context: Context, event_type: str) -> JobRecord:
    """The same as a job, which has only begun when this returns."""
    job = await _begin(context, event_type)
    record = await get_job(context, job.job_id)
    context.services.background.start(job.run_alone())
    return record


async def _begin(context: Context, event_type: str) -> UnitJob:
    there = await preview_event_type_deletion(context, event_type)
    if event_type in PROTECTED_TYPES:
        raise conflict(f"Events of the type {event_type} are the server's own and stay.", "protected_event_type")
    caller = context.caller
    database = context.services.database
    return await unit_job.begin(database, DELETE_EVENT_TYPE, caller.unit_id, caller.actor, event_type, there.events)
