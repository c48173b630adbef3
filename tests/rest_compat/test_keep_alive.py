"""GET /stream says that it lives when it has nothing to say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from leadvibe.live.events import Lagged, Subscription
from leadvibe.resolvers.live import Stream
from leadvibe.rest_compat.stream import stream_frames


async def test_comments_keep_a_silent_stream_open() -> None:
    spoken = asyncio.Event()

    async def messages() -> Subscription:
        await spoken.wait()
        yield Lagged(after=0)

    @asynccontextmanager
    async def subscription() -> AsyncIterator[Subscription]:
        yield messages()

    frames = stream_frames(Stream(subscription(), full=True), keep_alive_seconds=0.01)
    assert [await anext(frames) for _ in range(3)] == [b"retry: 2000\n\n", *[b": keep-alive\n\n"] * 2]
    spoken.set()
    rest = [frame async for frame in frames]
    assert [frame for frame in rest if not frame.startswith(b":")] == [b'event: lagged\ndata: {"type":"lagged"}\n\n']
