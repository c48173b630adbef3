"""Live events as server-sent events: the frames of `GET /stream` (contract, "Stream")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from leadvibe.live.events import Cursor, Lagged, LiveEvent

# The parts of an event, by the number in their id. Fixed, so that a cursor stays true if the event is
# scored anew between two connections.
_NEW_EVENT, _SCORE_UPDATE, _FIRST_SURGE = 1, 2, 3


def frames(event: LiveEvent, full: bool) -> bytes:
    """The frames of an event, without those the subscriber has seen; empty when nothing is to be shown.

    `full` false is the anonymous form: scores, and of events nothing but their type. Encoded once for
    all subscribers of either form.
    """
    encoded = event.encoded.get(full)
    if encoded is None:
        encoded = event.encoded[full] = b"".join(
            _frame(str(body["type"]), body, Cursor(event.seq, part))
            for part, body in _bodies(event, full)
            if part > event.seen
        )
    return encoded


def lag_notice(lagged: Lagged) -> bytes:
    """Tells a client that it was too slow, and that what follows comes late but complete."""
    return _frame("lagged", {"type": "lagged"})


def _bodies(event: LiveEvent, full: bool) -> Iterator[tuple[int, dict[str, Any]]]:
    if not event.hidden:
        yield _NEW_EVENT, {"type": "new_event", "event": _whole(event) if full else {"event_type": event.event_type}}
    if event.headline is not None:
        yield (
            _SCORE_UPDATE,
            {
                "type": "score_update",
                "lead_id": event.lead_id,
                "delta": event.headline.delta,
                "score": event.headline.score,
                "ruleset_id": event.headline.ruleset_id,
            },
        )
    for part, surge in enumerate(event.surges, _FIRST_SURGE):
        yield part, {"type": "surge", "surge": surge}


def _whole(event: LiveEvent) -> dict[str, Any]:
    return {
        "event_id": event.event_id,
        "id": event.event_id,
        "lead_id": event.lead_id,
        "event_type": event.event_type,
        "timestamp": event.occurred_at,
        "created_at": event.occurred_at,
        "metadata": event.metadata,
        "channel": event.channel,
        "suppression_reason": event.suppression_reason,
        "original_lead_id": event.original_lead_id,
    }


def _frame(name: str, body: dict[str, Any], cursor: Cursor | None = None) -> bytes:
    id_line = b"" if cursor is None else f"id: {cursor}\n".encode()
    data = orjson.dumps(body, option=orjson.OPT_UTC_Z)
    return id_line + f"event: {name}\ndata: ".encode() + data + b"\n\n"
