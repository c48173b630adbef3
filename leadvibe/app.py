"""Wires one API process: both doors, the services behind them, and the life of these services."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache

from prometheus_client import Counter
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leadvibe import metrics
from leadvibe.config import Settings
from leadvibe.errors import ApiError
from leadvibe.live.hub import Hub
from leadvibe.pipeline.buffer import IngestBuffer
from leadvibe.resolvers.authentication import Authenticator
from leadvibe.resolvers.context import Services
from leadvibe.resolvers.tokens import Tokens
from leadvibe.rest_compat.codec import on_api_error, on_crash, on_http_error
from leadvibe.rest_compat.routes import ROUTES
from leadvibe.rest_compat.table import RestRoutes
from leadvibe.schema.app import graphql_routes
from leadvibe.store.database import Database


@cache
def _counter(status: int, method: str) -> Counter:
    return metrics.http_requests.labels(status, method)


class CountRequests:
    """Counts HTTP requests by status code and method."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                _counter(message["status"], scope["method"]).inc()
            await send(message)

        await self.app(scope, receive, counting)


def create_app(settings: Settings) -> Starlette:
    """The ASGI application of an API process; `settings.database_url` names its database."""
    return Starlette(
        routes=[RestRoutes(ROUTES), *graphql_routes()],
        middleware=[Middleware(CountRequests)],
        exception_handlers={ApiError: on_api_error, HTTPException: on_http_error, Exception: on_crash},
        lifespan=_lifespan(settings),
    )


def _lifespan(settings: Settings) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    assert settings.database_url is not None, "the command line resolves the database first"
    url = settings.database_url

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        database = await Database.open(url)
        authenticator = Authenticator(database, await Tokens.from_settings(settings, database))
        buffer = IngestBuffer(database, settings.ingest_buffer)
        hub = Hub(database, settings.broadcast_url or url)
        app.state.services = services = Services(settings, database, authenticator, buffer, hub)
        await buffer.start()
        await hub.start()
        try:
            yield
        finally:
            await hub.stop()
            await services.background.stop()
            await buffer.stop()  # what was accepted is written before the process ends
            await database.close()

    return lifespan
