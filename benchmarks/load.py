"""A load generator light enough to leave the machine to the server it measures.

Every connection is kept alive and has one request in flight; requests are prepared bytes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast


@dataclass(frozen=True, slots=True)
class Load:
    """What a run got done: answers by status line, and seconds it took."""

    answers: int
    failures: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.answers / self.seconds


class _Connection(asyncio.Protocol):
    """Sends the next request as soon as the answer to the last one is whole."""

    def __init__(self, requests: Iterator[bytes], until: float, status: bytes) -> None:
        self._requests, self._until, self._status = requests, until, status
        self._buffer = b""
        self.answers = self.failures = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is no subclass
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, gap, body = self._buffer.partition(b"\r\n\r\n")
        if not gap:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(body) < length:
            return
        if head.startswith(self._status):
            self.answers += 1
        else:
            self.failures += 1
        self._buffer = b""
        if time.perf_counter() < self._until:
            self._transport.write(next(self._requests))
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


def post(path: str, body: bytes, authorization: str) -> bytes:
    """The bytes of a POST request with a JSON body."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        f"Authorization: {authorization}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def saturate(
    port: int, requests: Callable[[], Iterator[bytes]], seconds: float, connections: int = 256, status: int = 202
) -> Load:
    """Keeps `connections` requests in flight for `seconds`; counts the answers with this status."""
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    source, expected = requests(), b"HTTP/1.1 %d" % status
    opened = [
        await loop.create_connection(lambda: _Connection(source, started + seconds, expected), "127.0.0.1", port)
        for _ in range(connections)
    ]
    protocols = [protocol for _, protocol in opened]
    await asyncio.gather(*(protocol.done for protocol in protocols))
    took = time.perf_counter() - started
    return Load(sum(p.answers for p in protocols), sum(p.failures for p in protocols), took)
