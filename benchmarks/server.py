"""What the benchmarks run against: a PostgreSQL of their own, a unit with rules, and Leadvibe processes."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from leadvibe.config import Settings
from leadvibe.ids import new_id
from leadvibe.pipeline.events import read_event
from leadvibe.resolvers.authentication import Authenticator
from leadvibe.resolvers.bootstrap import Bootstrapped, bootstrap
from leadvibe.resolvers.tokens import Tokens
from leadvibe.store.config_tables import Rule, Ruleset
from leadvibe.store.database import Database
from leadvibe.store.embedded import embedded_postgres
from leadvibe.store.migrate import migrate
from leadvibe.store.queue import WAKE_CHANNEL, enqueue

EVENT_TYPES = ("page_view", "email_open", "email_click", "form_submit", "demo_request", "webinar", "download", "login")
_RULESETS = ("Behaviour", "Intent")


@dataclass(frozen=True, slots=True)
class Bench:
    """A migrated database with one organisation whose unit has two rulesets with eight rules each."""

    url: str
    database: Database
    owner: Bootstrapped


@asynccontextmanager
async def bench_server() -> AsyncIterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="leadvibe-bench-") as folder, embedded_postgres(Path(folder)) as url:
        await migrate(url)
        database = await Database.open(url, pool_size=8)
        try:
            authenticator = Authenticator(database, await Tokens.from_settings(Settings(), database))
            owner = await bootstrap(authenticator, "Bench", "bench@leadvibe.example", new_id("pw"))
            await configure(database, owner)
            yield Bench(url, database, owner)
        finally:
            await database.close()


async def configure(database: Database, owner: Bootstrapped) -> None:
    """Two rulesets with eight rules each."""
    async with database.session() as session, session.begin():
        for number, name in enumerate(_RULESETS):
            ids = {"unit_id": owner.unit_id, "org_id": owner.org_id, "ruleset_id": f"rs_{number}"}
            session.add(Ruleset(name=name, is_primary=number == 0, **ids))
            for weight, event_type in enumerate(EVENT_TYPES, 1):
                session.add(Rule(rule_id=new_id("rl"), event_type=event_type, weight=weight, **ids))


@asynccontextmanager
async def process(command: str, bench: Bench, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`leadvibe COMMAND` beside the benchmark, stopped with SIGTERM."""
    environment = os.environ | {"LEADVIBE_DATABASE_URL": bench.url, "LEADVIBE_LOG_LEVEL": "warning"} | settings
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "leadvibe", command, env=environment)
    try:
        yield child
    finally:
        child.terminate()
        await child.wait()


@asynccontextmanager
async def api(bench: Bench) -> AsyncIterator[int]:
    """An API process; yields its port when it answers."""
    port = free_port()
    async with process("api", bench, LEADVIBE_PORT=str(port)):
        await answering(port)
        yield port


@asynccontextmanager
async def bare() -> AsyncIterator[int]:
    """The reference server; yields its port when it answers."""
    port = free_port()
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "benchmarks.bare", str(port))
    try:
        await answering(port)
        yield port
    finally:
        child.terminate()
        await child.wait()


async def answering(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def worker_connected(bench: Bench) -> None:
    async with asyncio.timeout(30):
        while not await bench.database.pool.fetchval(  # noqa: ASYNC110
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'leadvibe-worker'"
        ):
            await asyncio.sleep(0.02)


async def fill(bench: Bench, bodies: Iterator[dict[str, object]], events_at_once: int = 5_000) -> int:
    """Puts events into the queue as the ingest buffer does; returns their number."""
    count = 0
    async with bench.database.pool.acquire() as connection:
        waiting = []
        for body in bodies:
            waiting.append(read_event(body, datetime.now(UTC)))
            if len(waiting) == events_at_once:
                await enqueue(connection, bench.owner.unit_id, waiting)
                count += len(waiting)
                waiting = []
        await enqueue(connection, bench.owner.unit_id, waiting)
        return count + len(waiting)


@asynccontextmanager
async def held_lane(bench: Bench) -> AsyncIterator[None]:
    """Keeps workers off the unit while the queue is filled; wakes them up at the end."""
    async with bench.database.pool.acquire() as connection:
        async with connection.transaction():
            await connection.execute("SELECT FROM lanes WHERE unit_id = $1 FOR UPDATE", bench.owner.unit_id)
            yield
        await connection.execute(f"NOTIFY {WAKE_CHANNEL}")


async def scored(bench: Bench) -> int:
    """How many events of the unit are scored and committed."""
    count = await bench.database.pool.fetchval("SELECT last_seq FROM lanes WHERE unit_id = $1", bench.owner.unit_id)
    assert isinstance(count, int)
    return count


async def scored_at_least(bench: Bench, count: int) -> float:
    """Waits until so many events are scored; the seconds it took."""
    started = time.perf_counter()
    while await scored(bench) < count:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    return time.perf_counter() - started
