"""Surge events: which leads had a burst of activity, and when."""

from __future__ import annotations

from leadvibe.errors import bad_request
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.store import surge_events
from leadvibe.store.paging import EVERYTHING, Page, Reading
from leadvibe.store.surge_events import SurgeFilter
from leadvibe.store.tables import SurgeEvent


@operation(Permission.READ)
async def list_surge_events(
    context: Context,
    wanted: SurgeFilter,
    limit: int,
    after: str | None = None,
    offset: int = 0,
    read: Reading = EVERYTHING,
) -> Page[SurgeEvent]:
    """The unit's surge events, newest first. 400 for a period that ends before it starts."""
    if wanted.start and wanted.end and wanted.start > wanted.end:
        raise bad_request("The period ends before it starts.", end="must not be before start")
    async with context.services.database.session() as session:
        return await surge_events.page(session, context.caller.unit_id, wanted, limit, after, offset, read)
