"""Durable accepts per second of one API process, beside a bare route that parses the same JSON."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import orjson

from benchmarks.load import Load, post, saturate
from benchmarks.report import Figure, note
from benchmarks.server import EVENT_TYPES, Bench, api, bare

_RUNS = 7
_SECONDS = 4.0
_PREPARED = 2_000


def authorization(bench: Bench) -> str:
    pair = f"{bench.owner.client_id}:{bench.owner.client_secret}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def requests(bench: Bench) -> Iterator[bytes]:
    """Single events of many leads, over and over."""
    sender = authorization(bench)
    prepared = [
        post(
            "/ingest",
            orjson.dumps(
                {
                    "event_type": EVENT_TYPES[n % len(EVENT_TYPES)],
                    "lead_id": f"lead_{n}",
                    "metadata": {"path": "/pricing", "title": "Pricing"},
                }
            ),
            sender,
        )
        for n in range(_PREPARED)
    ]
    while True:
        yield from prepared


async def measure(bench: Bench) -> list[Figure]:
    ours: list[float] = []
    references: list[float] = []
    async with api(bench) as port, bare() as reference_port:
        for run in range(_RUNS):
            ours.append(await rate_of(bench, port))
            references.append(await rate_of(bench, reference_port))
            note(f"  run {run + 1}: {ours[-1]:,.0f} accepts/s, bare route {references[-1]:,.0f} answers/s")
    waiting = await bench.database.pool.fetchval("SELECT count(*) FROM ingest_queue")
    note(f"  {waiting:,} events wait in the queue")
    await bench.database.pool.execute("TRUNCATE ingest_queue")
    return [
        Figure(
            "durable accepts/s, single-event POST /ingest, one API process (reference: bare Starlette route)",
            ours,
            references,
            target="at least 0.5",
        )
    ]


async def rate_of(bench: Bench, port: int) -> float:
    """Accepts per second under a load that the server cannot exceed."""
    load: Load = await saturate(port, lambda: requests(bench), _SECONDS)
    if load.failures:
        raise RuntimeError(f"{load.failures} of {load.answers + load.failures} requests were not accepted")
    return load.rate
