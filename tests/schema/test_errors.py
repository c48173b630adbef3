"""What goes wrong is told in the contract's words, and internals are never shown."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
import websockets

from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.store.database import Database
from tests.schema.conftest import Server, bearer

_JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "query",
    [
        "{",
        "{ nothing }",
        "query A { leads { totalCount } } query A { leads { totalCount } }",
        "{ leads(first: 99999999999) { totalCount } }",
        'mutation { createRule(input: {eventType: "a", weight: "many"}) { ruleId } }',
        'mutation { createRule(input: {eventType: "a", weight: 1, startAt: "2026-03-01"}) { ruleId } }',
        "{ __schema { types " + "{ fields { type " * 5 + "{ name }" + " } }" * 5 + " } }",
    ],
)
async def test_a_document_that_is_not_of_the_schema_is_refused(server: Server, acme: Bootstrapped, query: str) -> None:
    answer = await server.ask(query, as_=acme)
    assert "data" not in answer, "nothing was executed"
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"invalid_query"}


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"after": "not a time"}, "A DateTime is RFC 3339 text"),
        ({"after": "2026-03-01T12:00:00"}, "needs its offset"),
        ({"after": 5}, "A DateTime is RFC 3339 text"),
        ({"score": 2**70}, "A BigInt is a whole number"),
        ({"score": 1.5}, "A BigInt is a whole number"),
        ({"score": True}, "A BigInt is a whole number"),
    ],
)
async def test_a_value_of_the_wrong_kind_is_explained(
    server: Server, acme: Bootstrapped, variables: dict[str, Any], told: str
) -> None:
    query = """query ($after: DateTime, $score: BigInt) {
        leads(filter: {activeSince: $after, minScore: $score}) { totalCount }
    }"""
    response = await server.http.post(
        "/graphql", content=json.dumps({"query": query, "variables": variables}).encode(), headers=bearer(acme) | _JSON
    )
    (error,) = response.json()["errors"]
    assert told in error["message"]
    assert error["extensions"]["code"] == "invalid_query"
    assert error["locations"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ('activeSince: "2026-03-01T12:00:00"', "A DateTime needs its offset: end it with Z for UTC."),
        ("minScore: 1.5", "A BigInt is a whole number of at most 64 bits."),
        (f"minScore: {2**70}", "A BigInt is a whole number of at most 64 bits."),
    ],
)
async def test_a_literal_of_the_wrong_kind_is_explained_where_it_stands(
    server: Server, acme: Bootstrapped, given: str, told: str
) -> None:
    query = f"{{ leads(filter: {{{given}}}) {{ totalCount }} }}"
    (error,) = (await server.ask(query, as_=acme))["errors"]
    place = {"line": 1, "column": query.index(": ", query.index("{", 10)) + 3}
    assert (error["message"], error["locations"]) == (told, [place])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"", 400),
        (b"[]", 400),
        (b'"text"', 400),
        (b'{"query": 5}', 400),
        (b'{"variables": {}}', 400),
        (b'{"query": "{ rules { ruleId } }", "variables": [1]}', 400),
        (b'{"query": "' + b" " * 17 * 1024 * 1024 + b'"}', 413),
    ],
)
async def test_a_body_that_is_no_request_is_refused(
    server: Server, acme: Bootstrapped, body: bytes, status: int
) -> None:
    response = await server.http.post("/graphql", content=body, headers=bearer(acme) | _JSON)
    assert response.status_code == status
    code = "payload_too_large" if status == 413 else "invalid_request"
    assert [error["extensions"]["code"] for error in response.json()["errors"]] == [code]


@pytest.mark.parametrize(
    "message",
    [
        "",
        "{",
        "[]",
        "5",
        '{"type": 5}',
        '{"type": "subscribe"}',
        '{"type": "subscribe", "id": "1"}',
        '{"type": "subscribe", "id": "1", "payload": "x"}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 5}}',
        '{"type": "subscribe", "id": [], "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "variables": []}}',
        '{"type": "complete", "id": {}}',
        b"binary",
    ],
)
async def test_a_socket_message_that_is_none_closes_the_socket(
    server: Server, acme: Bootstrapped, message: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with server.socket(bearer(acme)) as socket:
        await socket.receive()
        await socket.connection.send(message)
        with pytest.raises(websockets.ConnectionClosed):
            await socket.receive()
        assert socket.connection.close_code == 4400
    assert not caplog.records, "bad input is no failure of the server"


@pytest.mark.parametrize(
    "query",
    [
        "query ($x: ID!) { lead(id: $x) { score } }",
        "query ($x: ID!) { rules(rulesetId: $x) { ruleId } }",
        "query ($x: String) { leads(filter: {eventType: $x}) { totalCount } }",
        "query ($x: String!) { events(filter: {metadata: [{key: $x, value: $x}]}) { totalCount } }",
        "mutation ($x: ID!) { deleteRule(id: $x) }",
        "mutation ($x: ID!) { setActiveOu(ouId: $x) { unitId } }",
        "mutation ($x: String!) { createRuleset(input: {name: $x}) { name } }",
        'mutation ($x: String!) { ingestEvents(idempotencyKey: $x, events: [{eventType: "a"}]) { status } }',
    ],
)
async def test_a_nul_character_is_refused(server: Server, acme: Bootstrapped, query: str) -> None:
    answer = await server.ask(query, {"x": "a\0b"}, as_=acme)
    assert answer["errors"][0]["extensions"]["code"] in ("invalid_request", "invalid_key")


async def test_only_get_and_post_are_possible(server: Server) -> None:
    response = await server.http.put("/graphql", content=b"{}", headers=_JSON)
    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")
    assert response.json()["errors"][0]["extensions"]["code"] == "method_not_allowed"


async def test_a_failure_of_the_server_is_logged_and_not_shown(
    server: Server, acme: Bootstrapped, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await database.pool.execute("ALTER TABLE rules RENAME TO secret_rules")
    with caplog.at_level(logging.ERROR):
        answer = await server.ask("{ rules { ruleId } }", as_=acme)
        async with server.socket(bearer(acme)) as socket:
            await socket.receive()
            await socket.begin("{ rules { ruleId } }")
            message = await socket.receive()
    for errors in (answer["errors"], message["payload"]["errors"]):
        assert [error["message"] for error in errors] == ["The server failed to answer; it has logged why."]
        assert errors[0]["extensions"] == {"code": "internal_error"}
    assert "rules" in caplog.text
