"""Deleting events by their ids."""

from __future__ import annotations

from collections.abc import Sequence

from leadvibe.errors import bad_request
from leadvibe.pipeline import event_deletion
from leadvibe.pipeline.event_deletion import DeletedEvents
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation

# As many as a request may delete: their leads are rescored while it waits.
MOST_DELETED = 1_000


@operation(Permission.WRITE)
async def delete_events(context: Context, event_ids: Sequence[str]) -> DeletedEvents:
    """Deletes events for good, and rebuilds the scores of their leads. Ids that the unit does not have are
    ignored; 400 when there are none, or more than MOST_DELETED."""
    if not 1 <= len(event_ids) <= MOST_DELETED:
        raise bad_request(f"Name 1 to {MOST_DELETED} events.", ids=f"must have 1 to {MOST_DELETED} items")
    stored = [event_id for event_id in event_ids if "\0" not in event_id]
    return await event_deletion.delete_events(context.services.database, context.caller.unit_id, stored)
