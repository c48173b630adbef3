"""A stand-in of Slack's Web API on a loopback socket: the methods that Leadvibe calls, with Slack's answers."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.http_server import serving

CLIENT_ID, CLIENT_SECRET = "3336676.569200954261", "e1b9e11dfcd19c1982d5de12921e17e8"
TOKEN = "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcBrzbqgy"
CODE = "1336001234.dca9e2f8a1"
CHANNELS = [{"id": f"C0{n}", "name": f"sales-{n}", "is_channel": True, "is_private": False} for n in range(5)]
MEMBERS = [{"id": "W012A3CDE", "team_id": "T012AB3C4", "name": "spengler", "deleted": False, "is_bot": False}]


@dataclass
class SlackStandIn:
    """What was asked of it. `refuse` names the error of a method's next answers; `busy` makes the next answer 429,
    of so many messages that it takes it loses the answer (`lost`)."""

    url: str = ""
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    refuse: dict[str, str] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    busy: list[int] = field(default_factory=list)
    lost: int = 0
    grant: dict[str, Any] = field(default_factory=dict)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: Request) -> Response:
        method = request.path_params["method"]
        sent = await (
            request.json() if request.headers.get("content-type", "").startswith("application/json") else request.form()
        )
        form = dict(request.query_params) | dict(sent)
        self.calls.append((method, form))
        if self.busy:
            seconds = str(self.busy.pop(0))
            return JSONResponse({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": seconds})
        if status := self.status.get(method):
            return Response("<html>upstream connect error</html>", status, media_type="text/html")
        if error := self.refuse.get(method) or self._unauthorized(method, request):
            return JSONResponse({"ok": False, "error": error})
        if method == "chat.postMessage" and self.lost:
            self.lost -= 1
            self._chat_postMessage(form)
            return Response(status_code=504)
        return JSONResponse({"ok": True} | getattr(self, "_" + method.replace(".", "_"))(form))

    def _unauthorized(self, method: str, request: Request) -> str | None:
        sent = request.headers.get("authorization")
        if method == "oauth.v2.access":
            pair = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
            return None if sent == f"Basic {pair}" else "bad_client_secret"
        return None if sent == f"Bearer {TOKEN}" else "invalid_auth"

    def _oauth_v2_access(self, form: dict[str, Any]) -> dict[str, Any]:
        if form["code"] != CODE:
            return {"ok": False, "error": "invalid_code"}
        return {
            "access_token": TOKEN,
            "token_type": "bot",
            "scope": "chat:write,channels:read",
            "bot_user_id": "U0KRQLJ9H",
            "app_id": "A0KRD7HC3",
            "team": {"name": "Slack Softball Team", "id": "T9TK3CUKW"},
            "enterprise": None,
            "authed_user": {"id": "U1234"},
        } | self.grant

    def _conversations_list(self, form: dict[str, Any]) -> dict[str, Any]:
        begin, limit = int(form.get("cursor") or 0), int(form["limit"])
        cursor = str(begin + limit) if begin + limit < len(CHANNELS) else ""
        return {"channels": CHANNELS[begin : begin + limit], "response_metadata": {"next_cursor": cursor}}

    def _users_list(self, form: dict[str, Any]) -> dict[str, Any]:
        return {"members": MEMBERS, "cache_ts": 1498777272, "response_metadata": {"next_cursor": ""}}

    def _conversations_open(self, form: dict[str, Any]) -> dict[str, Any]:
        return {"no_op": True, "already_open": True, "channel": {"id": f"D-{form['users']}"}}

    def _chat_postMessage(self, form: dict[str, Any]) -> dict[str, Any]:
        known = {message.get("client_msg_id") for message in self.messages} - {None}
        if form.get("client_msg_id") not in known:
            self.messages.append(form)
        self.arrived.set()
        return {"channel": form["channel"], "ts": "1503435956.000247", "message": {"text": form["text"]}}


@asynccontextmanager
async def slack_stand_in() -> AsyncIterator[SlackStandIn]:
    slack = SlackStandIn()
    app = Starlette(routes=[Route("/api/{method}", slack.answer, methods=["GET", "POST"])])
    async with serving(app) as url:
        slack.url = f"{url}/api/"
        yield slack
