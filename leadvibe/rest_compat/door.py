"""The REST door: finds the row of a request in the route table, and answers by it."""

from __future__ import annotations

import re
from urllib.parse import unquote

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Match
from starlette.routing import Route as Pattern
from starlette.types import ASGIApp, Receive, Scope, Send

from leadvibe.errors import ApiError
from leadvibe.rest_compat.codec import error_response, on_crash, on_http_error
from leadvibe.rest_compat.table import Route, answer

# Half a surrogate pair, which no decoded path has.
_SLASH = "\udc2f"
_ENCODED_SLASH = re.compile("%2f", re.IGNORECASE)


class RestDoor:
    """Answers what the table has a path for, and leaves the rest to the application behind it.

    Paths without parameters are found in a dictionary, the others among those with the same first segment: the table
    is long, and Starlette would try row after row. It stands in front of all of Starlette's own middleware, which
    would cost a request that only stores an event a tenth of its time.
    """

    def __init__(self, app: ASGIApp, table: list[Route]) -> None:
        self.app = app
        self._fixed: dict[str, dict[str, Route]] = {}
        self._others: dict[str, list[tuple[Pattern, Route]]] = {}
        for route in table:
            for path in route.paths:
                pattern = Pattern(path, answer, methods=[route.method])
                if "{" in path:
                    self._others.setdefault(_first(path), []).append((pattern, route))
                else:
                    self._fixed.setdefault(path, {}).update(dict.fromkeys(pattern.methods or (), route))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        request = Request(scope, receive, send)
        try:
            route = self._find(scope)
            response = None if route is None else await answer(route, request)
        except ApiError as error:
            response = error_response(error)
        except HTTPException as error:
            response = await on_http_error(request, error)
        except ClientDisconnect:
            return  # nobody is there to be answered
        except Exception as error:
            response = await on_crash(request, error)
        await (response or self.app)(scope, receive, send)

    def _find(self, scope: Scope) -> Route | None:
        """The route with the path and method, whose `path_params` the scope then has; None when no route has the
        path. Raises 405 when one has it with another method."""
        path = _path(scope)
        methods = self._fixed.get(path, {})
        if route := methods.get(scope["method"]):
            scope["path_params"] = {}
            return route
        allowed = set(methods)
        for pattern, route in self._others.get(_first(path), ()):
            match, child = pattern.matches({**scope, "path": path})
            if match is Match.FULL:
                values = child["path_params"].items()
                scope["path_params"] = {name: value.replace(_SLASH, "/") for name, value in values}
                return route
            if match is Match.PARTIAL:
                allowed |= pattern.methods or set()
        if allowed:
            raise HTTPException(405, headers={"Allow": ", ".join(sorted(allowed))})
        return None


def _path(scope: Scope) -> str:
    """The decoded path, with _SLASH for a slash inside a segment, which clients send as %2F: ids are opaque."""
    raw: bytes = scope.get("raw_path") or b""
    if b"%2f" not in raw.lower():
        path: str = scope["path"]
        return path
    return unquote(_ENCODED_SLASH.sub(_SLASH, raw.decode("latin-1")))


def _first(path: str) -> str:
    return path.split("/", 2)[1] if "/" in path else ""
