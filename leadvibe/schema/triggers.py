"""Firings of triggers: their list, their subscriptions, and simulation."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from enum import Enum
from typing import Annotated, Any

import strawberry

from leadvibe.live.events import Cursor, Lagged, LiveEvent
from leadvibe.live.events import Subscription as Messages
from leadvibe.pipeline import simulation
from leadvibe.resolvers import firings
from leadvibe.resolvers.family import Family
from leadvibe.resolvers.triggers import MILESTONES, PATTERNS, SEQUENCES
from leadvibe.schema.configuration import find_row
from leadvibe.schema.context import Info
from leadvibe.schema.events import Event, event_of
from leadvibe.schema.fields import field
from leadvibe.schema.leads import Lead
from leadvibe.schema.node import Node
from leadvibe.schema.of_lead import OfLead, find_leads
from leadvibe.schema.paging import After, Connection, First, checked, connection
from leadvibe.schema.scalars import BigInt
from leadvibe.schema.selections import reading
from leadvibe.store.firings import FiringFilter
from leadvibe.store.trigger_tables import FiringKind, TriggerFiring


@strawberry.enum(description="What a trigger says of a lead.")
class FiringType(Enum):
    MILESTONE = strawberry.enum_value("milestone", description="Its score reached a threshold.")
    MILESTONE_EXIT = strawberry.enum_value("milestone_exit", description="Its score fell below it again.")
    SEQUENCE = strawberry.enum_value("sequence", description="It completed a series of events.")
    PATTERN = strawberry.enum_value("pattern", description="It had numbers of events within a window.")


# Whose row the trigger of a firing is.
_FAMILIES: dict[FiringType, Family[Any]] = {
    FiringType.MILESTONE: MILESTONES,
    FiringType.MILESTONE_EXIT: MILESTONES,
    FiringType.SEQUENCE: SEQUENCES,
    FiringType.PATTERN: PATTERNS,
}


@strawberry.type(description="A trigger fired for a lead.")
class Firing(OfLead):
    id: strawberry.ID = strawberry.field(description="Its id, which its messages carry.")
    type: FiringType = strawberry.field(description="What happened.")
    trigger_id: strawberry.ID = strawberry.field(description="The trigger.")
    trigger_name: str = strawberry.field(description="The trigger's name then.")
    lead_id: strawberry.ID = strawberry.field(description="The lead.")
    score: BigInt = strawberry.field(description="The lead's primary score after the event.")
    previous_score: BigInt = strawberry.field(description="Its primary score before the event.")
    score_threshold: BigInt | None = strawberry.field(description="The threshold of a milestone.")
    event_id: strawberry.ID = strawberry.field(description="The event that caused it.")
    event_type: str = strawberry.field(description="That event's type.")
    event_types: list[str] = strawberry.field(description="The event types that a sequence or pattern asks for.")
    fired_at: datetime = strawberry.field(description="When it fired.")

    @field
    async def trigger(self, info: Info) -> Node | None:
        """The trigger as it is now, a MilestoneTrigger, a SequenceTrigger or a PatternTrigger; null when it is gone."""
        row: Node | None = await find_row(info, _FAMILIES[self.type], self.trigger_id)
        return row

    @field
    async def event(self, info: Info) -> Event | None:
        """The event that caused it; null when it is deleted."""
        row = await info.context.events.load(self.event_id)
        return None if row is None else event_of(row)

    @classmethod
    def of(cls, row: TriggerFiring) -> Firing:
        return cls(**_values(row.model_dump()))


@strawberry.type(description="A trigger that just fired for a lead.")
class LiveFiring(Firing):
    cursor: str = strawberry.field(
        description="This message's place in this subscription: pass it as `after` to continue behind it."
    )
    lagged: bool = strawberry.field(
        description="True on the first message after the subscriber was too slow: what follows comes late, but "
        "nothing is missing."
    )


def _values(row: dict[str, Any]) -> dict[str, Any]:
    threshold = row["score_threshold"]
    return {
        "id": strawberry.ID(row["firing_id"]),
        "type": FiringType(row["kind"]),
        "trigger_id": strawberry.ID(row["trigger_id"]),
        "trigger_name": row["trigger_name"],
        "lead_id": strawberry.ID(row["lead_id"]),
        "score": BigInt(row["score"]),
        "previous_score": BigInt(row["previous_score"]),
        "score_threshold": None if threshold is None else BigInt(threshold),
        "event_id": strawberry.ID(row["event_id"]),
        "event_type": row["event_type"],
        "event_types": row["matched"].get("event_types", []),
        "fired_at": row["fired_at"],
    }


async def live_firings(
    messages: AbstractAsyncContextManager[Messages], kind: FiringKind
) -> AsyncGenerator[LiveFiring, None]:
    """The firings of a kind, as their events are scored."""
    lagged = False
    async with messages as stream:
        async for message in stream:
            if isinstance(message, Lagged):
                lagged = True
                continue
            of_kind = (each for each in message.firings if each["kind"] == kind)
            for part, firing in enumerate(of_kind, 1):
                if part > message.seen:
                    yield _live(message, firing, part, lagged)
                    lagged = False


def _live(event: LiveEvent, firing: dict[str, Any], part: int, lagged: bool) -> LiveFiring:
    row = firing | {"event_id": event.event_id, "event_type": event.event_type}
    row["fired_at"] = datetime.fromisoformat(firing["fired_at"])
    return LiveFiring(**_values(row), cursor=str(Cursor(event.seq, part)), lagged=lagged)


@strawberry.type(description="What a trigger would have done.")
class TriggerSimulation:
    would_fire: bool = strawberry.field(description="Whether it would have fired for any lead.")
    matched_leads: list[strawberry.ID] = strawberry.field(description="At most 100 of these leads.")
    total_matches: BigInt = strawberry.field(description="For how many leads.")

    @field
    async def leads(self, info: Info) -> list[Lead]:
        """The leads of `matchedLeads`."""
        return await find_leads(info, self.matched_leads)

    @classmethod
    def of(cls, found: simulation.Simulation) -> TriggerSimulation:
        leads = [strawberry.ID(lead_id) for lead_id in found.matched_leads]
        return cls(
            would_fire=found.total_matches > 0, matched_leads=leads, total_matches=BigInt(found.total_matches)
        )  # fmt: skip


TriggerId = Annotated[strawberry.ID, strawberry.argument(description="The trigger, active or not.")]
LeadId = Annotated[strawberry.ID | None, strawberry.argument(description="Only this lead.")]
Days = Annotated[int, strawberry.argument(description="How many days to look back, at least 1.")]


@strawberry.type
class TriggerQueries:
    @field
    async def firings(
        self,
        info: Info,
        first: First = 50,
        after: After = None,
        type: Annotated[FiringType | None, strawberry.argument(description="Only firings of this type.")] = None,
        trigger_id: Annotated[strawberry.ID | None, strawberry.argument(description="Only of this trigger.")] = None,
        lead_id: Annotated[strawberry.ID | None, strawberry.argument(description="Only for this lead.")] = None,
    ) -> Connection[Firing]:
        """Firings of triggers, newest first."""
        kind: Any = None if type is None else type.value
        wanted = FiringFilter(kind, trigger_id, lead_id)
        read = reading(info, {"matched": ["eventTypes"]})
        page = await firings.list_firings(info.context, wanted, checked(first), after, read=read)
        return connection(page, [Firing.of(row) for row in page.rows], after)

    @field
    async def simulate_milestone_trigger(
        self, info: Info, id: TriggerId, lead_id: LeadId = None, days: Days = 30
    ) -> TriggerSimulation:
        """For which leads a milestone would have fired; sends and records nothing."""
        return TriggerSimulation.of(await firings.simulate_milestone(info.context, id, lead_id, days))

    @field
    async def simulate_sequence(
        self, info: Info, id: TriggerId, lead_id: LeadId = None, days: Days = 30
    ) -> TriggerSimulation:
        """Which leads would have completed a sequence; sends and records nothing."""
        return TriggerSimulation.of(await firings.simulate_sequence(info.context, id, lead_id, days))
