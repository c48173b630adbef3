"""Surges: which leads had a burst of activity."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from leadvibe.resolvers import surge_events
from leadvibe.schema.context import Info
from leadvibe.schema.fields import field
from leadvibe.schema.paging import After, Connection, First, checked, connection
from leadvibe.schema.scalars import BigInt
from leadvibe.store import tables
from leadvibe.store.surge_events import SurgeFilter

Channel = Annotated[str | None, strawberry.argument(description="Only surges by this channel or source.")]


@strawberry.type(description="The event that made a surge.")
class SurgeSnapshot:
    channel: str = strawberry.field(description="Its channel.")
    source: str | None = strawberry.field(description="The source that its metadata names.")
    score: BigInt = strawberry.field(description="The lead's primary score after it.")


@strawberry.type(description="A lead had as many events within a trigger's window as that asks for.")
class SurgeEvent:
    id: strawberry.ID = strawberry.field(description="Its id.")
    trigger_id: strawberry.ID = strawberry.field(description="The trigger.")
    lead_id: strawberry.ID = strawberry.field(description="The lead.")
    event_type: str | None = strawberry.field(description="What the trigger counts; null is any type.")
    event_count: BigInt = strawberry.field(description="The lead's events in the window that ended here.")
    window_seconds: BigInt = strawberry.field(description="Length of the window.")
    detected_at: datetime = strawberry.field(description="The time of the event that made the surge.")
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
                channel=snapshot["channel"], source=snapshot["source"], score=BigInt(snapshot["score"])
            ),
        )


@strawberry.type
class SurgeQueries:
    @field
    async def surge_events(
        self,
        info: Info,
        first: First = 50,
        after: After = None,
        start: Annotated[datetime | None, strawberry.argument(description="From this time on.")] = None,
        end: Annotated[datetime | None, strawberry.argument(description="Before this time.")] = None,
        channel: Channel = None,
    ) -> Connection[SurgeEvent]:
        """The surges that were detected, newest first; none while the unit's `surgeTriggersEnabled` is off."""
        wanted = SurgeFilter(start, end, channel)
        page = await surge_events.list_surge_events(info.context, wanted, checked(first), after)
        return connection(page, [SurgeEvent.of(row) for row in page.rows], after)
