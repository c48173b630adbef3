"""The route of a lead's activity."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from leadvibe.errors import bad_request
from leadvibe.resolvers import activity
from leadvibe.resolvers.activity import MOST_ENTRIES, ActivityEntry, ActivityEvent, ActivityOrder
from leadvibe.resolvers.context import Context
from leadvibe.rest_compat.table import Call, Route
from leadvibe.store.activity import ActivityFilter
from leadvibe.store.time_ranges import TimeRange, bounds
from leadvibe.times import Moment


class ActivityQuery(BaseModel):
    range: Literal[TimeRange, "custom"] = "last_7d"
    start: Moment | None = Field(default=None, description="With range=custom: from this time on.")
    end: Moment | None = Field(default=None, description="With range=custom: before this time.")
    channel: Literal["all", "web", "email", "slack", "webinar", "crm", "system"] = "all"
    minScore: int | None = Field(default=None, ge=0, lt=2**63, description="Lowest primary score after an event.")
    maxLatency: int | None = Field(
        default=None, ge=1, lt=2**63, description="Most milliseconds from an event's acceptance to its scoring."
    )
    hasDelta: Literal["1", "true", "0", "false"] = Field(
        default="0", description="1 or true: only events that changed the primary score."
    )
    limit: int = Field(default=MOST_ENTRIES, ge=1, le=MOST_ENTRIES, description="Most events and orders, the newest.")
    before: str | None = Field(default=None, description="`next_before` of the page of what is newer.")


class OrderRow(BaseModel):
    type: Literal["order"]
    id: str
    order_id: str
    lead_id: str
    timestamp: datetime
    amount: float
    currency: str
    status: str
    metadata: dict[str, Any]


class TimelineRow(BaseModel):
    """An event or an order, as `type` says."""

    type: Literal["event", "order"]
    timestamp: datetime
    event: ActivityEvent | None = None
    order: OrderRow | None = None


class ActivityAnswer(BaseModel):
    """All three arrays are sorted by time, oldest first. `next_before`, passed as `before`, continues with what
    is older; it is null when nothing is."""

    events: list[ActivityEvent]
    orders: list[OrderRow]
    timeline: list[TimelineRow]
    next_before: str | None


async def _activity(context: Context, call: Call) -> Any:
    query: ActivityQuery = call.query
    found = await activity.get_lead_activity(context, call.path["leadID"], _filter(query), query.limit, query.before)
    return {
        "events": found.events,
        "orders": [_order(order) for order in found.orders],
        "timeline": [_timeline_row(entry) for entry in found.timeline],
        "next_before": found.next_before,
    }


def _filter(query: ActivityQuery) -> ActivityFilter:
    if query.range != "custom":
        start, end = bounds(query.range, datetime.now(UTC))
    elif query.start is None or query.end is None:
        missing = [name for name in ("start", "end") if getattr(query, name) is None]
        raise bad_request("A custom range has a start and an end.", **dict.fromkeys(missing, "is required"))
    else:
        start, end = query.start, query.end
    return ActivityFilter(
        start=start,
        end=end,
        channel=None if query.channel == "all" else query.channel,
        min_score=query.minScore,
        max_latency_ms=query.maxLatency,
        has_delta=query.hasDelta in ("1", "true"),
    )


def _order(order: ActivityOrder) -> dict[str, Any]:
    return {"type": "order", **asdict(order)}


def _timeline_row(entry: ActivityEntry) -> dict[str, Any]:
    if isinstance(entry, ActivityOrder):
        return {"type": "order", "timestamp": entry.timestamp, "order": _order(entry)}
    return {"type": "event", "timestamp": entry.timestamp, "event": entry}


ROUTES = [
    Route(
        method="GET", path="/lead/{leadID}/activity", summary="Unified activity stream of a lead", tag="Events",
        run=_activity, aliases=("/leads/{leadID}/activity",), query=ActivityQuery, returns=ActivityAnswer,
        errors=(404,),
    ),
]  # fmt: skip
