"""The messages of `surgeDetected`: one for each surge trigger that an event set off."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from typing import Any

import strawberry

from leadvibe.live.events import Cursor, Lagged, Subscription
from leadvibe.schema.scalars import BigInt
from leadvibe.schema.surges import Surge


@strawberry.type(description="A surge that was just detected.")
class DetectedSurge(Surge):
    cursor: str = strawberry.field(
        description="This message's place in this subscription: pass it as `after` to continue behind it."
    )
    lagged: bool = strawberry.field(
        description="True on the first message after the subscriber was too slow: late, but nothing is missing."
    )


async def detected_surges(messages: AbstractAsyncContextManager[Subscription]) -> AsyncGenerator[DetectedSurge, None]:
    """The surges of the unit, those of one event in the order of their ids."""
    lagged = False
    async with messages as stream:
        async for message in stream:
            if isinstance(message, Lagged):
                lagged = True
                continue
            for part, surge in enumerate(message.surges, 1):
                if part > message.seen:
                    yield _detected(surge, Cursor(message.seq, part), lagged)
                    lagged = False


def _detected(surge: dict[str, Any], cursor: Cursor, lagged: bool) -> DetectedSurge:
    return DetectedSurge(
        id=strawberry.ID(surge["surge_event_id"]),
        trigger_id=strawberry.ID(surge["trigger_id"]),
        lead_id=strawberry.ID(surge["lead_id"]),
        event_type=surge["event_type"],
        event_count=BigInt(surge["event_count"]),
        window_seconds=BigInt(surge["window_seconds"]),
        detected_at=surge["detected_at"],
        cursor=str(cursor),
        lagged=lagged,
    )
