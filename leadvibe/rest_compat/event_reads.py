"""Routes that read events: types, channels, a lead's events, score explanation, export."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from starlette.responses import StreamingResponse

from leadvibe.resolvers import event_scores, event_types, events
from leadvibe.resolvers.context import Context
from leadvibe.resolvers.event_scores import EventExplanation
from leadvibe.resolvers.event_types import EventTypeProperties
from leadvibe.rest_compat.codec import Answer
from leadvibe.rest_compat.csv_cells import cell, time_cell
from leadvibe.rest_compat.events import EventRow, event_row
from leadvibe.rest_compat.leads import Paging
from leadvibe.rest_compat.table import BEARER, Call, Route

_EXPORT_HEADER = "id,lead_id,event_type,timestamp\n"


class LeadEventsQuery(Paging):
    event_type: str | None = None


async def _types(context: Context, call: Call) -> Any:
    return await event_types.list_event_types(context)


async def _properties(context: Context, call: Call) -> Any:
    return await event_types.get_event_type_properties(context, call.path["eventType"])


async def _channels(context: Context, call: Call) -> Any:
    return await events.list_channels(context)


async def _of_lead(context: Context, call: Call) -> Answer:
    query: LeadEventsQuery = call.query
    lead_id = call.path["leadID"]
    page = await events.list_lead_events(context, lead_id, query.event_type, query.limit, offset=query.offset)
    return Answer([event_row(event) for event in page.rows], {"X-Total-Count": str(page.total)})


async def _explain(context: Context, call: Call) -> Any:
    return await event_scores.explain_event_score(context, call.path["eventID"])


async def _export(context: Context, call: Call) -> StreamingResponse:
    groups = await events.export_events(context)
    headers = {"Content-Disposition": 'attachment; filename="events.csv"'}
    return StreamingResponse(_csv(groups), headers=headers, media_type="text/csv")


async def _csv(groups: AsyncIterator[list[tuple[str, str | None, str, datetime]]]) -> AsyncIterator[str]:
    yield _EXPORT_HEADER
    async for rows in groups:
        yield "".join(
            f"{cell(event_id)},{cell(lead_id or '')},{cell(event_type)},{time_cell(at)}\n"
            for event_id, lead_id, event_type, at in rows
        )


ROUTES = [
    Route(
        method="GET", path="/event-types", summary="List visible event types", tag="Events", run=_types,
        auth=BEARER, returns=list[str],
    ),
    Route(
        method="GET", path="/event-types/{eventType}/properties", summary="List metadata keys of an event type",
        tag="Events", run=_properties, auth=BEARER, returns=EventTypeProperties, errors=(404,),
    ),
    Route(
        method="GET", path="/channels", summary="List available channels", tag="Events", run=_channels,
        returns=list[str],
    ),
    Route(
        method="GET", path="/events/export", summary="Export events as CSV", tag="Events", run=_export,
        aliases=("/export",), returns=str, media_type="text/csv",
    ),
    Route(
        method="GET", path="/events/{leadID}", summary="List events of a lead", tag="Events", run=_of_lead,
        query=LeadEventsQuery, returns=list[EventRow], errors=(404,),
    ),
    Route(
        method="GET", path="/events/{eventID}/score-explain", summary="Explain an event's score", tag="Events",
        run=_explain, aliases=("/event/{eventID}/score-explain",), returns=EventExplanation, errors=(404,),
    ),
]  # fmt: skip
