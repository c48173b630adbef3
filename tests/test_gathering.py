"""What is written in one turn of the loop goes out at once, whole and in order, and a slow client is waited for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import ASGIApp, Receive, Scope, Send

from leadvibe.gathering import _MOST_BYTES, gathered
from leadvibe.processes import run
from tests.http_server import serving

_REQUEST = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


class _Recording(asyncio.Transport):
    """The transport of a connection whose bytes are looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


_PIECES = st.lists(st.sampled_from([b"a", b"bc" * 50, b"d" * 30_000, b"e" * (_MOST_BYTES + 1)]), max_size=6)


@given(st.lists(_PIECES, max_size=4))
async def test_each_turn_is_one_write_unless_it_is_long(turns: list[list[bytes]]) -> None:
    inner = _Recording()
    transport = gathered(inner, asyncio.get_running_loop())
    for pieces in turns:
        before, written = len(inner.writes), 0
        for piece in pieces:
            transport.write(piece)
            written += len(piece)
            assert written - sum(map(len, inner.writes[before:])) <= _MOST_BYTES
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        new = inner.writes[before:]
        assert b"".join(new) == b"".join(pieces)
        assert len(new) <= 1 + written // _MOST_BYTES
    transport.write(b"last")
    transport.close()
    assert inner.closed
    assert b"".join(inner.writes) == b"".join(piece for turn in turns for piece in turn) + b"last"


@asynccontextmanager
async def _connected(app: ASGIApp) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to the application on a real server, which logs as it is told."""
    async with serving(app, lifespan="off", log_config=None, log_level="warning") as url:
        address = urlsplit(url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            yield reader, writer
        finally:
            writer.close()


async def test_a_client_that_does_not_read_is_waited_for() -> None:
    piece, count = b"x" * 30_000, 2_000
    sent = 0
    stuck = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal sent
        length = b"%d" % (len(piece) * count)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        for number in range(count):
            writing = asyncio.ensure_future(
                send({"type": "http.response.body", "body": piece, "more_body": number < count - 1})
            )
            await asyncio.wait([writing], timeout=0.5)
            if not writing.done():
                stuck.set()
            await writing
            sent += 1

    async with _connected(app) as (reader, writer):
        writer.write(_REQUEST)
        async with asyncio.timeout(30):
            await stuck.wait()
            assert sent < count // 2  # what the system's own buffers hold
            await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(len(piece) * count)
    assert body == piece * count


def test_who_leaves_before_the_answers_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    """On the loop of real servers, whose closed transports raise when they are written to."""
    with caplog.at_level(logging.WARNING):
        run(_leave())
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


async def _leave() -> None:
    came, left, answered = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        came.set()
        await left.wait()
        await asyncio.sleep(0.02)  # as long as a commit takes; the connection of the last is closed by then
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})
        answered.set()

    async with _connected(app) as (_, writer), asyncio.timeout(10):
        writer.write(_REQUEST * 3)
        await came.wait()
        writer.transport.abort()
        left.set()
        await answered.wait()
