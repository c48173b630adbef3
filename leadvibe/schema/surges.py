"""Surges: which leads had a burst of activity."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Annotated, Any

import strawberry

from leadvibe.resolvers import surge_events, surge_metrics
from leadvibe.resolvers.surge import SURGE_TRIGGERS
from leadvibe.schema.configuration import SurgeTrigger, find_row
from leadvibe.schema.context import Info
from leadvibe.schema.fields import field
from leadvibe.schema.of_lead import OfLead
from leadvibe.schema.paging import After, Connection, First, checked, connection
from leadvibe.schema.scalars import BigInt
from leadvibe.schema.selections import reading
from leadvibe.schema.words import Channel
from leadvibe.store import tables
from leadvibe.store.surge_events import SurgeFilter

Source = Annotated[str | None, strawberry.argument(description="Only surges by this channel or source.")]


@strawberry.type(description="The event that made a surge.")
class SurgeSnapshot:
    channel: Channel = strawberry.field(description="Its channel.")
    source: str | None = strawberry.field(description="The source that its metadata names.")
    score: BigInt = strawberry.field(description="The lead's primary score after it.")


@strawberry.type(description="What a stored surge and one that is pushed have in common.")
class Surge(OfLead):
    id: strawberry.ID = strawberry.field(description="Its id.")
    trigger_id: strawberry.ID = strawberry.field(description="The trigger.")
    lead_id: strawberry.ID = strawberry.field(description="The lead.")
    event_type: str | None = strawberry.field(description="What the trigger counts; null is any type.")
    event_count: BigInt = strawberry.field(description="The lead's events in the window that ended here.")
    window_seconds: BigInt = strawberry.field(description="Length of the window.")
    detected_at: datetime = strawberry.field(description="The time of the event that made the surge.")

    @field
    async def trigger(self, info: Info) -> SurgeTrigger | None:
        """The trigger as it is now; null when it is gone."""
        return await find_row(info, SURGE_TRIGGERS, self.trigger_id)


@strawberry.type(description="A lead had as many events within a trigger's window as that asks for.")
class SurgeEvent(Surge):
    snapshot: SurgeSnapshot = strawberry.field(description="That event.")

    @classmethod
    def of(cls, row: tables.SurgeEvent) -> SurgeEvent:
        snapshot = row.snapshot
        return cls(
            id=strawberry.ID(row.surge_event_id),
            trigger_id=strawberry.ID(row.trigger_id),
            lead_id=strawberry.ID(row.lead_id),
            event_type=row.event_type,
            event_count=BigInt(row.event_count),
            window_seconds=BigInt(row.window_seconds),
            detected_at=row.detected_at,
            snapshot=SurgeSnapshot(
                channel=Channel(snapshot["channel"]), source=snapshot["source"], score=BigInt(snapshot["score"])
            ),
        )


@strawberry.enum(description="The length of an interval.")
class SurgeInterval(Enum):
    QUARTER_HOUR = strawberry.enum_value("15m", description="15 minutes.")
    HOUR = strawberry.enum_value("1h", description="An hour.")
    DAY = strawberry.enum_value("1d", description="A day of UTC.")


@strawberry.type(description="The surges of a period.")
class SurgeTotals:
    surges: BigInt = strawberry.field(description="How many.")
    leads: BigInt = strawberry.field(description="Of how many leads.")
    events: BigInt = strawberry.field(description="The events in their windows.")
    boost_points: BigInt = strawberry.field(description="What surge multipliers added to the period's events.")


@strawberry.type(description="The surges of an interval.")
class SurgeBucket:
    bucket_start: datetime = strawberry.field(description="When the interval begins.")
    surges: BigInt = strawberry.field(description="How many.")

    @classmethod
    def of(cls, bucket: surge_metrics.SurgeBucket) -> SurgeBucket:
        return cls(bucket_start=bucket.bucket_start, surges=BigInt(bucket.surges))


@strawberry.type(description="The surges of a channel.")
class ChannelSurges:
    channel: Channel = strawberry.field(description="The channel.")
    surges: BigInt = strawberry.field(description="How many.")


@strawberry.type(description="How many surges there were, and when.")
class SurgeMetrics:
    totals: SurgeTotals = strawberry.field(description="All of them.")
    peak: SurgeBucket | None = strawberry.field(description="The first interval with the most; null without any.")
    channels: list[ChannelSurges] = strawberry.field(description="By channel, the most frequent first.")
    series: list[SurgeBucket] = strawberry.field(description="By interval, oldest first, those without surges too.")


@strawberry.type
class SurgeQueries:
    @field
    async def surge_metrics(
        self,
        info: Info,
        start: Annotated[datetime, strawberry.argument(description="From this time on.")],
        end: Annotated[datetime, strawberry.argument(description="Before this time.")],
        interval: Annotated[
            SurgeInterval, strawberry.argument(description="Length of the intervals of the series.")
        ] = SurgeInterval.HOUR,
        channel: Source = None,
    ) -> SurgeMetrics:
        """How many surges the unit had, and what surge multipliers added to scores."""
        length: Any = interval.value
        found = await surge_metrics.get_surge_metrics(info.context, start, end, length, channel)
        totals = found.totals
        return SurgeMetrics(
            totals=SurgeTotals(
                surges=BigInt(totals.surges),
                leads=BigInt(totals.leads),
                events=BigInt(totals.events),
                boost_points=BigInt(totals.boost_points),
            ),
            peak=None if found.peak is None else SurgeBucket.of(found.peak),
            channels=[
                ChannelSurges(channel=Channel(each.channel), surges=BigInt(each.surges)) for each in found.channels
            ],
            series=[SurgeBucket.of(bucket) for bucket in found.series],
        )

    @field
    async def surge_events(
        self,
        info: Info,
        first: First = 50,
        after: After = None,
        start: Annotated[datetime | None, strawberry.argument(description="From this time on.")] = None,
        end: Annotated[datetime | None, strawberry.argument(description="Before this time.")] = None,
        channel: Source = None,
    ) -> Connection[SurgeEvent]:
        """The surges that were detected, newest first; none while the unit's `surgeTriggersEnabled` is off."""
        wanted = SurgeFilter(start, end, channel)
        page = await surge_events.list_surge_events(info.context, wanted, checked(first), after, read=reading(info, {}))
        return connection(page, [SurgeEvent.of(row) for row in page.rows], after)
