"""Routes of settings: scoring, the surge policy, event types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from leadvibe.resolvers import event_type_deletion, settings
from leadvibe.resolvers.context import Context
from leadvibe.resolvers.settings import (
    EventTypeChanges,
    EventTypeSetting,
    ScoringChanges,
    ScoringSettings,
    SurgePolicyBody,
    SurgePolicyChanges,
)
from leadvibe.rest_compat.table import BEARER, Call, Route


async def _scoring(context: Context, call: Call) -> Any:
    return await settings.get_scoring_settings(context)


async def _update_scoring(context: Context, call: Call) -> None:
    await settings.update_scoring_settings(context, call.body)


async def _surge_policy(context: Context, call: Call) -> Any:
    return await settings.get_surge_policy(context)


async def _update_surge_policy(context: Context, call: Call) -> None:
    await settings.update_surge_policy(context, call.body)


async def _event_types(context: Context, call: Call) -> Any:
    return await settings.list_event_type_settings(context)


async def _update_event_type(context: Context, call: Call) -> None:
    await settings.update_event_type(context, call.path["eventType"], call.body)


@dataclass(frozen=True, slots=True)
class TypeCounts:
    """What a deletion would delete."""

    events_count: int
    event_scores_count: int


@dataclass(frozen=True, slots=True)
class TypeDeletion:
    """What a deletion deleted."""

    events_deleted: int
    event_scores_deleted: int


async def _preview_deletion(context: Context, call: Call) -> Any:
    found = await event_type_deletion.preview_event_type_deletion(context, call.path["eventType"])
    return TypeCounts(found.events, found.event_scores)


async def _delete_events(context: Context, call: Call) -> Any:
    done = await event_type_deletion.delete_event_type_events(context, call.path["eventType"])
    return TypeDeletion(done.events, done.event_scores)


ROUTES = [
    Route(
        method="GET", path="/settings/scoring", summary="Get scoring settings", tag="Levels", run=_scoring,
        auth=BEARER, returns=ScoringSettings,
    ),
    Route(
        method="PUT", path="/settings/scoring", summary="Update scoring settings", tag="Levels", run=_update_scoring,
        status=204, auth=BEARER, body=ScoringChanges,
    ),
    Route(
        method="GET", path="/settings/ou/surge-policy", summary="Get the surge policy", tag="Settings",
        run=_surge_policy, auth=BEARER, returns=SurgePolicyBody,
    ),
    Route(
        method="PUT", path="/settings/ou/surge-policy", summary="Update the surge policy", tag="Settings",
        run=_update_surge_policy, status=204, auth=BEARER, body=SurgePolicyChanges,
    ),
    Route(
        method="GET", path="/settings/ou/event-types", summary="List event types with their visibility",
        tag="Settings", run=_event_types, auth=BEARER, returns=list[EventTypeSetting],
    ),
    Route(
        method="PUT", path="/settings/ou/event-types/{eventType}", summary="Update an event type", tag="Settings",
        run=_update_event_type, status=204, auth=BEARER, body=EventTypeChanges, errors=(404,),
    ),
    Route(
        method="GET", path="/settings/ou/event-types/{eventType}/events/dry-run", tag="Settings",
        summary="Dry-run delete of all events for an event type (OU)", run=_preview_deletion, auth=BEARER,
        returns=TypeCounts, errors=(404,),
    ),
    Route(
        method="DELETE", path="/settings/ou/event-types/{eventType}/events", tag="Settings",
        summary="Delete all events for an event type in the active OU", run=_delete_events, auth=BEARER,
        returns=TypeDeletion, errors=(404, 409),
    ),
]  # fmt: skip
