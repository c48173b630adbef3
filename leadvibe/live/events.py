"""What travels to subscribers: a scored event, the notice of a lag, and the cursor between them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from leadvibe.errors import bad_request

_CURSOR = re.compile(r"([0-9]{1,18}):([0-9]{1,6})")


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a unit's stream: behind message number `part` (1 is the first) of event `seq`.

    An event may make several messages, and a connection may break between two of them.
    """

    seq: int
    part: int

    def __str__(self) -> str:
        return f"{self.seq}:{self.part}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises 400 for anything that is not the text of a cursor."""
        found = _CURSOR.fullmatch(text)
        if found is None:
            raise bad_request(
                "The cursor is not one of this stream.", code="invalid_cursor", after="must be the id of a message"
            )
        return cls(int(found[1]), int(found[2]))


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """What an event did to the lead's score in one ruleset; `delta` is never 0, `score` is the new one."""

    ruleset_id: str
    delta: int
    score: int


@dataclass(eq=False, slots=True, kw_only=True)
class LiveEvent:
    """A scored event. One object serves all subscribers of its unit, and with it what was encoded for them.

    `changes` are sorted by ruleset id. `headline` is the change that a client sees who knows one score
    only. An event of a hidden type is not shown itself, its changes are. `surges`: the surge events that it
    caused, as JSON; `firings`: those of triggers. `seen`: how many of its messages the subscriber has already,
    from a connection before.
    """

    seq: int
    event_id: str
    lead_id: str | None
    event_type: str
    occurred_at: datetime
    received_at: datetime
    metadata: dict[str, Any]
    channel: str
    suppression_reason: str | None
    original_lead_id: str | None
    observed: bool
    hidden: bool
    changes: tuple[ScoreChange, ...]
    headline: ScoreChange | None
    surges: Sequence[dict[str, Any]] = ()
    firings: Sequence[dict[str, Any]] = ()
    seen: int = 0
    encoded: dict[Any, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Lagged:
    """The subscriber was too slow to follow live. What comes next is read from the event log, from
    behind `after` on: late, but nothing is missing."""

    after: int


Subscription = AsyncIterator[LiveEvent | Lagged]
