"""`GET /stream`: the unit's score updates and events as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from leadvibe.live.events import Cursor, Lagged
from leadvibe.live.sse import frames, lag_notice
from leadvibe.resolvers import live
from leadvibe.resolvers.context import Context
from leadvibe.resolvers.live import Stream
from leadvibe.rest_compat.table import Call, Route

# Decision: a comment as keep-alive every 15 s.
_KEEP_ALIVE_SECONDS = 15
_KEEP_ALIVE = b": keep-alive\n\n"

# Browsers wait this long before they connect again.
_RETRY = b"retry: 2000\n\n"

_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class StreamQuery(BaseModel):
    ouId: str | None = Field(default=None, description="The unit; default: the caller's, or the activeOu cookie's.")


async def _stream(context: Context, call: Call) -> StreamingResponse:
    after = call.request.headers.get("last-event-id") or None
    stream = await live.open_stream(context, call.query.ouId, after)
    if after is not None:
        Cursor.parse(after)  # 400 now: once the stream has begun it is too late for a status
    return StreamingResponse(stream_frames(stream), media_type="text/event-stream", headers=_HEADERS)


async def stream_frames(stream: Stream, keep_alive_seconds: float = _KEEP_ALIVE_SECONDS) -> AsyncIterator[bytes]:
    """The bytes of an open stream; whenever nothing else came for so long, a comment."""
    async with stream.messages as subscription:
        yield _RETRY
        waiting = asyncio.ensure_future(anext(subscription))
        try:
            while True:
                # Not wait_for: it would cancel the subscription when the time is up.
                await asyncio.wait({waiting}, timeout=keep_alive_seconds)
                if not waiting.done():
                    yield _KEEP_ALIVE
                    continue
                message = waiting.result()
                encoded = lag_notice(message) if isinstance(message, Lagged) else frames(message, stream.full)
                if encoded:
                    yield encoded
                waiting = asyncio.ensure_future(anext(subscription))
        except StopAsyncIteration:
            return
        finally:
            waiting.cancel()


ROUTES = [
    Route(
        method="GET", path="/stream", summary="Score updates and events as they happen", tag="Stream", run=_stream,
        auth=(), query=StreamQuery, returns=str, media_type="text/event-stream", errors=(401, 403, 404),
    ),
]  # fmt: skip
