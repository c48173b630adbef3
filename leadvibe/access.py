"""What every request goes through: it gets an id, is counted, and leaves a line in the log and a note in the audit
trail."""

from __future__ import annotations

import logging
import re
import time
from functools import cache
from random import getrandbits

from prometheus_client import Counter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leadvibe import logs, metrics
from leadvibe.resolvers import requests

_WELL_FORMED = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
# What comes thousands of times a second, or every few: a line only for who looks closer.
_FREQUENT = {"/ingest", "/livez", "/readyz", "/metrics"}

_log = logging.getLogger("leadvibe.access")


@cache
def _counter(status: int, method: str) -> Counter:
    return metrics.http_requests.labels(status, method)


class Access:
    """Takes the client's X-Request-Id, if it is well-formed, and sends it back; makes one otherwise."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        request_id = _request_id(scope)
        logs.begin_request(request_id.decode())
        client = scope.get("client")
        ip = client[0] if client else ""
        if scope["type"] == "websocket":
            # Each of its operations leaves a note of its own.
            requests.begin("POST", scope["path"], ip, is_socket=True)
            return await self.app(scope, receive, send)
        record, status = requests.begin(scope["method"], scope["path"], ip), 500

        async def counting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _counter(status, scope["method"]).inc()
                message["headers"] = [*message["headers"], (b"x-request-id", request_id)]
            await send(message)

        try:
            await self.app(scope, receive, counting)
        finally:
            _tell(scope, status, record.began)
            if record.caller is not None:
                record.end(scope["app"].state.services.trail, record.caller, status)


def _request_id(scope: Scope) -> bytes:
    given = requests.headers_of(scope).get(b"x-request-id")
    if given is not None and _WELL_FORMED.fullmatch(given):
        return given
    # Not new_id(): it need not sort, and is made for every event that comes in.
    return b"req_%032x" % getrandbits(128)


def _tell(scope: Scope, status: int, began: float) -> None:
    level = logging.DEBUG if status < 400 and scope["path"] in _FREQUENT else logging.INFO
    if not _log.isEnabledFor(level):
        return
    client = scope.get("client")
    fields = {
        "method": scope["method"],
        # Without the query string, in which somebody may have put a secret.
        "path": scope["path"],
        "status": status,
        "milliseconds": round(1000 * (time.monotonic() - began), 1),
        "client": client[0] if client else None,
    }
    _log.log(level, "request", extra=fields)
