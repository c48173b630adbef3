"""Wires one API process: both doors, the services behind them, and the life of these services."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from leadvibe import gauges, tracing
from leadvibe.access import Access
from leadvibe.browsers import for_browsers
from leadvibe.config import Settings
from leadvibe.crypto import Vault
from leadvibe.errors import ApiError
from leadvibe.live.hub import Hub
from leadvibe.pipeline.audit_trail import AuditTrail
from leadvibe.pipeline.buffer import IngestBuffer
from leadvibe.pipeline.rate_limit import RateLimiter
from leadvibe.resolvers.authentication import Authenticator
from leadvibe.resolvers.context import Services
from leadvibe.resolvers.tokens import Tokens
from leadvibe.rest_compat.codec import on_api_error, on_crash, on_http_error
from leadvibe.rest_compat.docs import docs_routes
from leadvibe.rest_compat.door import RestDoor
from leadvibe.rest_compat.routes import ROUTES
from leadvibe.schema.app import graphql_routes
from leadvibe.schema.front import Front
from leadvibe.schema.persisted import Documents
from leadvibe.store.database import Database


class Application(Starlette):
    """The ASGI application of an API process: Starlette behind what every request goes through, and behind the REST
    operations. `settings.database_url` names its database."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._documents = settings, Documents.from_settings(settings)
        super().__init__(
            routes=[*docs_routes(), *graphql_routes(self._documents)],
            exception_handlers={ApiError: on_api_error, HTTPException: on_http_error, Exception: on_crash},
            lifespan=_lifespan(settings),
        )

    def build_middleware_stack(self) -> ASGIApp:
        rest = RestDoor(super().build_middleware_stack(), ROUTES)
        doors = Front(rest, self._documents)
        return tracing.traced(Access(for_browsers(doors, self._settings)))


def _lifespan(settings: Settings) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    assert settings.database_url is not None, "the command line resolves the database first"
    url = settings.database_url

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        database = await Database.open(url)
        authenticator = Authenticator(database, await Tokens.from_settings(settings, database))
        buffer = IngestBuffer(database, settings.ingest_buffer)
        hub = Hub(database, settings.broadcast_url or url)
        vault = Vault.from_settings(settings)
        trail, limiter = AuditTrail(database), RateLimiter(database, settings)
        app.state.services = services = Services(settings, database, authenticator, buffer, hub, vault, trail, limiter)
        await buffer.start()
        await hub.start()
        trail.start()
        looking = asyncio.create_task(gauges.keep_looking(database, buffer), name="gauges")
        try:
            yield
        finally:
            looking.cancel()
            await hub.stop()
            await services.background.stop()
            await buffer.stop()  # what was accepted is written before the process ends
            await trail.stop()
            await database.close()

    return lifespan
