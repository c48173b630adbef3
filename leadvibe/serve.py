"""`leadvibe serve`: everything on one machine, supervised."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import socket
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

from sqlalchemy import func
from sqlmodel import select

from leadvibe.config import Settings
from leadvibe.metrics import forget_process
from leadvibe.processes import SUPERVISED, database_url, listen, run
from leadvibe.resolvers.authentication import Authenticator
from leadvibe.resolvers.bootstrap import Bootstrapped, bootstrap
from leadvibe.resolvers.tokens import Tokens
from leadvibe.store.database import Database
from leadvibe.store.migrate import migrate
from leadvibe.store.tables import Organisation

DEMO_EMAIL = "demo@leadvibe.example"

_LONGEST_BACKOFF_SECONDS = 10.0
# A part that ran this long was healthy: its next death starts a new count.
_HEALTHY_SECONDS = 30.0
_STOP_SECONDS = 15.0
_START_SECONDS = 60.0

_log = logging.getLogger(__name__)


def serve_all(settings: Settings) -> None:
    """Runs until SIGINT or SIGTERM. A second signal does not wait for requests and batches."""
    with database_url(settings) as url, listen(settings.host, settings.port) as listener:
        run(_serve(settings.model_copy(update={"database_url": url}), listener))


async def _serve(settings: Settings, listener: socket.socket) -> None:
    assert settings.database_url is not None
    await migrate(settings.database_url)
    demo = await _demo(settings)
    with tempfile.TemporaryDirectory(prefix="leadvibe-metrics-") as metrics:
        environment = os.environ | {
            "LEADVIBE_DATABASE_URL": settings.database_url,
            SUPERVISED: "1",
            "PROMETHEUS_MULTIPROC_DIR": metrics,
        }
        await _Supervisor(settings, listener, environment).run(demo)


async def _demo(settings: Settings) -> tuple[Bootstrapped, str] | None:
    """A demo organisation for a database that has none, and its owner's password. ValueError for wrong keys."""
    assert settings.database_url is not None
    database = await Database.open(settings.database_url, pool_size=2)
    try:
        authenticator = Authenticator(database, await Tokens.from_settings(settings, database))
        async with database.session() as session:
            if (await session.exec(select(func.count()).select_from(Organisation))).one():
                return None
        password = secrets.token_urlsafe(9)
        return await bootstrap(authenticator, "Demo", DEMO_EMAIL, password), password
    finally:
        await database.close()


@dataclass(slots=True)
class _Part:
    """A child process that is started again when it dies. It inherits `descriptors`, and no others."""

    name: str
    arguments: list[str]
    descriptors: tuple[int, ...] = ()
    process: asyncio.subprocess.Process | None = None


@dataclass(slots=True)
class _Supervisor:
    settings: Settings
    listener: socket.socket
    environment: dict[str, str]
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    hurry: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, demo: tuple[Bootstrapped, str] | None) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._on_signal)
        # In the order of stopping: first nothing more comes in, then what is at hand is finished.
        door = self.listener.fileno()
        apis = self._parts("api", self.settings.api_processes, "--fd", str(door), descriptors=(door,))
        workers = self._parts("worker", self.settings.workers)
        rest = self._parts("scheduler", 1) + self._parts("deliver", 1)
        keepers_of_rest: list[asyncio.Task[None]] = []
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._stop, rest, keepers_of_rest)
            for group in (workers, apis):
                keepers = [asyncio.create_task(self._keep(part)) for part in group]
                stack.push_async_callback(self._stop, group, keepers)
            # While anybody holds it, the system lets clients in that nobody will answer.
            stack.callback(self.listener.close)
            if await self._ready():
                print(_greeting(self.settings, self.listener, demo), flush=True)
            # Nobody waits for these, and they would only slow the others' start.
            keepers_of_rest += [asyncio.create_task(self._keep(part)) for part in rest]
            await self.stopping.wait()

    def _parts(self, command: str, count: int, *arguments: str, descriptors: tuple[int, ...] = ()) -> list[_Part]:
        return [_Part(f"{command} {i}", [command, *arguments], descriptors) for i in range(1, count + 1)]

    def _on_signal(self) -> None:
        if self.stopping.is_set():
            self.hurry.set()
        self.stopping.set()

    async def _keep(self, part: _Part) -> None:
        loop, backoff = asyncio.get_running_loop(), 0.2
        while not self.stopping.is_set():
            started = loop.time()
            part.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "leadvibe",
                *part.arguments,
                env=self.environment,
                # Its other end is ours: when we are gone the child reads the end and stops.
                stdin=asyncio.subprocess.PIPE,
                pass_fds=part.descriptors,
                # A Ctrl-C is for us; the children are stopped in order.
                start_new_session=True,
            )
            status = await part.process.wait()
            forget_process(self.environment["PROMETHEUS_MULTIPROC_DIR"], part.process.pid)
            if not self.stopping.is_set():
                backoff = (
                    0.2 if loop.time() - started > _HEALTHY_SECONDS else min(backoff * 2, _LONGEST_BACKOFF_SECONDS)
                )
                _log.error("%s ended with status %d; it starts again in %.1f s.", part.name, status, backoff)
                await self._pause(backoff)

    async def _pause(self, seconds: float) -> None:
        stopping = asyncio.create_task(self.stopping.wait())
        await asyncio.wait({stopping}, timeout=seconds)
        stopping.cancel()

    async def _stop(self, parts: list[_Part], keepers: list[asyncio.Task[None]]) -> None:
        self.stopping.set()
        _signal(parts, signal.SIGTERM)
        hurry = asyncio.create_task(self.hurry.wait())
        everybody = asyncio.gather(*keepers)
        hurry.add_done_callback(lambda _: _signal(parts, signal.SIGKILL))
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await asyncio.shield(everybody)
        except TimeoutError:
            _signal(parts, signal.SIGKILL)
            await everybody
        hurry.cancel()

    async def _ready(self) -> bool:
        """Waits until the server answers that it is ready; false when it is told to stop before."""
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        url = f"{_url(self.settings, self.listener)}/readyz"
        while not self.stopping.is_set():
            if await asyncio.to_thread(_answers, url):
                return True
            if asyncio.get_running_loop().time() > deadline:
                _log.error("The server is not ready after %.0f s; %s says why.", _START_SECONDS, url)
                return True
            await self._pause(0.05)
        return False


def _answers(url: str) -> bool:
    opener = build_opener(ProxyHandler({}))  # this machine's own server, whatever proxy is set
    try:
        with opener.open(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def _signal(parts: list[_Part], number: signal.Signals) -> None:
    for part in parts:
        if part.process is not None and part.process.returncode is None:
            part.process.send_signal(number)


def _url(settings: Settings, listener: socket.socket) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://{host}:{listener.getsockname()[1]}"


def _greeting(settings: Settings, listener: socket.socket, demo: tuple[Bootstrapped, str] | None) -> str:
    url = _url(settings, listener)
    lines = [
        "",
        f"  Leadvibe is ready at {url}",
        "",
        f"  GraphiQL    {url}/graphql",
        f"  OpenAPI     {url}/openapi.json",
        f"  Metrics     {url}/metrics",
    ]
    if demo is None:
        # As we were started ourselves: after `make run`, leadvibe is not on the PATH.
        command = sys.argv[0] if Path(sys.argv[0]).name == "leadvibe" else f"{sys.executable} -m leadvibe"
        lines += ["", f"  New credential: {command} bootstrap --org NAME --email E --password P --json"]
    else:
        made, password = demo
        lines += [
            f"  Login       {DEMO_EMAIL} / {password}",
            f"  Credential  {made.client_id}:{made.client_secret}",
            "",
            "  Keep these: they are not shown again. Send a first event:",
            "",
            f"  curl -u {made.client_id}:{made.client_secret} {url}/ingest \\",
            """    -d '{"event_type": "page_view", "lead_id": "ld_1", "metadata": {"path": "/pricing"}}'""",
        ]
    return "\n".join([*lines, ""])
