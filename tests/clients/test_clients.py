"""Each client logs in, changes, reads, sends an event, and sees its score come."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from gql import Client, GraphQLRequest
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.websockets import WebsocketsTransport
from graphql import parse, print_ast

from leadvibe.ids import new_id
from leadvibe.resolvers.authentication import Authenticator
from leadvibe.resolvers.bootstrap import bootstrap
from tests.clients.conftest import HERE, Node

PASSWORD = "correct horse battery"
RULES = [{"eventType": "demo", "weight": 40}]
INGESTED = [{"status": "ACCEPTED"}]
SCORE = {"scoreUpdated": {"leadId": "ld_1", "delta": 40, "score": 40}}


@pytest.fixture
async def email(authenticator: Authenticator) -> str:
    """Of the owner of a fresh organisation."""
    email = f"{new_id('owner')}@leadvibe.example"
    await bootstrap(authenticator, new_id("clients"), email, PASSWORD)
    return email


@pytest.mark.parametrize("script", ["urql.mjs", "graphql_ws.mjs", "graphql_sse.mjs"])
@pytest.mark.usefixtures("worker")
async def test_a_graphql_client(node: Node, server: str, email: str, script: str) -> None:
    answer = await node(script, server + "/graphql", email, PASSWORD)
    assert answer == {"rules": RULES, "ingested": INGESTED, "pushed": SCORE}


async def test_a_client_that_takes_parts(node: Node, server: str, email: str) -> None:
    first, *_, last = await node("urql_defer.mjs", server + "/graphql", email, PASSWORD)
    assert first == {"rules": [{"eventType": "demo"}]}
    assert last == {"rules": RULES, "me": {"email": email}}


@pytest.mark.usefixtures("worker")
async def test_event_source(node: Node, server: str, email: str) -> None:
    answer = await node("eventsource.mjs", server + "/graphql", email, PASSWORD)
    pushed = answer.pop("pushed")
    assert answer == {"rules": RULES, "ingested": INGESTED}
    assert (pushed["lead_id"], pushed["delta"], pushed["score"]) == ("ld_1", 40, 40)


async def test_the_code_generator_makes_types_that_compile(node: Node) -> None:
    made = await node("codegen.mjs", str(Path(__file__).parents[2] / "schema.graphql"))
    assert made["problems"] == []
    assert {"export type Lead", "export type ScoresSubscription", "export type RulesQuery"} <= set(made["types"])


@pytest.mark.usefixtures("worker")
async def test_gql(server: str, email: str) -> None:
    url = server + "/graphql"
    texts = {
        node.name.value: print_ast(node)  # type: ignore[attr-defined]
        for node in parse((HERE / "operations.graphql").read_text()).definitions
    }

    def request(name: str, **variables: Any) -> GraphQLRequest:
        return GraphQLRequest(texts[name], variable_values=variables)

    async def run(session: Any, name: str, **variables: Any) -> Any:
        return await session.execute(request(name, **variables))

    async with Client(transport=AIOHTTPTransport(url), fetch_schema_from_transport=True) as session:
        token = (await run(session, "Login", input={"email": email, "password": PASSWORD}))["login"]["token"]
    headers = {"Authorization": f"Bearer {token}"}
    http = Client(transport=AIOHTTPTransport(url, headers=headers))
    sockets = Client(transport=WebsocketsTransport(url.replace("http", "ws"), init_payload=headers))
    async with http as session, sockets as live, asyncio.timeout(30):
        await run(session, "AddRule", weight=40)
        assert (await run(session, "Rules"))["rules"] == RULES
        assert (await run(session, "Ingest", leadId="ld_1"))["ingestEvents"] == INGESTED
        async for message in live.subscribe(request("Scores", leadId="ld_1")):
            assert message == SCORE
            break
