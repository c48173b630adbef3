"""Events beside their list: types, channels, and what an event did to scores."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from leadvibe.resolvers import event_scores, event_types, events
from leadvibe.resolvers.rulesets import RULES
from leadvibe.schema.configuration import Rule, find_row
from leadvibe.schema.context import Info
from leadvibe.schema.events import EVENT_READERS, Event, event_of
from leadvibe.schema.fields import field
from leadvibe.schema.of_lead import OfLead
from leadvibe.schema.paging import After, Connection, First, checked, connection
from leadvibe.schema.scalars import BigInt
from leadvibe.schema.selections import reading
from leadvibe.schema.words import Channel


@strawberry.type(description="What the metadata of a type's events holds.")
class EventTypeProperties:
    event_type: str = strawberry.field(description="The type.")
    properties: list[str] = strawberry.field(
        description="The top-level keys of its newest 5,000 events, in alphabetical order."
    )


@strawberry.type(description="What an event did to the score of one ruleset.")
class RulesetEffect:
    ruleset_id: strawberry.ID = strawberry.field(description="The ruleset.")
    ruleset_name: str | None = strawberry.field(description="Its name; null once it is deleted.")
    delta: BigInt = strawberry.field(description="By how much the score changed, the surge boost included.")
    before: BigInt = strawberry.field(description="The score before.")
    after: BigInt = strawberry.field(description="The score after.")
    boost: BigInt = strawberry.field(description="The part of the points that the surge multiplier added.")
    rule_id: strawberry.ID | None = strawberry.field(description="The rule that counted, if one did.")

    @field
    async def rule(self, info: Info) -> Rule | None:
        """The rule as it is now; null without one, or when it is gone."""
        return await find_row(info, RULES, self.rule_id)


@strawberry.type(description="What an event did to its lead's scores.")
class EventExplanation(OfLead):
    event_id: strawberry.ID = strawberry.field(description="The event.")
    event_type: str = strawberry.field(description="What happened.")
    occurred_at: datetime = strawberry.field(description="When it happened.")
    rulesets: list[RulesetEffect] = strawberry.field(
        description="Its effects, the primary ruleset's first; none when it was suppressed or nothing counted it."
    )


@strawberry.type
class EventReads:
    @field
    async def event_types(self, info: Info) -> list[str]:
        """The names of the unit's event types, in alphabetical order, without hidden ones."""
        return list(await event_types.list_event_types(info.context))

    @field
    async def event_type_properties(
        self, info: Info, event_type: Annotated[str, strawberry.argument(description="The type.")]
    ) -> EventTypeProperties | None:
        """The metadata keys of a type; null, with an error `not_found`, when the unit does not know it."""
        found = await event_types.get_event_type_properties(info.context, event_type)
        return EventTypeProperties(event_type=found.event_type, properties=list(found.properties))

    @field
    async def channels(self, info: Info) -> list[Channel]:
        """The channels that the unit's events came by."""
        return [Channel(name) for name in await events.list_channels(info.context)]

    @field
    async def lead_events(
        self,
        info: Info,
        lead_id: Annotated[strawberry.ID, strawberry.argument(description="The lead.")],
        event_type: Annotated[str | None, strawberry.argument(description="Only this type.")] = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[Event] | None:
        """A lead's events, newest first; null, with an error `not_found`, when the unit has no such lead."""
        read = reading(info, EVENT_READERS)
        page = await events.list_lead_events(info.context, lead_id, event_type, checked(first), after, read=read)
        return connection(page, [event_of(row) for row in page.rows], after)

    @field
    async def event_score_explain(
        self, info: Info, event_id: Annotated[strawberry.ID, strawberry.argument(description="The event.")]
    ) -> EventExplanation | None:
        """What an event did to scores; null, with an error `not_found`, when the unit has no such event."""
        found = await event_scores.explain_event_score(info.context, event_id)
        return EventExplanation(
            event_id=strawberry.ID(found.event_id),
            lead_id=None if found.lead_id is None else strawberry.ID(found.lead_id),
            event_type=found.event_type,
            occurred_at=found.occurred_at,
            rulesets=[_effect(effect) for effect in found.rulesets],
        )


def _effect(effect: event_scores.RulesetEffect) -> RulesetEffect:
    return RulesetEffect(
        ruleset_id=strawberry.ID(effect.ruleset_id),
        ruleset_name=effect.ruleset_name,
        delta=BigInt(effect.delta),
        before=BigInt(effect.before),
        after=BigInt(effect.after),
        boost=BigInt(effect.boost),
        rule_id=None if effect.rule_id is None else strawberry.ID(effect.rule_id),
    )
