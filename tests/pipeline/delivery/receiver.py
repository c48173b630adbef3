"""An HTTP receiver on a port that the system gives, which behaves as it is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Answer = Callable[["Request", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Request:
    """What came in. `number` counts the receiver's requests from 1; `at` is of the monotonic clock."""

    number: int
    line: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    answer: Answer
    requests: list[Request] = field(default_factory=list)
    port: int = 0
    open: int = 0
    most_open: int = 0
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def ids(self) -> list[str]:
        return [request.id for request in self.requests]

    async def until(self, count: int, seconds: float = 30) -> list[Request]:
        """As soon as so many requests have come in."""
        async with asyncio.timeout(seconds), self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= count)
        return self.requests

    async def until_ids(self, ids: set[str], seconds: float = 60) -> None:
        async with asyncio.timeout(seconds), self._arrived:
            await self._arrived.wait_for(lambda: ids <= set(self.ids()))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.most_open = max(self.open, self.most_open)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:-2])}
            body = await reader.readexactly(int(headers["content-length"]))
            request = Request(len(self.requests) + 1, head[0], headers, body, time.monotonic())
            async with self._arrived:
                self.requests.append(request)
                self._arrived.notify_all()
            await self.answer(request, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):  # the sender is gone, or the test
            pass
        finally:
            self.open -= 1
            writer.close()


@asynccontextmanager
async def receiver(answer: Answer) -> AsyncIterator[Receiver]:
    made = Receiver(answer)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


async def _write(writer: asyncio.StreamWriter, status: int, headers: str = "") -> None:
    writer.write(f"HTTP/1.1 {status} Said\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
    await writer.drain()


def answers(status: int, headers: str = "") -> Answer:
    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        await _write(writer, status, headers)

    return answer


def first(count: int, before: Answer, after: Answer) -> Answer:
    """Behaves one way for so many requests, and then another."""

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        await (before if request.number <= count else after)(request, writer)

    return answer


def at(path: str, there: Answer, elsewhere: Answer) -> Answer:
    """Behaves one way at a path, and otherwise another."""

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        await (there if request.line.split(" ")[1] == path else elsewhere)(request, writer)

    return answer


async def hangs(request: Request, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def dies(request: Request, writer: asyncio.StreamWriter) -> None:
    """In the middle of its answer."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
    await writer.drain()
    writer.transport.abort()


OK = answers(204)
