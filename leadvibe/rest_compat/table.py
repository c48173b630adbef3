"""A row of the route table, and the handler that every row shares."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute

from leadvibe.errors import not_found
from leadvibe.resolvers.authentication import Credentials
from leadvibe.resolvers.context import Context, Services
from leadvibe.rest_compat.codec import Answer, json_response, read_model, read_query

BEARER = ("bearer",)
BOTH = ("bearer", "basic")


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read: path parameters, and query and body as the route's models."""

    request: Request
    path: dict[str, str]
    query: Any
    body: Any


Run = Callable[[Context, Call], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One documented operation: where it is, what runs, what goes in and what comes out.

    `run` answers with a Response as it is, an Answer, or a value that becomes the JSON body.
    `returns` is the type of that value; `accepts` are request bodies (media type → type) that `run`
    reads by itself, where `body` would be read for it. With `auth`, a request without valid credentials
    is refused before its body is read, unless `run` verifies them itself. The OpenAPI document is made
    from all this.
    """

    method: str
    path: str
    summary: str
    tag: str
    run: Run
    status: int = 200
    aliases: tuple[str, ...] = ()
    auth: tuple[str, ...] = BOTH
    verifies: bool = False
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    accepts: dict[str, Any] = field(default_factory=dict)
    returns: Any = None
    media_type: str = "application/json"
    errors: tuple[int, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.path, *self.aliases)


def context_of(request: Request) -> Context:
    services: Services = request.app.state.services
    headers, cookies = request.headers, request.cookies
    credentials = Credentials(headers.get("authorization"), cookies.get("activeOu"), headers.get("x-unit-id"))
    return Context(services, credentials)


def endpoint(route: Route) -> Callable[[Request], Awaitable[Response]]:
    """Reads the request as the route says, runs it, and writes the answer."""

    async def handle(request: Request) -> Response:
        context = context_of(request)
        if route.auth and not route.verifies:
            await context.authenticate()
        if any("\0" in value for value in request.path_params.values()):
            raise not_found("An id with a NUL character")
        query = read_query(request.query_params, route.query) if route.query else None
        body = await read_model(request, route.body) if route.body else None
        result = await route.run(context, Call(request, request.path_params, query, body))
        if isinstance(result, Response):
            return result
        if isinstance(result, Answer):
            return json_response(result.body, route.status, result.headers)
        if route.status == 204:
            return Response(status_code=204)
        return json_response(result, route.status)

    return handle


def starlette_routes(table: list[Route]) -> list[StarletteRoute]:
    """The table as Starlette routes, fixed paths before those with parameters."""
    rows = [(path, route) for route in table for path in route.paths]
    rows.sort(key=lambda row: row[0].count("{"))
    return [StarletteRoute(path, endpoint(route), methods=[route.method]) for path, route in rows]
