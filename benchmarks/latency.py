"""From `POST /ingest` to `scoreUpdated` at a subscriber, while events come at a steady rate."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import cast

import orjson
import websockets

from benchmarks.accepts import authorization, rate_of
from benchmarks.load import post
from benchmarks.report import Figure, note
from benchmarks.scoring import worker_rate
from benchmarks.server import Bench, api, process, worker_connected

_RUNS = 3
_SECONDS = 10.0
_WARM_UP_SECONDS = 2.0
_CONNECTIONS = 64
# Requests are sent in small groups, as often as this; a timer for each would be the load itself.
_TICK_SECONDS = 0.002
_LIMIT_MS = 100.0


async def measure(bench: Bench) -> list[Figure]:
    """Half of the load that the API process accepts while a worker scores and a subscriber is told of it.

    Every event is of another lead, so that each message belongs to one request.
    """
    figures = []
    async with api(bench) as port, process("worker", bench):
        await worker_connected(bench)
        async with _subscription(bench, port, (), {}):
            accepted = await rate_of(bench, port)
        scored = await worker_rate(bench)
        rate = min(accepted, scored) / 2
        note(f"  {accepted:,.0f} accepts/s, scored and pushed; {scored:,.0f} scored/s; load: {rate:,.0f} events/s")
        p50s, p99s = [], []
        for run in range(_RUNS):
            latencies = sorted(await _latencies(bench, port, rate, run))
            cuts = statistics.quantiles(latencies, n=100)
            p50s.append(cuts[49] * 1000)
            p99s.append(cuts[98] * 1000)
            note(f"  run {run + 1}: {len(latencies):,} messages, p50 {p50s[-1]:.1f} ms, p99 {p99s[-1]:.1f} ms")
        for name, values in (("p50", p50s), ("p99", p99s)):
            title = f"ingest to scoreUpdated at {rate:,.0f} events/s, {name} in ms (reference: the limit)"
            figures.append(Figure(title, values, [_LIMIT_MS] * _RUNS, target="p99 below 1.0"))
    return figures


async def _latencies(bench: Bench, port: int, rate: float, run: int) -> list[float]:
    sent: dict[str, float] = {}
    received: dict[str, float] = {}
    count = round(rate * (_SECONDS + _WARM_UP_SECONDS))
    leads = [f"run{run}_{n}" for n in range(count)]
    async with (
        _subscription(bench, port, frozenset(leads), received),
        _connections(port) as transports,
        asyncio.timeout(_SECONDS + _WARM_UP_SECONDS + 30),
    ):
        await _send(bench, transports, rate, leads, sent)
        while len(received) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    warm = min(sent.values()) + _WARM_UP_SECONDS
    return [received[lead] - at for lead, at in sent.items() if at >= warm]


@asynccontextmanager
async def _subscription(
    bench: Bench, port: int, leads: Collection[str], received: dict[str, float]
) -> AsyncIterator[None]:
    """Subscribes to all leads over graphql-transport-ws and notes when the first message of each of these came: what
    was sent before may still be scored."""
    protocol = websockets.Subprotocol("graphql-transport-ws")
    address = f"ws://127.0.0.1:{port}/graphql"
    async with websockets.connect(address, subprotocols=[protocol], max_queue=None, compression=None) as socket:
        await socket.send(
            orjson.dumps({"type": "connection_init", "payload": {"Authorization": authorization(bench)}}).decode()
        )
        await socket.recv()
        query = "subscription { scoreUpdated { leadId delta score rulesetId } }"
        await socket.send(orjson.dumps({"type": "subscribe", "id": "1", "payload": {"query": query}}).decode())

        async def listen() -> None:
            async for message in socket:
                now = time.perf_counter()
                lead = orjson.loads(message)["payload"]["data"]["scoreUpdated"]["leadId"]
                if lead in leads:
                    received.setdefault(lead, now)

        task = asyncio.create_task(listen())
        await asyncio.sleep(0.5)  # the protocol does not say when a subscription has begun
        try:
            yield
        finally:
            task.cancel()


class _Sink(asyncio.Protocol):
    """A connection whose answers are not looked at: the subscription shows what was accepted."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)


@asynccontextmanager
async def _connections(port: int) -> AsyncIterator[list[asyncio.Transport]]:
    """Open until every message has come: a server that lags behind still owes their answers."""
    loop = asyncio.get_running_loop()
    pairs = [await loop.create_connection(_Sink, "127.0.0.1", port) for _ in range(_CONNECTIONS)]
    transports = [sink.transport for _, sink in pairs]
    try:
        yield transports
    finally:
        for transport in transports:
            transport.close()


async def _send(
    bench: Bench, transports: list[asyncio.Transport], rate: float, leads: list[str], sent: dict[str, float]
) -> None:
    """One request for each lead at a steady rate, whether or not the server keeps up."""
    sender = authorization(bench)
    started, done = time.perf_counter(), 0
    while done < len(leads):
        due = min(len(leads), int((time.perf_counter() - started) * rate) + 1)
        for number in range(done, due):
            body = {"event_type": "page_view", "lead_id": leads[number], "metadata": {"path": "/pricing"}}
            sent[leads[number]] = time.perf_counter()
            transports[number % _CONNECTIONS].write(post("/ingest", orjson.dumps(body), sender))
        done = due
        await asyncio.sleep(_TICK_SECONDS)
