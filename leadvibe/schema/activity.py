"""A lead's activity: events and orders, each for itself and merged."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from leadvibe.resolvers import activity
from leadvibe.resolvers.activity import MOST_ENTRIES
from leadvibe.schema.context import Info
from leadvibe.schema.fields import field
from leadvibe.schema.metadata import Described
from leadvibe.schema.of_lead import OfLead
from leadvibe.schema.ranges import TimeRange, bounds
from leadvibe.schema.scalars import BigInt
from leadvibe.schema.words import Channel, Suppression
from leadvibe.store.activity import ActivityFilter as Filter


@strawberry.input(
    description="Which part of a lead's activity is shown. Times hold for events and orders, all else for events only."
)
class ActivityFilter:
    range: TimeRange = strawberry.field(default=TimeRange.LAST_7D, description="When; `start` and `end` replace it.")
    start: datetime | None = strawberry.field(default=None, description="From this time on.")
    end: datetime | None = strawberry.field(default=None, description="Before this time.")
    channel: Channel | None = strawberry.field(default=None, description="Only events of this channel.")
    min_score: BigInt | None = strawberry.field(default=None, description="Lowest primary score after an event.")
    max_latency: BigInt | None = strawberry.field(
        default=None, description="Most milliseconds from an event's acceptance to its scoring."
    )
    has_delta: bool = strawberry.field(default=False, description="Only events that changed the primary score.")

    def as_condition(self) -> Filter:
        custom = self.start is not None or self.end is not None
        start, end = (self.start, self.end) if custom else bounds(self.range)
        return Filter(
            start=start,
            end=end,
            channel=None if self.channel is None else str(self.channel.value),
            min_score=self.min_score,
            max_latency_ms=self.max_latency,
            has_delta=self.has_delta,
        )


@strawberry.type(description="An event in a lead's activity.")
class ActivityEvent(OfLead, Described):
    id: strawberry.ID = strawberry.field(description="The event.")
    lead_id: strawberry.ID | None = strawberry.field(description="The lead.")
    event_type: str = strawberry.field(description="What happened.")
    channel: Channel = strawberry.field(description="Where it happened.")
    timestamp: datetime = strawberry.field(description="When it happened.")
    suppression_reason: Suppression | None = strawberry.field(description="Why it was not scored; null when it was.")
    original_lead_id: strawberry.ID | None = strawberry.field(description="The lead that had it before a merge.")
    score: BigInt | None = strawberry.field(description="The primary score after it; null when it did not count.")
    score_delta: BigInt | None = strawberry.field(description="By how much it changed the primary score.")
    latency_ms: BigInt = strawberry.field(description="Milliseconds from its acceptance to its scoring.")


@strawberry.type(description="An order in a lead's activity; it is never scored.")
class ActivityOrder(OfLead, Described):
    id: strawberry.ID = strawberry.field(description="The order.")
    order_id: strawberry.ID = strawberry.field(description="The shop's own id.")
    lead_id: strawberry.ID = strawberry.field(description="The lead.")
    timestamp: datetime = strawberry.field(description="When it was ordered.")
    amount: float = strawberry.field(description="What it cost.")
    currency: str = strawberry.field(description="In which currency.")
    status: str = strawberry.field(description="How far it is.")


ActivityEntry = Annotated[
    ActivityEvent | ActivityOrder, strawberry.union("ActivityEntry", description="An event or an order.")
]


@strawberry.type(description="A lead's activity; all three lists are sorted by time, oldest first.")
class LeadActivity:
    events: list[ActivityEvent] = strawberry.field(description="What the lead did.")
    orders: list[ActivityOrder] = strawberry.field(description="What the lead ordered.")
    timeline: list[ActivityEntry] = strawberry.field(description="Both, merged by time.")
    next_before: str | None = strawberry.field(
        description="Pass it as `before` for what is older; null when nothing is."
    )


@strawberry.type
class ActivityQueries:
    @field
    async def lead_activity(
        self,
        info: Info,
        lead_id: Annotated[strawberry.ID, strawberry.argument(description="The lead.")],
        filter: Annotated[ActivityFilter | None, strawberry.argument(description="Which part.")] = None,
        limit: Annotated[
            int, strawberry.argument(description="Most events and orders, the newest, 1 to 500.")
        ] = MOST_ENTRIES,
        before: Annotated[str | None, strawberry.argument(description="Continue with what is older.")] = None,
    ) -> LeadActivity | None:
        """A lead's events and orders; null, with an error `not_found`, when the unit has no such lead."""
        wanted = (filter or ActivityFilter()).as_condition()
        found = await activity.get_lead_activity(info.context, lead_id, wanted, limit, before)
        timeline = [_entry(entry) for entry in found.timeline]
        return LeadActivity(
            events=[entry for entry in timeline if isinstance(entry, ActivityEvent)],
            orders=[entry for entry in timeline if isinstance(entry, ActivityOrder)],
            timeline=timeline,
            next_before=found.next_before,
        )


def _entry(entry: activity.ActivityEntry) -> ActivityEvent | ActivityOrder:
    if isinstance(entry, activity.ActivityOrder):
        return ActivityOrder(
            id=strawberry.ID(entry.id),
            order_id=strawberry.ID(entry.order_id),
            lead_id=strawberry.ID(entry.lead_id),
            timestamp=entry.timestamp,
            amount=entry.amount,
            currency=entry.currency,
            status=entry.status,
            metadata=entry.metadata,
        )
    return ActivityEvent(
        id=strawberry.ID(entry.id),
        lead_id=_id(entry.lead_id),
        event_type=entry.event_type,
        channel=Channel(entry.channel),
        timestamp=entry.timestamp,
        metadata=entry.metadata,
        suppression_reason=entry.suppression_reason,
        original_lead_id=_id(entry.original_lead_id),
        score=_big(entry.score),
        score_delta=_big(entry.score_delta),
        latency_ms=BigInt(entry.latency_ms),
    )


def _id(text: str | None) -> strawberry.ID | None:
    return None if text is None else strawberry.ID(text)


def _big(number: int | None) -> BigInt | None:
    return None if number is None else BigInt(number)
