"""Why a lead's scores moved lately."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import strawberry

from leadvibe.resolvers import explanation
from leadvibe.resolvers.explanation import DEFAULT_HOURS
from leadvibe.resolvers.rulesets import RULES
from leadvibe.schema.configuration import Rule, find_row
from leadvibe.schema.context import Info
from leadvibe.schema.fields import field
from leadvibe.schema.scalars import BigInt


@strawberry.type(description="What a rule gave in the window, without surge.")
class ScoreDriver:
    ruleset_id: strawberry.ID = strawberry.field(description="The ruleset.")
    rule_id: strawberry.ID = strawberry.field(description="The rule.")
    event_type: str = strawberry.field(description="The event type that it counts.")
    weight: BigInt = strawberry.field(description="Its points today, or what they last were.")
    count: int = strawberry.field(description="How many events it counted.")
    total: BigInt = strawberry.field(description="The points it gave: count × weight, while it is not changed.")

    @field
    async def rule(self, info: Info) -> Rule | None:
        """The rule as it is now; null when it is gone."""
        return await find_row(info, RULES, self.rule_id)


@strawberry.type(description="What a rule gives today.")
class RuleWeight:
    ruleset_id: strawberry.ID = strawberry.field(description="The ruleset.")
    rule_id: strawberry.ID = strawberry.field(description="The rule.")
    event_type: str = strawberry.field(description="The event type that it counts.")
    weight: BigInt = strawberry.field(description="Its points.")


@strawberry.type(description="The surge points of an event type.")
class SurgeBoost:
    event_type: str = strawberry.field(description="The event type.")
    boost: BigInt = strawberry.field(description="The points beyond the weights, over all rulesets.")
    count: int = strawberry.field(description="How many events had some.")


@strawberry.type(
    description="By how much a score moved. scoreChange = drivers + surge + decay + floorAdjustment + takenBack."
)
class ScoreChange:
    ruleset_id: strawberry.ID = strawberry.field(description="The ruleset.")
    score_change: BigInt = strawberry.field(description="By how much the score moved in the window.")
    drivers: BigInt = strawberry.field(description="The totals of its drivers.")
    surge: BigInt = strawberry.field(description="The surge points.")
    decay: BigInt = strawberry.field(description="The points that inactivity took.")
    floor_adjustment: BigInt = strawberry.field(description="Points not taken, because the score was at its floor.")
    taken_back: BigInt = strawberry.field(description="Points of bursts that a filter took back.")


@strawberry.type(description="Why a lead's scores moved.")
class ScoreExplanation:
    top_drivers: list[ScoreDriver] = strawberry.field(description="The rules that counted, the largest total first.")
    snapshot: list[RuleWeight] = strawberry.field(description="All active rules of active rulesets, as they are now.")
    surge_boost: list[SurgeBoost] = strawberry.field(description="The surge points by event type.")
    surge_total: BigInt = strawberry.field(description="Their sum.")
    surge_event_count: int = strawberry.field(description="How many events had surge points.")
    decay_applied: BigInt = strawberry.field(description="Points that inactivity took, over all rulesets; negative.")
    inorganic_count: int = strawberry.field(description="How many events velocity filters kept from scoring.")
    range_hours: int = strawberry.field(description="The window in hours.")
    score_changes: list[ScoreChange] = strawberry.field(description="The change of each active ruleset's score.")


@strawberry.type
class ExplanationQueries:
    @field
    async def score_explanation(
        self,
        info: Info,
        lead_id: Annotated[strawberry.ID, strawberry.argument(description="The lead.")],
        hours: Annotated[int, strawberry.argument(description="The last so many hours, at least 1.")] = DEFAULT_HOURS,
    ) -> ScoreExplanation | None:
        """Why a lead's scores moved in the last hours."""
        explained = await explanation.explain_lead_score(info.context, lead_id, hours)
        parts: Any = explained.explanation
        return ScoreExplanation(
            top_drivers=parts.top_drivers,
            snapshot=[RuleWeight(**asdict(each)) for each in explained.snapshot],
            surge_boost=parts.surge_boost,
            surge_total=BigInt(explained.surge_total),
            surge_event_count=explained.surge_event_count,
            decay_applied=BigInt(explained.decay_applied),
            inorganic_count=parts.inorganic_count,
            range_hours=explained.range_hours,
            score_changes=list(parts.changes.values()),
        )
