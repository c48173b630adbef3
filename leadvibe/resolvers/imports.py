"""Importing files of events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

from leadvibe.errors import ApiError
from leadvibe.pipeline import import_job
from leadvibe.pipeline.buffer import Receipt
from leadvibe.pipeline.csv_import import Accept, ImportReport
from leadvibe.pipeline.events import IncomingEvent
from leadvibe.pipeline.import_job import ImportJob
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.resolvers.jobs import get_job
from leadvibe.store.tables import JobRecord


@operation(Permission.WRITE)
async def import_events(
    context: Context, file_name: str, chunks: AsyncIterator[bytes], skip_triggers: bool
) -> tuple[str, ImportReport]:
    """Accepts the rows of a CSV file; bad rows are reported by line, the good ones go in. The job's id and
    the report."""
    job = await _begin(context, file_name)
    return job.job_id, await job.run(chunks, _accept(context), skip_triggers)


@operation(Permission.WRITE)
async def import_events_in_background(
    context: Context, file_name: str, chunks: AbstractAsyncContextManager[AsyncIterator[bytes]], skip_triggers: bool
) -> JobRecord:
    """The same as a job that has only begun when this returns. It closes `chunks` when it ends."""
    job = await _begin(context, file_name)

    async def work() -> None:
        async with chunks as opened:
            await job.run_alone(opened, _accept(context), skip_triggers)

    record = await get_job(context, job.job_id)
    context.services.background.start(work())
    return record


async def _begin(context: Context, file_name: str) -> ImportJob:
    return await import_job.begin(context.services.database, context.caller.unit_id, file_name, context.caller.actor)


def _accept(context: Context) -> Accept:
    unit_id, buffer = context.caller.unit_id, context.services.buffer

    async def accept(events: list[IncomingEvent]) -> list[Receipt | ApiError]:
        return await buffer.accept(unit_id, events, patient=True)  # half an import helps nobody

    return accept
