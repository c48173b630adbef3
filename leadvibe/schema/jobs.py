"""Jobs: importing a file, rescoring, and how far work is that outlives its request."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any

import strawberry
from starlette.datastructures import UploadFile
from strawberry.file_uploads import Upload

from leadvibe.errors import bad_request
from leadvibe.resolvers import imports, jobs, rescore
from leadvibe.resolvers.triggers import MILESTONES
from leadvibe.schema.configuration import MilestoneTrigger, find_row
from leadvibe.schema.context import Info
from leadvibe.schema.fields import field
from leadvibe.schema.lead_deletion import JobStatus
from leadvibe.schema.scalars import BigInt
from leadvibe.store import tables

_CHUNK = 256 * 1024

JobId = Annotated[strawberry.ID, strawberry.argument(description="The job.")]


@strawberry.type(description="Why a row of a file did not go in.")
class RowProblem:
    line: int = strawberry.field(description="The line of the file at which the row begins.")
    reason: str = strawberry.field(description="What is wrong with it.")


@strawberry.type(description="Something that a job counted.")
class JobCount:
    name: str = strawberry.field(description="What was counted.")
    count: BigInt = strawberry.field(description="How many there were.")


@strawberry.type(description="Work that outlives its request.")
class Job:
    id: strawberry.ID = strawberry.field(description="Its id.")
    kind: str = strawberry.field(description="What is done: import, lead_deletion, rescore, backfill_….")
    subject: str = strawberry.field(description="What it is about: the name of a file, the id of a lead.")
    status: JobStatus = strawberry.field(description="How far it is.")
    done: BigInt = strawberry.field(
        description="How much is done: rows imported, events deleted, leads or events seen."
    )
    total: BigInt | None = strawberry.field(description="How much there is to do, where that is known.")
    percentage: float | None = strawberry.field(description="How much of the total is done, 0 to 100.")
    failed: BigInt = strawberry.field(description="How many rows failed.")
    problems: list[RowProblem] = strawberry.field(description="The first rows that failed.")
    counts: list[JobCount] = strawberry.field(description="What it counted on its way.")
    error: str | None = strawberry.field(description="Why the job failed.")
    created_at: datetime = strawberry.field(description="When it was asked for.")
    updated_at: datetime = strawberry.field(description="When it last went on.")

    @classmethod
    def of(cls, row: tables.JobRecord) -> Job:
        return cls(
            id=strawberry.ID(row.job_id),
            kind=row.kind,
            subject=row.subject,
            status=JobStatus(row.status),
            done=BigInt(row.done),
            total=None if row.total is None else BigInt(row.total),
            percentage=_percentage(row),
            failed=BigInt(row.failed),
            problems=[RowProblem(**problem) for problem in row.problems],
            counts=[JobCount(name=name, count=BigInt(count)) for name, count in row.counts.items()],
            error=row.error,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )


def _percentage(row: tables.JobRecord) -> float | None:
    """Leads that come or go meanwhile change nothing in the total."""
    if row.status == "completed":
        return 100.0
    return min(100.0, 100.0 * row.done / row.total) if row.total else None


@strawberry.type
class JobQueries:
    @field
    async def job(self, info: Info, id: JobId) -> Job | None:
        """How far a job is, also long after its end; null, with `not_found`, when there is none of this id."""
        return Job.of(await jobs.get_job(info.context, id))


@strawberry.input(description="A file of events.")
class EventImportInput:
    file: Upload = strawberry.field(description="CSV with a header row, as multipart/form-data.")
    skip_triggers: bool = strawberry.field(default=False, description="Fire no triggers for these events.")


@strawberry.type
class ImportMutations:
    @field
    async def import_events(
        self, info: Info, input: Annotated[EventImportInput, strawberry.argument(description="The file.")]
    ) -> Job | None:
        """Begins to import events from a CSV file; `job` and `jobProgress` tell how far it is."""
        file: Any = input.file
        if not isinstance(file, UploadFile):
            raise bad_request("Send the file by the GraphQL multipart request specification.", file="must be a file")
        name, chunks = file.filename or "", _opened(file)
        return Job.of(await imports.import_events_in_background(info.context, name, chunks, input.skip_triggers))


@strawberry.type(description="Leads that would come to stand above the threshold of a milestone trigger.")
class MilestoneCrossings:
    trigger_id: strawberry.ID = strawberry.field(description="The trigger.")
    leads: BigInt = strawberry.field(description="How many leads; a rescoring itself fires nothing.")

    @field
    async def trigger(self, info: Info) -> MilestoneTrigger | None:
        """The trigger itself."""
        return await find_row(info, MILESTONES, self.trigger_id)


@strawberry.type(description="What a rescoring would change.")
class RescorePreview:
    total_leads: BigInt = strawberry.field(description="The unit's leads.")
    affected_leads: BigInt = strawberry.field(description="Those with events to score anew.")
    increases: BigInt = strawberry.field(description="Leads whose primary score would rise.")
    decreases: BigInt = strawberry.field(description="Leads whose primary score would fall.")
    unchanged: BigInt = strawberry.field(description="Leads with events whose primary score would stay.")
    level_changes: BigInt = strawberry.field(description="Leads that would change their engagement level.")
    average_change: float = strawberry.field(description="Points by which a lead with events would change.")
    milestone_triggers: list[MilestoneCrossings] = strawberry.field(
        description="The active milestone triggers that leads would cross."
    )


@strawberry.type
class RescoreQueries:
    @field
    async def rescore_preview(self, info: Info) -> RescorePreview:
        """What `rescore` would change, without changing anything."""
        found = await rescore.preview_rescore(info.context)
        return RescorePreview(
            total_leads=BigInt(found.total_leads),
            affected_leads=BigInt(found.affected_leads),
            increases=BigInt(found.increases),
            decreases=BigInt(found.decreases),
            unchanged=BigInt(found.unchanged),
            level_changes=BigInt(found.level_changes),
            average_change=found.average_change,
            milestone_triggers=[
                MilestoneCrossings(trigger_id=strawberry.ID(trigger_id), leads=BigInt(leads))
                for trigger_id, leads in sorted(found.milestones.items())
            ],
        )


@strawberry.type
class RescoreMutations:
    @field
    async def rescore(self, info: Info) -> Job | None:
        """Begins to score the unit's stored events anew with today's configuration; live scoring goes on.
        `job` and `jobProgress` tell how far it is."""
        return Job.of(await rescore.rescore(info.context))

    @field
    async def cancel_job(self, info: Info, id: JobId) -> Job | None:
        """Cancels a rescoring or a backfill: what is done stays; `not_cancellable` when it has ended."""
        return Job.of(await jobs.cancel_job(info.context, id))


async def progress(info: Info, job_id: str) -> AsyncGenerator[Job, None]:
    """The messages of `jobProgress`; `not_found` before the first of them."""
    return _progress(await jobs.follow_job(info.context, job_id))


async def _progress(rows: AsyncIterator[tables.JobRecord]) -> AsyncGenerator[Job, None]:
    async for row in rows:
        yield Job.of(row)


@asynccontextmanager
async def _opened(file: UploadFile) -> AsyncIterator[AsyncIterator[bytes]]:
    try:
        yield _chunks(file)
    finally:
        await file.close()


async def _chunks(file: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await file.read(_CHUNK):
        yield chunk
