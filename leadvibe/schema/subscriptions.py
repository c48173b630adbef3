"""Subscriptions: what a unit's events did, as they are scored."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Annotated

import strawberry

from leadvibe.live.events import Cursor, Lagged, LiveEvent, ScoreChange
from leadvibe.live.events import Subscription as Messages
from leadvibe.resolvers import live
from leadvibe.schema import jobs, segments
from leadvibe.schema.context import Info
from leadvibe.schema.detected_surges import DetectedSurge, detected_surges
from leadvibe.schema.events import Event
from leadvibe.schema.fields import subscription
from leadvibe.schema.lead_changes import LeadChange, lead_changes
from leadvibe.schema.of_lead import OfLead
from leadvibe.schema.scalars import BigInt
from leadvibe.schema.triggers import LiveFiring, live_firings
from leadvibe.schema.words import Channel

After = Annotated[
    str | None,
    strawberry.argument(description="Continue behind the message with this `cursor`: nothing is lost, nothing twice."),
]

_CURSOR = "This message's place in this subscription: pass it as `after` to continue behind it."
_LAGGED = (
    "True on the first message after the subscriber was too slow: what follows comes late, but nothing is missing."
)

# The only message that an event makes for `eventIngested`.
_WHOLE_EVENT = 1


@strawberry.type(description="A change of a lead's score in one ruleset.")
class ScoreUpdate(OfLead):
    lead_id: strawberry.ID = strawberry.field(description="The lead.")
    delta: BigInt = strawberry.field(description="By how much the score changed; never 0.")
    score: BigInt = strawberry.field(description="The new score.")
    ruleset_id: strawberry.ID = strawberry.field(description="The ruleset whose score changed.")
    event_id: strawberry.ID = strawberry.field(description="The event that changed it.")
    at: datetime = strawberry.field(description="When that event happened.")
    cursor: str = strawberry.field(description=_CURSOR)
    lagged: bool = strawberry.field(description=_LAGGED)


@strawberry.type(description="An event that was just processed.")
class IngestedEvent(Event):
    cursor: str = strawberry.field(description=_CURSOR)
    lagged: bool = strawberry.field(description=_LAGGED)


@strawberry.type(description="What is pushed as it happens.")
class Subscription:
    @subscription
    async def score_updated(
        self,
        info: Info,
        lead_ids: Annotated[
            list[strawberry.ID] | None, strawberry.argument(description="Only these leads; default: all of the unit.")
        ] = None,
        after: After = None,
    ) -> AsyncGenerator[ScoreUpdate, None]:
        """Each change of a score, one message for each ruleset."""
        wanted = None if lead_ids is None else frozenset(lead_ids)
        return _score_updates(await _messages(info, after), wanted)

    @subscription
    async def event_ingested(self, info: Info, after: After = None) -> AsyncGenerator[IngestedEvent, None]:
        """Each event that was processed, scored or not, except those of hidden types."""
        return _ingested_events(await _messages(info, after))

    @subscription
    async def lead_changed(
        self,
        info: Info,
        lead_ids: Annotated[
            list[strawberry.ID] | None, strawberry.argument(description="Only these leads; default: all of the unit.")
        ] = None,
        after: After = None,
    ) -> AsyncGenerator[LeadChange, None]:
        """Each event that changed a lead's engagement score, one message for each event."""
        wanted = None if lead_ids is None else frozenset(lead_ids)
        return lead_changes(info, await _messages(info, after), wanted)

    @subscription
    async def surge_detected(self, info: Info, after: After = None) -> AsyncGenerator[DetectedSurge, None]:
        """Each surge as it is detected; none while the unit's `surgeTriggersEnabled` is off."""
        return detected_surges(await _messages(info, after))

    @subscription
    async def milestone_reached(self, info: Info, after: After = None) -> AsyncGenerator[LiveFiring, None]:
        """Each lead that reached the threshold of a milestone trigger."""
        return live_firings(await _messages(info, after), "milestone")

    @subscription
    async def sequence_completed(self, info: Info, after: After = None) -> AsyncGenerator[LiveFiring, None]:
        """Each lead that completed a sequence."""
        return live_firings(await _messages(info, after), "sequence")

    @subscription
    async def pattern_matched(self, info: Info, after: After = None) -> AsyncGenerator[LiveFiring, None]:
        """Each lead that met a pattern trigger."""
        return live_firings(await _messages(info, after), "pattern")

    @subscription
    async def job_progress(self, info: Info, id: jobs.JobId) -> AsyncGenerator[jobs.Job, None]:
        """A job as it is, and again as it goes on, about every second; ends when the job has ended."""
        return await jobs.progress(info, id)

    @subscription
    async def segment_membership_changed(
        self,
        info: Info,
        segment_id: Annotated[strawberry.ID, strawberry.argument(description="The segment.")],
        after: After = None,
    ) -> AsyncGenerator[segments.SegmentMembershipChange, None]:
        """Each lead that enters the segment or leaves it."""
        return await segments.membership_changes(info, segment_id, after)


async def _messages(info: Info, after: str | None) -> AbstractAsyncContextManager[Messages]:
    if after is not None:
        Cursor.parse(after)  # a bad cursor refuses the subscription, before it begins
    return await live.subscribe(info.context, after)


async def _score_updates(
    messages: AbstractAsyncContextManager[Messages], wanted: frozenset[str] | None
) -> AsyncGenerator[ScoreUpdate, None]:
    lagged = False
    async with messages as stream:
        async for message in stream:
            if isinstance(message, Lagged):
                lagged = True
            elif wanted is None or message.lead_id in wanted:
                for part, change in enumerate(message.changes, 1):
                    if part > message.seen:
                        yield _score_update(message, change, Cursor(message.seq, part), lagged)
                        lagged = False


def _score_update(event: LiveEvent, change: ScoreChange, cursor: Cursor, lagged: bool) -> ScoreUpdate:
    assert event.lead_id is not None, "only an event of a lead changes a score"
    return ScoreUpdate(
        lead_id=strawberry.ID(event.lead_id),
        delta=BigInt(change.delta),
        score=BigInt(change.score),
        ruleset_id=strawberry.ID(change.ruleset_id),
        event_id=strawberry.ID(event.event_id),
        at=event.occurred_at,
        cursor=str(cursor),
        lagged=lagged,
    )


async def _ingested_events(messages: AbstractAsyncContextManager[Messages]) -> AsyncGenerator[IngestedEvent, None]:
    lagged = False
    async with messages as stream:
        async for message in stream:
            if isinstance(message, Lagged):
                lagged = True
            elif not message.hidden and message.seen < _WHOLE_EVENT:
                yield _ingested_event(message, lagged)
                lagged = False


def _ingested_event(event: LiveEvent, lagged: bool) -> IngestedEvent:
    return IngestedEvent(
        event_id=strawberry.ID(event.event_id),
        lead_id=None if event.lead_id is None else strawberry.ID(event.lead_id),
        event_type=event.event_type,
        channel=Channel(event.channel),
        timestamp=event.occurred_at,
        metadata=event.metadata,
        suppression_reason=event.suppression_reason,
        original_lead_id=None if event.original_lead_id is None else strawberry.ID(event.original_lead_id),
        created_at=event.occurred_at,
        score_delta=BigInt(sum(change.delta for change in event.changes)) if event.changes else None,
        cursor=str(Cursor(event.seq, _WHOLE_EVENT)),
        lagged=lagged,
    )
