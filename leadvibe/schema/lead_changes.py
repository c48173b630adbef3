"""The messages of `leadChanged`: one for each event that changed a lead's score."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime

import strawberry

from leadvibe.live.events import Cursor, Lagged, LiveEvent, Subscription
from leadvibe.resolvers.levels import LEVELS, as_levels
from leadvibe.schema.context import Info
from leadvibe.schema.of_lead import OfLead
from leadvibe.schema.scalars import BigInt
from leadvibe.scoring.levels import level_name
from leadvibe.scoring.model import Level

# The only message that an event makes here.
_PART = 1
# A subscription outlives changes of the levels; it looks for them this often, and only when it has a message.
_LEVELS_SECONDS = 5.0


@strawberry.type(description="A lead whose score an event has changed.")
class LeadChange(OfLead):
    lead_id: strawberry.ID = strawberry.field(description="The lead.")
    score: BigInt = strawberry.field(description="Its engagement score after the event.")
    level: str | None = strawberry.field(description="Name of the engagement level that the score falls into.")
    last_event_at: datetime = strawberry.field(description="When the event happened.")
    event_id: strawberry.ID = strawberry.field(description="The event.")
    event_type: str = strawberry.field(description="Its type.")
    cursor: str = strawberry.field(
        description="This message's place in this subscription: pass it as `after` to continue behind it."
    )
    lagged: bool = strawberry.field(
        description="True on the first message after the subscriber was too slow: late, but nothing is missing."
    )


class _Levels:
    """The unit's levels, read again when they are old."""

    def __init__(self, info: Info) -> None:
        self._info, self._levels, self._read_at = info, list[Level](), -_LEVELS_SECONDS

    async def now(self) -> Sequence[Level]:
        if time.monotonic() - self._read_at >= _LEVELS_SECONDS:
            self._levels = as_levels(await LEVELS.list(self._info.context))
            self._read_at = time.monotonic()
        return self._levels


async def lead_changes(
    info: Info, messages: AbstractAsyncContextManager[Subscription], wanted: frozenset[str] | None
) -> AsyncGenerator[LeadChange, None]:
    """The changes of the leads `wanted`; None: of all leads of the unit."""
    levels, lagged = _Levels(info), False
    async with messages as stream:
        async for message in stream:
            if isinstance(message, Lagged):
                lagged = True
            elif message.headline is not None and message.seen < _PART and _concerns(message, wanted):
                yield _change(message, message.headline.score, await levels.now(), lagged)
                lagged = False


def _concerns(event: LiveEvent, wanted: frozenset[str] | None) -> bool:
    return wanted is None or event.lead_id in wanted


def _change(event: LiveEvent, score: int, levels: Sequence[Level], lagged: bool) -> LeadChange:
    assert event.lead_id is not None, "only an event of a lead changes a score"
    return LeadChange(
        lead_id=strawberry.ID(event.lead_id),
        score=BigInt(score),
        level=level_name(levels, score),
        last_event_at=event.occurred_at,
        event_id=strawberry.ID(event.event_id),
        event_type=event.event_type,
        cursor=str(Cursor(event.seq, _PART)),
        lagged=lagged,
    )
