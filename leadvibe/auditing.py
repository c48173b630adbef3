"""Lets every request leave a note in the audit trail when it ends; a socket leaves one for each operation."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leadvibe.resolvers import requests


class Audited:
    """Knows how a request began and ended; who sent it and what went wrong is told by those who find out."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        client = scope.get("client")
        ip = client[0] if client else ""
        if scope["type"] == "websocket":
            requests.begin("POST", scope["path"], ip, is_socket=True)
            return await self.app(scope, receive, send)
        record, status = requests.begin(scope["method"], scope["path"], ip), 500

        async def watching(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watching)
        finally:
            record.end(scope["app"].state.services.trail, status)
