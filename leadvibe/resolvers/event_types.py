"""Event types: what kinds of events there are, and what their metadata holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leadvibe.errors import not_found
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.store import event_types


@dataclass(frozen=True, slots=True)
class EventTypeProperties:
    """The top-level metadata keys of a type's newest events, in alphabetical order."""

    event_type: str
    properties: Sequence[str]


@operation(Permission.READ)
async def list_event_types(context: Context) -> Sequence[str]:
    """The names of the unit's event types, in alphabetical order, without hidden ones."""
    async with context.services.database.session() as session:
        return await event_types.visible_names(session, context.caller.unit_id)


@operation(Permission.READ)
async def get_event_type_properties(context: Context, event_type: str) -> EventTypeProperties:
    """404 for a type that the unit does not know; a hidden one is known."""
    unit_id = context.caller.unit_id
    async with context.services.database.session() as session:
        if not await event_types.exists(session, unit_id, event_type):
            raise not_found(f"Event type {event_type}")
        return EventTypeProperties(event_type, await event_types.metadata_keys(session, unit_id, event_type))
