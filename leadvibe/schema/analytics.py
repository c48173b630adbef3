"""Numbers about a unit's events and leads."""

from __future__ import annotations

from datetime import date as calendar_date
from datetime import datetime
from typing import Annotated

import strawberry

from leadvibe.resolvers import analytics
from leadvibe.resolvers.score_history import LEADS_SHOWN
from leadvibe.schema.context import Info
from leadvibe.schema.fields import field
from leadvibe.schema.of_lead import OfLead
from leadvibe.schema.ranges import TimeRange, name_of
from leadvibe.schema.scalars import BigInt
from leadvibe.schema.score_history import Limit

Range = Annotated[TimeRange, strawberry.argument(description="When.")]


@strawberry.type(description="How many events of a type there are.")
class EventTypeCount:
    event_type: str = strawberry.field(description="The type.")
    count: BigInt = strawberry.field(description="How many.")


@strawberry.type(description="How many events a day has.")
class DailyCount:
    date: calendar_date = strawberry.field(description="The day, of UTC.")
    count: BigInt = strawberry.field(description="How many.")


@strawberry.type(description="How many events there are, and of how many leads.")
class EventTotals:
    events: BigInt = strawberry.field(description="How many events.")
    unique_leads: BigInt = strawberry.field(description="Of how many leads.")


@strawberry.type(description="The events of a range, without those of hidden types.")
class EventsAnalytics:
    totals: EventTotals = strawberry.field(description="All of them.")
    by_type: list[EventTypeCount] = strawberry.field(description="By type, the most frequent first.")
    daily_counts: list[DailyCount] = strawberry.field(description="By day, the newest first; none is left at 0.")


@strawberry.type(description="How much happens.")
class EventStats:
    last_24h: EventTotals = strawberry.field(description="The last 24 hours.")
    top_events: list[EventTypeCount] = strawberry.field(description="The ten most frequent types of the range.")


@strawberry.type(description="A lead with a high score.")
class TopLead(OfLead):
    lead_id: strawberry.ID = strawberry.field(description="The lead.")
    score: BigInt = strawberry.field(description="Its primary score.")
    last_event_at: datetime | None = strawberry.field(description="Its latest event.")


@strawberry.type
class AnalyticsQueries:
    @field
    async def events_analytics(
        self,
        info: Info,
        range: Range = TimeRange.ALL,
        event_type: Annotated[str | None, strawberry.argument(description="Only this type.")] = None,
    ) -> EventsAnalytics:
        """How many events of which type happened on which day."""
        found = await analytics.get_events_analytics(info.context, name_of(range), event_type)
        return EventsAnalytics(
            totals=EventTotals(events=BigInt(found.totals.events), unique_leads=BigInt(found.totals.unique_leads)),
            by_type=[EventTypeCount(event_type=name, count=BigInt(count)) for name, count in found.by_type.items()],
            daily_counts=[DailyCount(date=day.date, count=BigInt(day.count)) for day in found.daily_counts],
        )

    @field
    async def event_stats(self, info: Info, range: Range = TimeRange.ALL) -> EventStats:
        """What happened in the last 24 hours, and what happens most in the range."""
        found = await analytics.get_event_stats(info.context, name_of(range))
        return EventStats(
            last_24h=EventTotals(events=BigInt(found.last_24h.events), unique_leads=BigInt(found.last_24h.leads)),
            top_events=[EventTypeCount(event_type=top.event_type, count=BigInt(top.count)) for top in found.top_events],
        )

    @field
    async def top_leads(self, info: Info, limit: Limit = LEADS_SHOWN) -> list[TopLead]:
        """The leads with the highest primary scores."""
        return [
            TopLead(lead_id=strawberry.ID(lead.lead_id), score=BigInt(lead.score), last_event_at=lead.last_event_at)
            for lead in await analytics.list_top_leads(info.context, limit)
        ]
