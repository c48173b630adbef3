"""Routes of surge events and of their metrics."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from leadvibe.resolvers import surge_events, surge_metrics
from leadvibe.resolvers.context import Context
from leadvibe.resolvers.surge_metrics import Interval, SurgeMetrics
from leadvibe.rest_compat.codec import Answer
from leadvibe.rest_compat.leads import Paging
from leadvibe.rest_compat.table import BEARER, Call, Route
from leadvibe.store.surge_events import SurgeFilter
from leadvibe.store.tables import SurgeEvent
from leadvibe.times import Moment


class SurgeEventsQuery(Paging):
    start: Moment | None = Field(default=None, description="From this time on.")
    end: Moment | None = Field(default=None, description="Before this time.")
    channel: str | None = Field(default=None, description="Channel or source in the snapshot.")


class Snapshot(BaseModel):
    """The event that made the surge: its channel and source, and the lead's primary score after it."""

    channel: str
    source: str | None
    score: int


class SurgeEventRow(BaseModel):
    """`event_type`: what the trigger counts, null is any; `event_count`: the lead's events in its window."""

    surge_event_id: str
    trigger_id: str
    lead_id: str
    event_type: str | None
    event_count: int
    window_seconds: int
    detected_at: datetime
    snapshot: Snapshot


class MetricsQuery(BaseModel):
    start: Moment = Field(description="From this time on.")
    end: Moment = Field(description="Before this time.")
    interval: Interval = Field(default="1h", description="Length of the intervals of the series.")
    channel: str | None = Field(default=None, description="Channel or source of the surges.")


async def _metrics(context: Context, call: Call) -> Any:
    query: MetricsQuery = call.query
    return await surge_metrics.get_surge_metrics(context, query.start, query.end, query.interval, query.channel)


async def _events(context: Context, call: Call) -> Answer:
    query: SurgeEventsQuery = call.query
    wanted = SurgeFilter(query.start, query.end, query.channel)
    page = await surge_events.list_surge_events(context, wanted, query.limit, offset=query.offset)
    return Answer([_row(row) for row in page.rows], {"X-Total-Count": str(page.total)})


def _row(row: SurgeEvent) -> SurgeEventRow:
    return SurgeEventRow.model_validate(row, from_attributes=True)


ROUTES = [
    Route(
        method="GET", path="/surge-events", summary="List surge events", tag="Rules", run=_events, auth=BEARER,
        query=SurgeEventsQuery, returns=list[SurgeEventRow],
    ),
    Route(
        method="GET", path="/api/v1/ou/{ouId}/surge/metrics", summary="Surge metrics of a unit", tag="Surge",
        run=_metrics, aliases=("/org-units/{ouId}/surge-metrics",), auth=BEARER, in_unit="ouId", query=MetricsQuery,
        returns=SurgeMetrics, errors=(403, 404),
    ),
]  # fmt: skip
