"""Whoever comes back with the id of the last message it saw gets the rest: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import re

import pytest

from leadvibe.errors import ApiError
from leadvibe.live.hub import Hub, Lagged, LiveEvent
from leadvibe.live.sse import frames
from tests.live.conftest import ids, take
from tests.live.event_log import EventLog

_EVENTS = [
    {},
    {"event_type": "secret"},
    {"scores": None, "observed": True},
    {"event_type": "secret", "scores": None},
    {"metadata": {"path": "/pricing"}},
]


def _encoded(items: list[LiveEvent | Lagged]) -> bytes:
    return b"".join(frames(item, full=True) for item in items if isinstance(item, LiveEvent))


def _messages(stream: bytes) -> list[tuple[str, bytes]]:
    """(id, frame) of each frame."""
    found = re.findall(rb"(?s)(id: (\S+)\n.*?\n\n)", stream)
    return [(cursor.decode(), frame) for frame, cursor in found]


async def _rest(hub: Hub, log: EventLog, cursor: str) -> list[tuple[str, bytes]]:
    """What a stream that resumes behind the cursor shows up to the log's end."""
    shown: list[LiveEvent | Lagged] = []
    async with hub.subscribe(log.unit_id, cursor) as subscription:
        while not shown or shown[-1].event_id != log.events[-1]:  # type: ignore[union-attr]
            shown += await take(subscription, 1)
    return _messages(_encoded(shown))


async def test_a_stream_cut_behind_any_message_is_continued_without_seam(hub: Hub, log: EventLog) -> None:
    async with hub.subscribe(log.unit_id) as subscription:
        await log.score(*_EVENTS * 3)
        await log.score({})
        whole = _messages(_encoded(await take(subscription, 16)))
    assert len(whole) == 3 * 6 + 2
    for index, (cursor, _) in enumerate(whole):
        assert await _rest(hub, log, cursor) == whole[index + 1 :]


async def test_events_scored_while_catching_up_follow_without_seam(hub: Hub, log: EventLog) -> None:
    await log.score(*[{}] * 1200)

    async def go_on() -> None:
        for _ in range(100):
            await log.score({}, {})

    async with hub.subscribe(log.unit_id, "1:2") as subscription:
        growing = asyncio.create_task(go_on())
        received = await take(subscription, 1400)
        await growing
    assert ids(received) == log.events
    assert _messages(_encoded(received))[0][0] == "2:1"


async def test_a_cursor_ahead_of_this_process_is_honoured(hub: Hub, log: EventLog) -> None:
    """Another process may have shown events that this one has not heard of yet."""
    async with hub.subscribe(log.unit_id):
        await log.score({}, {}, {}, tell=False)
        async with hub.subscribe(log.unit_id, "2:2") as subscription:
            await log.score({})
            received = await take(subscription, 3)
    assert ids(received) == log.events[1:]
    assert [cursor for cursor, _ in _messages(_encoded(received))] == ["3:1", "3:2", "4:1", "4:2"]


async def test_a_cursor_of_an_event_that_does_not_exist_begins_now(hub: Hub, log: EventLog) -> None:
    await log.score({})
    async with hub.subscribe(log.unit_id, "999:1") as subscription:
        await log.score({})
        assert ids(await take(subscription, 1)) == log.events[1:]


@pytest.mark.parametrize("cursor", ["", "7", "7:", ":1", "-1:1", "7:1 ", "7:1:1", "٣:1", "9" * 30 + ":1", "x"])
async def test_what_is_no_cursor_is_refused(hub: Hub, log: EventLog, cursor: str) -> None:
    with pytest.raises(ApiError) as caught:
        async with hub.subscribe(log.unit_id, cursor):
            pass
    assert (caught.value.status, caught.value.code) == (400, "invalid_cursor")
