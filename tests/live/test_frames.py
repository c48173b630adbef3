"""The frames of `GET /stream`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import orjson

from leadvibe.live.events import Lagged, LiveEvent, ScoreChange
from leadvibe.live.sse import frames, lag_notice

EVENT = LiveEvent(
    seq=12,
    event_id="ev_1",
    lead_id="ld_1",
    event_type="form_submit",
    occurred_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
    received_at=datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC),
    metadata={"text": "two\nlines"},
    channel="web",
    suppression_reason=None,
    original_lead_id=None,
    observed=False,
    hidden=False,
    changes=(ScoreChange("rs_1", 5, 85),),
    headline=ScoreChange("rs_1", 5, 85),
)


def _read(stream: bytes) -> list[dict[str, object]]:
    """Each frame as its fields, `data` parsed."""
    frames_ = [dict(line.split(": ", 1) for line in f.splitlines()) for f in stream.decode().split("\n\n") if f]
    return [{**frame, "data": orjson.loads(frame["data"])} for frame in frames_]


def test_an_event_becomes_a_new_event_and_a_score_update() -> None:
    assert _read(frames(EVENT, full=True)) == [
        {
            "id": "12:1",
            "event": "new_event",
            "data": {
                "type": "new_event",
                "event": {
                    "event_id": "ev_1",
                    "id": "ev_1",
                    "lead_id": "ld_1",
                    "event_type": "form_submit",
                    "timestamp": "2026-03-01T12:00:00Z",
                    "created_at": "2026-03-01T12:00:00Z",
                    "metadata": {"text": "two\nlines"},
                    "channel": "web",
                    "suppression_reason": None,
                    "original_lead_id": None,
                },
            },
        },
        {
            "id": "12:2",
            "event": "score_update",
            "data": {"type": "score_update", "lead_id": "ld_1", "delta": 5, "score": 85, "ruleset_id": "rs_1"},
        },
    ]


def test_an_anonymous_client_sees_scores_and_bare_event_names() -> None:
    event, score = _read(frames(replace(EVENT, encoded={}), full=False))
    assert event["data"] == {"type": "new_event", "event": {"event_type": "form_submit"}}
    assert score == _read(frames(EVENT, full=True))[1]


def test_an_event_of_a_hidden_type_does_not_show_but_its_score_does() -> None:
    assert [frame["id"] for frame in _read(frames(replace(EVENT, hidden=True, encoded={}), full=True))] == ["12:2"]


def test_an_event_that_changed_no_score_makes_no_score_update() -> None:
    assert [f["id"] for f in _read(frames(replace(EVENT, headline=None, encoded={}), full=True))] == ["12:1"]


def test_frames_seen_before_are_left_out() -> None:
    assert [frame["id"] for frame in _read(frames(replace(EVENT, seen=1, encoded={}), full=True))] == ["12:2"]
    assert frames(replace(EVENT, seen=2, encoded={}), full=True) == b""


def test_each_form_of_an_event_is_encoded_once() -> None:
    event = replace(EVENT, encoded={})
    assert frames(event, full=True) is frames(event, full=True)
    assert frames(event, full=False) is frames(event, full=False)
    assert frames(event, full=True) != frames(event, full=False)


def test_a_lag_is_told_without_an_id() -> None:
    assert _read(lag_notice(Lagged(after=4))) == [{"event": "lagged", "data": {"type": "lagged"}}]
