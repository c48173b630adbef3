"""Events: the connection, and their ingestion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Annotated, Any

import strawberry

from leadvibe.errors import ApiError
from leadvibe.pipeline.buffer import Receipt
from leadvibe.resolvers import events
from leadvibe.schema.context import Info
from leadvibe.schema.errors import problems
from leadvibe.schema.fields import field
from leadvibe.schema.metadata import METADATA_FIELDS, Described
from leadvibe.schema.of_lead import OfLead
from leadvibe.schema.paging import After, Connection, First, checked, connection
from leadvibe.schema.scalars import BigInt
from leadvibe.schema.selections import reading
from leadvibe.schema.words import Channel, Suppression
from leadvibe.store import event_filter, tables


@strawberry.type(description="Something a lead did.")
class Event(OfLead, Described):
    event_id: strawberry.ID = strawberry.field(description="The event's id: the client's, or made by the server.")
    lead_id: strawberry.ID | None = strawberry.field(
        description="The lead; null when the event was suppressed before there was one."
    )
    event_type: str = strawberry.field(description="What happened.")
    channel: Channel = strawberry.field(description="Where it happened.")
    timestamp: datetime = strawberry.field(description="When it happened.")
    suppression_reason: Suppression | None = strawberry.field(description="Why it was not scored; null when it was.")
    original_lead_id: strawberry.ID | None = strawberry.field(description="The lead that had it before a merge.")
    created_at: datetime = strawberry.field(description="The same as `timestamp`.")
    score_delta: BigInt | None = strawberry.field(
        description="The points it made, over all rulesets; null when none counted it."
    )


# The fields that read the large attributes of an event's row.
EVENT_READERS = {"event_metadata": METADATA_FIELDS}


def event_of(row: tables.EngagementEvent) -> Event:
    return Event(
        event_id=strawberry.ID(row.event_id),
        lead_id=None if row.lead_id is None else strawberry.ID(row.lead_id),
        event_type=row.event_type,
        channel=Channel(row.channel),
        timestamp=row.occurred_at,
        metadata=row.event_metadata,
        suppression_reason=row.suppression_reason,
        original_lead_id=None if row.original_lead_id is None else strawberry.ID(row.original_lead_id),
        created_at=row.occurred_at,
        score_delta=None if not row.scores else BigInt(sum(entry[0] for entry in row.scores.values())),
    )


@strawberry.enum(description="How the metadata conditions of a filter combine.")
class Logic(Enum):
    AND = strawberry.enum_value("and", description="All of them hold.")
    OR = strawberry.enum_value("or", description="At least one holds.")


@strawberry.input(description="A metadata key that must have exactly this value, compared as text.")
class MetadataCondition:
    key: str = strawberry.field(description="A top-level key.")
    value: str = strawberry.field(description="Its value.")


@strawberry.input(description="Which events a list shows; what is left out does not filter.")
class EventFilter:
    event_type: str | None = strawberry.field(default=None, description="Only this type.")
    lead_id: strawberry.ID | None = strawberry.field(default=None, description="Only this lead's events.")
    occurred_from: datetime | None = strawberry.field(default=None, description="At this time or later.")
    occurred_to: datetime | None = strawberry.field(default=None, description="Before this time.")
    metadata: list[MetadataCondition] | None = strawberry.field(default=None, description="What metadata must hold.")
    logic: Logic = strawberry.field(default=Logic.AND, description="How the metadata conditions combine.")

    def as_condition(self) -> event_filter.EventFilter:
        return event_filter.EventFilter(
            event_type=self.event_type,
            lead_id=self.lead_id,
            occurred_from=self.occurred_from,
            occurred_to=self.occurred_to,
            metadata=[(condition.key, condition.value) for condition in self.metadata or ()],
            logic="and" if self.logic is Logic.AND else "or",
        )


@strawberry.type
class EventQueries:
    @field
    async def events(
        self,
        info: Info,
        first: First = 50,
        after: After = None,
        filter: Annotated[EventFilter | None, strawberry.argument(description="Which events.")] = None,
    ) -> Connection[Event]:
        """The unit's events, newest first, page by page, without those of hidden types."""
        wanted = filter.as_condition() if filter else event_filter.EventFilter()
        read = reading(info, EVENT_READERS)
        page = await events.list_events(info.context, wanted, checked(first), after, read=read)
        return connection(page, [event_of(row) for row in page.rows], after)


@strawberry.input(description="A name by which a lead is known.")
class AliasInput:
    alias_kind: str = strawberry.field(description="email, phone, external_id, cookie or social.")
    raw_value: str = strawberry.field(description="The name as the client knows it.")


@strawberry.input(description="An event to ingest. It needs `leadId` or at least one alias.")
class EventInput:
    event_type: str = strawberry.field(description="What happened; an unknown type is accepted.")
    lead_id: strawberry.ID | None = strawberry.field(default=None, description="The lead; created when unknown.")
    aliases: list[AliasInput] | None = strawberry.field(
        default=None, description="The first alias that is known decides the lead, unless `leadId` does."
    )
    timestamp: str | None = strawberry.field(default=None, description="When it happened, RFC 3339; default: now.")
    metadata: dict[str, Any] | None = strawberry.field(default=None, description="At most 100 KB of JSON.")
    event_id: strawberry.ID | None = strawberry.field(
        default=None, description="The client's id: the same id is scored once."
    )

    def as_body(self) -> Mapping[str, Any]:
        """The event as REST clients send it."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        if self.aliases is not None:
            given["aliases"] = [vars(alias) for alias in self.aliases]
        return given


@strawberry.enum(description="What became of an event.")
class IngestStatus(Enum):
    ACCEPTED = strawberry.enum_value("accepted", description="It is on disk and will be scored.")
    DUPLICATE = strawberry.enum_value("duplicate", description="It had been accepted before.")
    REJECTED = strawberry.enum_value("rejected", description="It was not taken; `error` says why.")


@strawberry.type(description="What is wrong with one field.")
class FieldProblem:
    field: str = strawberry.field(description="The field.")
    message: str = strawberry.field(description="What is wrong with it.")


@strawberry.type(description="What became of one event of a list; an event is not lost because a neighbour is bad.")
class IngestResult:
    status: IngestStatus = strawberry.field(description="What became of it.")
    event_id: strawberry.ID | None = strawberry.field(default=None, description="Its id, unless it was rejected.")
    error: str | None = strawberry.field(default=None, description="Why it was rejected.")
    code: str | None = strawberry.field(default=None, description="The same as a stable code.")
    details: list[FieldProblem] | None = strawberry.field(default=None, description="The fields that are wrong.")


def _result(result: Receipt | ApiError) -> IngestResult:
    if isinstance(result, ApiError):
        details = [FieldProblem(**problem) for problem in problems(result)]
        return IngestResult(
            status=IngestStatus.REJECTED, error=result.message, code=result.code, details=details or None
        )
    status = IngestStatus.DUPLICATE if result.duplicate else IngestStatus.ACCEPTED
    return IngestResult(status=status, event_id=strawberry.ID(result.event_id))


@strawberry.type
class EventMutations:
    @field
    async def ingest_events(
        self,
        info: Info,
        events_: Annotated[
            list[EventInput], strawberry.argument(name="events", description="The events, in their order.")
        ],
        idempotency_key: Annotated[
            str | None, strawberry.argument(description="The whole list, sent again under this key, is scored once.")
        ] = None,
    ) -> list[IngestResult] | None:
        """Accepts up to 2,000 events, each for itself; they are on disk when this answers, and scored soon."""
        bodies: Sequence[Any] = [event.as_body() for event in events_]
        return [_result(result) for result in await events.ingest_events(info.context, bodies, idempotency_key)]
