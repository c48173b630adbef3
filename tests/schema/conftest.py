"""A real API process' worth of server: uvicorn on a real socket, and clients that speak GraphQL to it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest
import websockets
from starlette.applications import Starlette

from leadvibe.app import Application
from leadvibe.config import Settings
from leadvibe.resolvers.bootstrap import Bootstrapped
from tests.http_server import serving


@dataclass
class Server:
    """A running server. `http` sends what it is told and nothing else."""

    host: str
    http: httpx.AsyncClient
    app: Starlette

    async def ask(
        self, query: str, variables: dict[str, Any] | None = None, *, as_: Bootstrapped | None = None, **headers: str
    ) -> dict[str, Any]:
        """The whole answer of an operation, errors included, but not what it cost."""
        if as_ is not None:
            headers |= bearer(as_)
        response = await self.http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)
        assert response.status_code == 200, response.text
        answer = response.json()
        answer.pop("extensions", None)
        return answer

    @asynccontextmanager
    async def socket(self, payload: dict[str, Any] | None) -> AsyncIterator[Socket]:
        """A graphql-transport-ws connection, initialised with the payload."""
        url = f"ws://{self.host}/graphql"
        async with websockets.connect(url, subprotocols=["graphql-transport-ws"]) as connection:
            socket = Socket(connection)
            await socket.send({"type": "connection_init"} | ({} if payload is None else {"payload": payload}))
            yield socket


@dataclass
class Socket:
    """The client's side of graphql-transport-ws."""

    connection: websockets.ClientConnection

    async def send(self, message: dict[str, Any]) -> None:
        await self.connection.send(orjson.dumps(message).decode())

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(30):
            text = await self.connection.recv()
        assert isinstance(text, str), "messages travel as text"
        return orjson.loads(text)

    async def begin(self, query: str, variables: dict[str, Any] | None = None, operation_id: str = "1") -> None:
        payload = {"query": query, "variables": variables}
        await self.send({"id": operation_id, "type": "subscribe", "payload": payload})

    async def next(self) -> Any:
        """The data of the next message, which must be one without errors."""
        message = await self.receive()
        assert message["type"] == "next" and "errors" not in message["payload"], message
        return message["payload"]["data"]


def bearer(of: Bootstrapped) -> dict[str, str]:
    return {"Authorization": f"Bearer {of.token}"}


def basic(of: Bootstrapped) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{of.client_id}:{of.client_secret}".encode()).decode()}


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[Server]:
    app = Application(Settings(database_url=database_url))
    async with serving(app, log_level="warning") as url, httpx.AsyncClient(base_url=url) as http:
        yield Server(url.removeprefix("http://"), http, app)
