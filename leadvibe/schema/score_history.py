"""Scores over time: a lead's history, and the leads that gained most."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from leadvibe.resolvers import score_history
from leadvibe.resolvers.score_history import DAYS, LEADS_SHOWN
from leadvibe.schema.context import Info
from leadvibe.schema.fields import field
from leadvibe.schema.of_lead import OfLead
from leadvibe.schema.ranges import TimeRange, name_of
from leadvibe.schema.scalars import BigInt

Limit = Annotated[int, strawberry.argument(description="How many leads, 1 to 500.")]


@strawberry.type(description="The score at a time; it held until the next point.")
class ScorePoint:
    snapshot_at: datetime = strawberry.field(description="The time.")
    score: BigInt = strawberry.field(description="The score.")
    ruleset_id: strawberry.ID = strawberry.field(description="The ruleset.")


@strawberry.type(description="A lead's score in one ruleset over time.")
class ScoreHistory(OfLead):
    lead_id: strawberry.ID = strawberry.field(description="The lead.")
    start: datetime = strawberry.field(description="Where the period begins.")
    end: datetime = strawberry.field(description="Where it ends.")
    snapshots: list[ScorePoint] = strawberry.field(
        description="Oldest first: the score when the period began, if it is known, and at the end of each hour in "
        "which it changed."
    )
    count: int = strawberry.field(description="How many there are.")


@strawberry.type(description="A lead whose score rose.")
class ScoreGain(OfLead):
    lead_id: strawberry.ID = strawberry.field(description="The lead.")
    score: BigInt = strawberry.field(description="Its primary score.")
    score_gain: BigInt = strawberry.field(description="By how much that rose in the range.")
    last_event_at: datetime = strawberry.field(description="Its latest event.")


@strawberry.type
class ScoreHistoryQueries:
    @field
    async def score_history(
        self,
        info: Info,
        lead_id: Annotated[strawberry.ID, strawberry.argument(description="The lead.")],
        days: Annotated[int, strawberry.argument(description="The last so many days, 1 to 90.")] = DAYS,
        start_date: Annotated[datetime | None, strawberry.argument(description="With `endDate`: from then on.")] = None,
        end_date: Annotated[datetime | None, strawberry.argument(description="Up to this time.")] = None,
        ruleset_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Default: the primary engagement ruleset.")
        ] = None,
    ) -> ScoreHistory | None:
        """A lead's score over time, from hourly snapshots of the last 90 days; null, with an error `not_found`,
        when the unit has no such lead or ruleset."""
        found = await score_history.get_score_history(info.context, lead_id, days, start_date, end_date, ruleset_id)
        points = [
            ScorePoint(
                snapshot_at=point.snapshot_at, score=BigInt(point.score), ruleset_id=strawberry.ID(point.ruleset_id)
            )
            for point in found.snapshots
        ]
        return ScoreHistory(
            lead_id=lead_id, start=found.period.start, end=found.period.end, snapshots=points, count=found.count
        )

    @field
    async def score_gains(
        self,
        info: Info,
        range: Annotated[TimeRange, strawberry.argument(description="TODAY, LAST_7D or LAST_30D.")] = TimeRange.LAST_7D,
        limit: Limit = LEADS_SHOWN,
    ) -> list[ScoreGain]:
        """The leads active in the range whose primary score rose most in it, the biggest gain first."""
        return [
            ScoreGain(
                lead_id=strawberry.ID(gain.lead_id),
                score=BigInt(gain.score),
                score_gain=BigInt(gain.score_gain),
                last_event_at=gain.last_event_at,
            )
            for gain in await score_history.list_score_gains(info.context, name_of(range), limit)
        ]
