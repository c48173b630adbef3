"""What protects people whose browser talks to the server: CORS, host names, foreign pages, framing.

Requests prove who sends them by the Authorization header; the cookie `activeOu` only chooses a unit and
gives nobody access. But browsers add a remembered HTTP Basic login to whatever any page sends, so a
page of another origin may change nothing, and open no socket, unless LEADVIBE_CORS_ORIGINS names it.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leadvibe.config import Settings
from leadvibe.errors import bad_request, forbidden
from leadvibe.resolvers.requests import header
from leadvibe.rest_compat.codec import error_response

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_SENT = ["Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "X-Request-Id", "X-Unit-Id"]
_SHOWN = ["Retry-After", "X-Org-Id", "X-Request-Id", "X-Total-Count", "X-Unit-Id"]
_PROBES = frozenset({"/livez", "/readyz"})
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]

_HTML_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "frame-ancestors 'none'; base-uri 'self'; object-src 'none'",
}


def for_browsers(app: ASGIApp, settings: Settings) -> ASGIApp:
    """The application behind what the settings ask for."""
    origins, hosts = _names(settings.cors_origins), _names(settings.allowed_hosts)
    app = ForeignPages(HtmlHeaders(app), origins=origins, own_url=settings.public_url)
    if origins:
        app = CORSMiddleware(
            app,
            allow_origins=origins,
            # With any origin there is nobody to trust a cookie to.
            allow_credentials="*" not in origins,
            allow_methods=_METHODS,
            allow_headers=_SENT,
            expose_headers=_SHOWN,
        )
    return NamedHosts(app, names=hosts) if hosts and "*" not in hosts else app


class NamedHosts:
    """Answers only requests to the server's own names, else 400; `*.name` stands for all names below it.

    Probes are always answered: a supervisor or a load balancer asks a process by its address.
    """

    def __init__(self, app: ASGIApp, names: list[str]) -> None:
        self.app = app
        self._names = {name.lower() for name in names}
        self._endings = tuple(name[1:] for name in self._names if name.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_probe = scope["type"] == "lifespan" or scope["path"] in _PROBES
        if is_probe or self._is_ours(header(scope, b"host") or ""):
            return await self.app(scope, receive, send)
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        await error_response(bad_request("This server has another name.", code="unknown_host"))(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        name = re.sub(r":\d*$", "", host).lower()
        return name in self._names or name.endswith(self._endings)


class ForeignPages:
    """Refuses (403) what a page of another origin sends to change something, and its WebSockets."""

    def __init__(self, app: ASGIApp, origins: list[str], own_url: str | None) -> None:
        self.app = app
        self._any = "*" in origins
        self._trusted = {*origins, *({_origin(own_url)} if own_url else ())}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        changes = scope["type"] == "websocket" or (scope["type"] == "http" and scope["method"] not in _SAFE)
        if not changes or self._any or self._welcome(scope):
            return await self.app(scope, receive, send)
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        await error_response(forbidden("A page of another origin may not do this.", code="foreign_origin"))(
            scope, receive, send
        )

    def _welcome(self, scope: Scope) -> bool:
        """Programs send neither header; browsers cannot be made to lie in them."""
        origin = header(scope, b"origin")
        if origin in self._trusted:
            return True
        if (site := header(scope, b"sec-fetch-site")) is not None:
            return site in ("same-origin", "none")
        # Compared as a text: what is no URL is no reason to fail.
        return origin is None or origin.partition("://")[2] == header(scope, b"host")


class HtmlHeaders:
    """Lets no other site frame a page, and nothing be taken for a script that is none."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in _SAFE:  # nothing is changed to be shown a page
            return await self.app(scope, receive, send)

        async def adding(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    for name, value in _HTML_HEADERS.items():
                        headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, adding)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
