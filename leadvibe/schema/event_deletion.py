"""Deleting events."""

from __future__ import annotations

from typing import Annotated

import strawberry

from leadvibe.resolvers import event_deletion, event_type_deletion
from leadvibe.schema.context import Info
from leadvibe.schema.fields import field
from leadvibe.schema.jobs import Job
from leadvibe.schema.scalars import BigInt


@strawberry.type(description="What a deletion of events did.")
class DeletedEvents:
    deleted: int = strawberry.field(description="How many events were deleted.")
    leads_rescored: int = strawberry.field(description="Of how many leads the scores were rebuilt.")


EventTypeName = Annotated[str, strawberry.argument(description="The event type.")]


@strawberry.type(description="What the deletion of a type's events would delete.")
class EventTypeDeletionPreview:
    events: BigInt = strawberry.field(description="Events of the type.")
    event_scores: BigInt = strawberry.field(description="What they did, each in each ruleset.")


@strawberry.type
class EventDeletionQueries:
    @field
    async def event_type_deletion_preview(self, info: Info, event_type: EventTypeName) -> EventTypeDeletionPreview:
        """What `deleteEventTypeEvents` would delete, without deleting anything."""
        found = await event_type_deletion.preview_event_type_deletion(info.context, event_type)
        return EventTypeDeletionPreview(events=BigInt(found.events), event_scores=BigInt(found.event_scores))


@strawberry.type
class EventDeletions:
    @field
    async def delete_events(
        self, info: Info, ids: Annotated[list[strawberry.ID], strawberry.argument(description="1 to 1,000 events.")]
    ) -> DeletedEvents | None:
        """Deletes events for good, and rebuilds the scores of their leads; unknown ids are ignored."""
        done = await event_deletion.delete_events(info.context, ids)
        return DeletedEvents(deleted=done.deleted, leads_rescored=done.leads_rescored)

    @field
    async def delete_event_type_events(self, info: Info, event_type: EventTypeName) -> Job | None:
        """Begins to delete all events that the unit has of a type, for good, and to rebuild the scores of their leads,
        which stay. `protected_event_type` for the server's own types."""
        return Job.of(await event_type_deletion.begin_event_type_deletion(info.context, event_type))
