"""The long-running parts of a Leadvibe machine: API, scoring worker, scheduler, deliverer. One process each."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
import uvloop
from starlette.applications import Starlette

from leadvibe import logs, metrics, tracing
from leadvibe.config import Settings
from leadvibe.live.publisher import Publisher
from leadvibe.store.database import Database
from leadvibe.store.embedded import embedded_postgres

# Set for the children of `serve`: they end when their standard input closes, that is, with their parent.
SUPERVISED = "LEADVIBE_SUPERVISED"

# Streams are open for ever; at a stop they get this long to finish what they are sending.
_GRACE_SECONDS = 3

_OBJECTS_BETWEEN_COLLECTIONS = 50_000


class CommandError(Exception):
    """Something the user can set right; the message says how."""


@contextmanager
def database_url(settings: Settings) -> Iterator[str]:
    """The configured database, or the embedded one, which runs as long as the context."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    with embedded_postgres(settings.data_dir) as url:
        yield url


def log_to_stderr(settings: Settings) -> None:
    logs.configure(settings.log_level, settings.log_format, settings.access_log)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Port 0 lets the system choose."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise CommandError(
            f"Cannot listen on {host}:{port} ({error.strerror}). Is another server running? "
            "Choose a port with LEADVIBE_PORT."
        ) from None
    listener.listen(2048)
    return listener


def tell_metrics(port: int | None) -> None:
    """Opens a port of its own for the metrics of a process that serves no HTTP otherwise."""
    if port is None:
        return
    try:
        metrics.listen(port)
    except OSError as error:
        raise CommandError(f"Cannot listen on port {port} for metrics ({error.strerror}).") from None


def run(main: Coroutine[Any, Any, None]) -> None:
    """Runs a coroutine on the fast event loop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


class _Server(uvicorn.Server):
    """Ends open streams before uvicorn waits for what is still running."""

    def __init__(self, config: uvicorn.Config, app: Starlette) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.services.hub.hang_up()
        await super().shutdown(sockets)


async def serve_api(settings: Settings, listener: socket.socket) -> None:
    """One API process; uvicorn handles SIGINT and SIGTERM."""
    gc.disable()  # what is imported stays: collections in between would find nothing, and take a fifth of the time
    from leadvibe.app import Application  # here and below: each part takes a while to import what it alone needs
    from leadvibe.gathering import GatheringProtocol

    tracing.start("api")
    app = Application(settings)
    config = uvicorn.Config(
        app,
        http=GatheringProtocol,
        log_config=None,
        access_log=False,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        lifespan="on",
    )
    server = _Server(config, app)
    spare_the_collector()

    def stop() -> None:
        server.should_exit = True

    _when_orphaned(stop)
    await server.serve(sockets=[listener])


async def serve_worker(settings: Settings) -> None:
    from leadvibe.pipeline.worker import Worker

    assert settings.database_url is not None
    tracing.start("worker")
    spare_the_collector()
    publisher = Publisher(settings.broadcast_url or settings.database_url)
    await publisher.connect()
    try:
        await Worker(settings.database_url, publisher, settings.batch_size).run(_stop_event())
    finally:
        await publisher.close()


async def serve_scheduler(settings: Settings) -> None:
    from leadvibe.pipeline.scheduler import run_jobs

    assert settings.database_url is not None
    tracing.start("scheduler")
    spare_the_collector()
    database = await Database.open(settings.database_url, pool_size=2)
    try:
        await run_jobs(database, _stop_event())
    finally:
        await database.close()


async def serve_deliverer(settings: Settings) -> None:
    from leadvibe.pipeline.delivery.deliverer import Deliverer
    from leadvibe.pipeline.delivery.senders import open_senders

    assert settings.database_url is not None
    tracing.start("deliverer")
    database = await Database.open(settings.database_url, pool_size=4)
    try:
        async with open_senders(settings, database) as senders:
            deliverer = Deliverer(
                settings.database_url, senders, settings.delivery_retry_seconds, settings.delivery_timeout_seconds
            )
            await deliverer.run(_stop_event())
    finally:
        await database.close()


def spare_the_collector() -> None:
    """What is loaded now lives as long as the process: collections, of 50 ms each, need not look at it, nor need a
    first one, of 180 ms, which would find next to nothing.

    Requests in flight survive many small collections and are looked at by each; rarer ones cost a
    server a third less, and some MB of garbage. So do the events that are scored anew.
    """
    gc.enable()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, 10, 10)


def _stop_event() -> asyncio.Event:
    """Set by SIGINT, SIGTERM, or the end of the supervisor."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    _when_orphaned(stop.set)
    return stop


def _when_orphaned(stop: Any) -> None:
    if SUPERVISED not in os.environ:
        return
    loop, standard_input = asyncio.get_running_loop(), sys.stdin.fileno()

    def closed() -> None:
        if not os.read(standard_input, 1):
            loop.remove_reader(standard_input)
            stop()

    loop.add_reader(standard_input, closed)
