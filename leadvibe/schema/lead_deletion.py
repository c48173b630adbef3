"""Deleting a lead, and how far that is."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Annotated

import strawberry

from leadvibe.resolvers import lead_deletion
from leadvibe.schema.context import Info
from leadvibe.schema.fields import field
from leadvibe.schema.scalars import BigInt
from leadvibe.store import tables


@strawberry.enum(description="How far a job is.")
class JobStatus(Enum):
    PENDING = strawberry.enum_value("pending", description="It waits to begin.")
    RUNNING = strawberry.enum_value("running", description="It is at work.")
    COMPLETED = strawberry.enum_value("completed", description="It is done.")
    FAILED = strawberry.enum_value("failed", description="It stopped; `error` says why.")
    CANCELLED = strawberry.enum_value("cancelled", description="Somebody cancelled it.")


@strawberry.type(description="The deletion of a lead; a failed one is tried again.")
class LeadDeletion:
    lead_id: strawberry.ID = strawberry.field(description="The lead.")
    status: JobStatus = strawberry.field(description="How far it is.")
    deleted_events: BigInt = strawberry.field(description="How many events are gone so far.")
    error: str | None = strawberry.field(description="Why it failed.")
    created_at: datetime = strawberry.field(description="When it was asked for.")
    updated_at: datetime = strawberry.field(description="When it last went on.")

    @classmethod
    def of(cls, row: tables.JobRecord) -> LeadDeletion:
        return cls(
            lead_id=strawberry.ID(row.subject),
            status=JobStatus(row.status),
            deleted_events=BigInt(row.done),
            error=row.error,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )


@strawberry.type
class DeletionQueries:
    @field
    async def lead_deletion(
        self, info: Info, lead_id: Annotated[strawberry.ID, strawberry.argument(description="The lead.")]
    ) -> LeadDeletion | None:
        """The latest deletion of a lead, also when it is gone; null, with `not_found`, when there was none."""
        return LeadDeletion.of(await lead_deletion.get_lead_deletion(info.context, lead_id))


@strawberry.type
class DeletionMutations:
    @field
    async def delete_lead(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The lead.")]
    ) -> LeadDeletion | None:
        """Deletes a lead and all that belongs to it: hidden at once, gone soon, and not to be undone."""
        return LeadDeletion.of(await lead_deletion.delete_lead(info.context, id))
