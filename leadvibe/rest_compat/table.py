"""A row of the route table, and the handler that every row shares."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import unquote

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.routing import Route as StarletteRoute
from starlette.types import Receive, Scope, Send

from leadvibe.errors import not_found
from leadvibe.resolvers import units
from leadvibe.resolvers.authentication import Credentials
from leadvibe.resolvers.context import Context, Services
from leadvibe.rest_compat.codec import Answer, json_response, read_model, read_query

# Half a surrogate pair, which no decoded path has.
_SLASH = "\udc2f"
_ENCODED_SLASH = re.compile("%2f", re.IGNORECASE)

BEARER = ("bearer",)
BOTH = ("bearer", "basic")


class Call(NamedTuple):
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
    is refused before its body is read, unless `run` verifies them itself; with `in_unit`, `run` works in the
    unit that this parameter of the path names, whatever the caller's active one is. `also` are further statuses with
    the same body; with `page`, a browser gets HTML instead. The OpenAPI document is made from all this.
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
    in_unit: str | None = None
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    accepts: dict[str, Any] = field(default_factory=dict)
    returns: Any = None
    media_type: str = "application/json"
    also: tuple[int, ...] = ()
    page: bool = False
    errors: tuple[int, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.path, *self.aliases)


def context_of(request: Request) -> Context:
    services: Services = request.app.state.services
    return Context(services, Credentials.of(request.scope["headers"]), request.client.host if request.client else "")


def endpoint(route: Route) -> Callable[[Request], Awaitable[Response]]:
    """Reads the request as the route says, runs it, and writes the answer."""

    async def handle(request: Request) -> Response:
        context = context_of(request)
        if route.in_unit is not None:
            context = await units.in_unit(context, request.path_params[route.in_unit])
        elif route.auth and not route.verifies:
            await context.authenticate()
        if request.path_params and any("\0" in value for value in request.path_params.values()):
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


class RestRoutes(BaseRoute):
    """The table as one route of the application.

    Paths without parameters are found in a dictionary, the others among those with the same first
    segment: the table is long, and Starlette would try row after row.
    """

    def __init__(self, table: list[Route]) -> None:
        self._fixed: dict[str, dict[str, StarletteRoute]] = {}
        self._others: dict[str, list[StarletteRoute]] = {}
        for route in table:
            for path in route.paths:
                row = StarletteRoute(path, endpoint(route), methods=[route.method])
                if "{" in path:
                    self._others.setdefault(_first(path), []).append(row)
                else:
                    self._fixed.setdefault(path, {}).update(dict.fromkeys(row.methods or (), row))

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """The route with the path and method; without one, a route with the path, which answers 405."""
        if scope["type"] != "http":
            return Match.NONE, {}
        path = _path(scope)
        methods = self._fixed.get(path, {})
        if row := methods.get(scope["method"]):
            return Match.FULL, {"path_params": {}, "endpoint": row.endpoint, "rest_route": row}
        if path != scope["path"]:
            scope = {**scope, "path": path}
        partial: tuple[Match, Scope] = Match.NONE, {}
        for row in (*methods.values(), *self._others.get(_first(path), ())):
            match, child = row.matches(scope)
            if match is Match.FULL:
                ids = {name: value.replace(_SLASH, "/") for name, value in child["path_params"].items()}
                return match, {**child, "path_params": ids, "rest_route": row}
            if match is Match.PARTIAL and partial[0] is Match.NONE:
                partial = match, {**child, "rest_route": row}
        return partial

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await scope["rest_route"].handle(scope, receive, send)


def _path(scope: Scope) -> str:
    """The decoded path, with _SLASH for a slash inside a segment, which clients send as %2F: ids are opaque."""
    raw: bytes = scope.get("raw_path") or b""
    if b"%2f" not in raw.lower():
        path: str = scope["path"]
        return path
    return unquote(_ENCODED_SLASH.sub(_SLASH, raw.decode("latin-1")))


def _first(path: str) -> str:
    return path.split("/", 2)[1] if "/" in path else ""
