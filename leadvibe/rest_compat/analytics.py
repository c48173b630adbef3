"""Routes of analytics."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from leadvibe.resolvers import analytics
from leadvibe.resolvers.analytics import EventsAnalytics, EventStats
from leadvibe.resolvers.context import Context
from leadvibe.rest_compat.score_history import TopQuery
from leadvibe.rest_compat.table import Call, Route
from leadvibe.store.lead_queries import TopLead
from leadvibe.store.time_ranges import TimeRange


class StatsQuery(BaseModel):
    range: TimeRange | None = None


class AnalyticsQuery(StatsQuery):
    event_type: str | None = None


async def _analytics(context: Context, call: Call) -> Any:
    return await analytics.get_events_analytics(context, call.query.range, call.query.event_type)


async def _stats(context: Context, call: Call) -> Any:
    return await analytics.get_event_stats(context, call.query.range)


async def _top(context: Context, call: Call) -> Any:
    return await analytics.list_top_leads(context, call.query.limit)


ROUTES = [
    Route(
        method="GET", path="/events-analytics", summary="Analytics across events", tag="Analytics", run=_analytics,
        query=AnalyticsQuery, returns=EventsAnalytics,
    ),
    Route(
        method="GET", path="/event-stats", summary="Event statistics", tag="Analytics", run=_stats,
        query=StatsQuery, returns=EventStats,
    ),
    Route(
        method="GET", path="/top-leads", summary="List the leads with the highest scores", tag="Analytics", run=_top,
        query=TopQuery, returns=list[TopLead],
    ),
]  # fmt: skip
