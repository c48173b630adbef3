"""An ASGI application on a real socket, for tests that look into it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from leadvibe.gathering import GatheringProtocol


@asynccontextmanager
async def serving(app: ASGIApp, **settings: Any) -> AsyncIterator[str]:
    """The application's URL: on uvicorn with the protocol of an API process, at a port that the system gave. `settings`
    are uvicorn's."""
    own = {"port": 0, "http": GatheringProtocol, "log_level": "critical", "timeout_graceful_shutdown": 1}
    server = uvicorn.Server(uvicorn.Config(app, **own | settings))
    task = asyncio.create_task(server.serve())
    while not server.started:
        assert not task.done(), "the server did not start"
        await asyncio.sleep(0.01)
    try:
        yield "http://{}:{}".format(*server.servers[0].sockets[0].getsockname())
    finally:
        server.should_exit = True
        await task
