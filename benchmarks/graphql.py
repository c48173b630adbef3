"""GraphQL queries per second of one API process, beside PostGraphile 5 on the same table of the same PostgreSQL.

PostGraphile needs Node 22 and its packages: `npm ci --no-audit --no-fund` in this folder brings both.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import orjson

from benchmarks.accepts import authorization
from benchmarks.load import post, saturate
from benchmarks.report import Figure, note
from benchmarks.server import Bench, answering, api, free_port

_HERE = Path(__file__).parent
_OLDEST_NODE = 22
_RUNS = 7
_SECONDS = 4.0
_CONNECTIONS = 32
# As many as an API process has for its queries.
_DATABASE_CONNECTIONS = 10
_LEADS = 10_000
_PAGE = 50

_FIELDS = "leadId score profileScore accountId ownerId ownerName lastEventAt lastEventType createdAt updatedAt"
_OURS = f"{{ leads(first: {_PAGE}) {{ nodes {{ {_FIELDS} }} }} }}"
# In the order of its primary key, which costs it least.
_THEIRS = f"{{ allLeads(first: {_PAGE}) {{ nodes {{ {_FIELDS} }} }} }}"

_FILL = """
    INSERT INTO leads (unit_id, lead_id, metadata, score, scores, profile_score, session_count, owner_id, owner_name,
                       account_id, last_event_at, last_event_type, created_at, updated_at)
    SELECT $1, 'lead_' || lpad(n::text, 7, '0'), '{"plan": "Pro", "country": "DE"}', (n::bigint * 7919) % 1000,
           jsonb_build_object('rs_0', (n::bigint * 7919) % 1000), n % 100, 1, 'owner_' || n % 7, 'Owner ' || n % 7,
           'account_' || n % 500, $3::timestamptz - n * interval '1 second', 'page_view',
           $3::timestamptz - n * interval '1 minute', $3
    FROM generate_series(1, $2::int) n
"""


async def measure(bench: Bench) -> list[Figure]:
    if (missing := _missing()) is not None:
        note(f"  not measured: {missing}; run `npm ci --no-audit --no-fund` in {_HERE.name}/")
        return []
    await bench.database.pool.execute(_FILL, bench.owner.unit_id, _LEADS, datetime.now(UTC))
    await bench.database.pool.execute("ANALYZE leads")
    sender = authorization(bench)
    ours: list[float] = []
    references: list[float] = []
    async with api(bench) as port, _postgraphile(bench) as reference_port:
        await _same_answer(port, reference_port, sender)
        for run in range(_RUNS):
            ours.append(await _rate(port, _OURS, sender))
            references.append(await _rate(reference_port, _THEIRS, sender))
            note(f"  run {run + 1}: {ours[-1]:,.0f} queries/s, PostGraphile {references[-1]:,.0f}")
    return [
        Figure(
            f"GraphQL queries/s, {_PAGE} leads with 10 fields, one API process (reference: PostGraphile 5)",
            ours,
            references,
            target="at least 1.5",
        )
    ]


def _missing() -> str | None:
    """What PostGraphile needs and is not there."""
    if not (_HERE / "node_modules" / "postgraphile").exists():
        return "PostGraphile is not installed"
    return None if _node() else f"there is no Node {_OLDEST_NODE}"


def _node() -> str | None:
    """A Node that is new enough: npm's, or else the system's."""
    for found in (_HERE / "node_modules" / ".bin" / "node", shutil.which("node")):
        if found and shutil.which(found):
            version = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
            if version.startswith("v") and int(version[1:].partition(".")[0]) >= _OLDEST_NODE:
                return str(found)
    return None


@asynccontextmanager
async def _postgraphile(bench: Bench) -> AsyncIterator[int]:
    """PostGraphile in production mode; yields its port when it answers."""
    node, port = _node(), free_port()
    assert node is not None
    child = await asyncio.create_subprocess_exec(
        *(node, str(_HERE / "postgraphile.js"), bench.url, str(port), str(_DATABASE_CONNECTIONS)),
        env={"NODE_ENV": "production", "GRAPHILE_ENV": "production"},
    )
    try:
        await answering(port)
        yield port
    finally:
        child.terminate()
        await child.wait()


async def _same_answer(port: int, reference_port: int, sender: str) -> None:
    """Both answer whole pages with the same fields, or the comparison would be none."""
    async with httpx.AsyncClient(headers={"Authorization": sender}, timeout=60) as client:
        pages = []
        for each, query in ((port, _OURS), (reference_port, _THEIRS)):
            answer = await client.post(f"http://127.0.0.1:{each}/graphql", json={"query": query})
            (page,) = answer.raise_for_status().json()["data"].values()
            pages.append([set(node) for node in page["nodes"]])
    if pages[0] != pages[1] or len(pages[0]) != _PAGE:
        raise RuntimeError("The two servers do not answer the same pages.")


async def _rate(port: int, query: str, sender: str) -> float:
    """Answers per second under a load that the server cannot exceed."""
    request = post("/graphql", orjson.dumps({"query": query}), sender)

    def requests() -> Iterator[bytes]:
        while True:
            yield request

    load = await saturate(port, requests, _SECONDS, _CONNECTIONS, status=200)
    if load.failures:
        raise RuntimeError(f"{load.failures} of {load.answers + load.failures} queries failed")
    return load.rate
