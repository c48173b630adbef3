"""What a WebSocket refuses: foreign pages, silence, and too much at once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import websockets

from leadvibe.config import Settings
from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.schema import app
from tests.rest_compat.conftest import running
from tests.schema.conftest import Socket, bearer

PAGE = "https://app.example"
EVENTS = "subscription { eventIngested { eventId } }"


@pytest.fixture
async def address(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A server that waits for nobody and lets each socket run two operations."""
    monkeypatch.setattr(app, "_INIT_SECONDS", 0.2)
    settings = Settings(database_url=database_url, cors_origins=PAGE, graphql_max_subscriptions=2)
    async with running(settings) as url:
        yield url.replace("http", "ws") + "/graphql"


def connect(address: str, origin: str | None = None) -> websockets.connect:
    headers = {} if origin is None else {"Origin": origin}
    return websockets.connect(address, subprotocols=["graphql-transport-ws"], additional_headers=headers)


async def test_only_pages_of_named_origins_may_open_one(address: str, acme: Bootstrapped) -> None:
    for origin in (PAGE, address.replace("ws", "http").removesuffix("/graphql"), None):
        async with connect(address, origin) as connection:
            await Socket(connection).send({"type": "connection_init", "payload": bearer(acme)})
            assert await Socket(connection).receive() == {"type": "connection_ack"}
    for origin in ("https://evil.example", "null", PAGE + ".evil.example"):
        with pytest.raises(websockets.InvalidStatus, match="403"):
            async with connect(address, origin):
                pass


async def test_who_says_nothing_is_not_waited_for(address: str) -> None:
    async with connect(address) as connection:
        with pytest.raises(websockets.ConnectionClosed):
            await Socket(connection).receive()
        assert connection.close_code == 4408


async def test_who_does_not_say_who_it_is_may_not_subscribe(address: str) -> None:
    async with connect(address) as connection:
        await Socket(connection).begin(EVENTS)
        with pytest.raises(websockets.ConnectionClosed):
            await Socket(connection).receive()
        assert connection.close_code == 4401


async def test_a_socket_runs_so_many_operations_and_no_more(address: str, acme: Bootstrapped) -> None:
    async with connect(address) as connection:
        socket = Socket(connection)
        await socket.send({"type": "connection_init", "payload": bearer(acme)})
        await socket.receive()
        for number in "123":
            await socket.begin(EVENTS, operation_id=number)
        refused = await socket.receive()
        assert (refused["type"], refused["id"]) == ("error", "3")
        assert refused["payload"][0]["extensions"] == {"code": "too_many_subscriptions"}
        await socket.send({"type": "complete", "id": "1"})
        await socket.begin("{ __typename }", operation_id="4")
        assert await socket.next() == {"__typename": "Query"}
