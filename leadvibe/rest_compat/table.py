"""A row of the route table, and what every row does with a request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from leadvibe.errors import not_found
from leadvibe.resolvers import units
from leadvibe.resolvers.authentication import Credentials
from leadvibe.resolvers.context import Context, Services
from leadvibe.rest_compat.codec import Answer, json_response, read_model, read_query

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
    client = request.scope.get("client")
    return Context(services, Credentials.of(request.scope), client[0] if client else "")


async def answer(route: Route, request: Request) -> Response:
    """Reads the request as the route says, runs it, and makes the answer."""
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
