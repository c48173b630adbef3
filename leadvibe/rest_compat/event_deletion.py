"""The route that deletes events."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from leadvibe.errors import bad_request
from leadvibe.pipeline.event_deletion import DeletedEvents
from leadvibe.resolvers import event_deletion
from leadvibe.resolvers.context import Context
from leadvibe.rest_compat.table import Call, Route


class EventIds(BaseModel):
    """1 to 1,000 ids of events, by one of the two names."""

    ids: list[str] | None = Field(default=None, description="Ids of events; unknown ones are ignored.")
    event_ids: list[str] | None = Field(default=None, description="The same by another name.")


async def _delete(context: Context, call: Call) -> Any:
    body: EventIds = call.body
    ids = body.event_ids if body.ids is None else body.ids
    if ids is None:
        raise bad_request("Name the events to delete.", ids="must be an array of ids")
    return await event_deletion.delete_events(context, ids)


ROUTES = [
    Route(
        method="DELETE", path="/events/batch", summary="Batch delete events", tag="Events", run=_delete,
        body=EventIds, returns=DeletedEvents,
    ),
]  # fmt: skip
