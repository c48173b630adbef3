"""Deleting events."""

from __future__ import annotations

from typing import Annotated

import strawberry

from leadvibe.resolvers import event_deletion
from leadvibe.schema.context import Info
from leadvibe.schema.fields import field


@strawberry.type(description="What a deletion of events did.")
class DeletedEvents:
    deleted: int = strawberry.field(description="How many events were deleted.")
    leads_rescored: int = strawberry.field(description="Of how many leads the scores were rebuilt.")


@strawberry.type
class EventDeletions:
    @field
    async def delete_events(
        self, info: Info, ids: Annotated[list[strawberry.ID], strawberry.argument(description="1 to 1,000 events.")]
    ) -> DeletedEvents | None:
        """Deletes events for good, and rebuilds the scores of their leads; unknown ids are ignored."""
        done = await event_deletion.delete_events(info.context, ids)
        return DeletedEvents(deleted=done.deleted, leads_rescored=done.leads_rescored)
