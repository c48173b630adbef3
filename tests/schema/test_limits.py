"""What one operation may ask for."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from graphql import OperationDefinitionNode, parse

from leadvibe.config import Settings
from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.schema.cost import MUTATION_COST, USUAL_NODES, cost_of
from leadvibe.schema.root import SCHEMA
from leadvibe.schema.shape import Shape, fragments_of, shape_of
from tests.rest_compat.conftest import running
from tests.schema.conftest import Server, bearer

STRICT = {
    "graphql_max_depth": 4,
    "graphql_max_aliases": 2,
    "graphql_max_tokens": 60,
    "graphql_max_cost": 2_000,
    "graphql_introspection": False,
}
# Every fragment spreads the next one twice: 2 ** 60 fields, in a few hundred tokens.
BOMB = "query { ...f0 } " + "".join(f"fragment f{n} on Query {{ ...f{n + 1} ...f{n + 1} }} " for n in range(60))
BOMB += "fragment f60 on Query { x: __typename }"
CHAIN = "query { ...f0 } " + "".join(f"fragment f{n} on Query {{ ...f{n + 1} }} " for n in range(900))
CHAIN += "fragment f900 on Query { __typename }"


def measured(query: str, **variables: Any) -> int:
    document = parse(query)
    (operation,) = (node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    return cost_of(SCHEMA._schema, fragments_of(document), operation).at(variables)


def shape(query: str) -> Shape:
    document = parse(query)
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    return shape_of(fragments_of(document), operation)


@pytest.mark.parametrize(
    ("query", "variables", "cost"),
    [
        ("{ __typename }", {}, 0),
        ("{ leads { totalCount } }", {}, 1),
        ("{ leads { nodes { leadId score } } }", {}, 1 + 50),
        ("{ leads(first: 7) { nodes { leadId } } }", {}, 1 + 7),
        ("{ leads(first: 7) { edges { cursor node { leadId } } pageInfo { endCursor } } }", {}, 1 + 7 + 7 + 1),
        ("{ leads(first: 7) { nodes { aliases { value } } } }", {}, 1 + 7 * (1 + USUAL_NODES)),
        ("query ($n: Int!) { leads(first: $n) { nodes { leadId } } }", {"n": 9}, 1 + 9),
        ("query ($n: Int! = 8) { leads(first: $n) { nodes { leadId } } }", {}, 1 + 8),
        ("query ($n: Int!) { leads(first: $n) { nodes { leadId } } }", {"n": 10**9}, 1 + 500),
        ("query ($n: Int!) { leads(first: $n) { nodes { leadId } } }", {"n": "many"}, 1 + 50),
        ("{ segments { leads(first: 20) { nodes { leadId } } } }", {}, USUAL_NODES * (1 + 1 + 20)),
        ("{ topLeads(limit: 3) { leadId } }", {}, 3),
        ("{ a: leads(first: 2) { ...p } b: leads(first: 3) { ...p } } fragment p on LeadConnection { nodes { score } }",
         {}, 1 + 2 + 1 + 3),
        ("{ ... on Query { leads(first: 2) { nodes { score } } } }", {}, 1 + 2),
        ('mutation { a: deleteRule(id: "1") b: deleteRule(id: "2") }', {}, 2 * MUTATION_COST),
        ("{ nothing { at { all } } }", {}, 0),
        ("{ leads(first: 0) { nodes { leadId } } }", {}, 1),
    ],
)  # fmt: skip
def test_an_operation_costs_the_objects_it_asks_for(query: str, variables: dict[str, Any], cost: int) -> None:
    assert measured(query, **variables) == cost


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{ leads { nodes { account { name } } } }", Shape(3, 3, 0, 1)),
        ("{ a: rules { b: weight } c: rules { weight } }", Shape(1, 1, 3, 2)),
        ("{ ...r ...r } fragment r on Query { a: rules { weight } }", Shape(1, 2, 2, 2)),
        ("{ ... { ... { rules { ... { weight } } } } }", Shape(1, 4, 0, 1)),
        ("{ __schema { types { name } } }", Shape(2, 2, 0, 1, introspects=True)),
        ("{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }", Shape(0, 3, 0, 0)),
    ],
)
def test_the_shape_of_an_operation(query: str, expected: Shape) -> None:
    assert shape(query) == expected


def test_fragments_that_multiply_are_counted_without_being_expanded() -> None:
    assert shape(BOMB).aliases == 2**60
    nodes = BOMB.replace("x: __typename", "leads(first: 1) { nodes { score } }")
    assert measured(nodes) == 2**60 * 2


@pytest.fixture
async def strict(database_url: str, acme: Bootstrapped) -> Any:
    async with (
        running(Settings(database_url=database_url, **STRICT)) as url,
        httpx.AsyncClient(base_url=url, headers=bearer(acme), trust_env=False) as http,
    ):
        yield http


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ leads { nodes { account { name } } } }", None),
        ("{ segments { leads { nodes { account { name } } } } }", None),
        ("{ segments { leads { edges { node { account { name } } } } } }", "query_too_deep"),
        ("{ a: rules { weight } b: rules { weight } }", None),
        ("{ a: rules { weight } b: rules { weight } c: rules { weight } }", "too_many_aliases"),
        ("{ " + "rules { weight } " * 12 + "}", None),
        ("{ " + "rules { weight } " * 60 + "}", "query_too_long"),
        ("{ " + "__typename " * 51 + "}", "too_many_root_fields"),
        ("{ leads(first: 500) { nodes { score } } }", None),
        ("{ leads(first: 500) { nodes { score aliases { value } } } }", "query_too_expensive"),
        ("{ __schema { types { name } } }", "introspection_disabled"),
        ('{ ... on Query { __type(name: "Lead") { name } } }', "introspection_disabled"),
        ("{ __typename }", None),
    ],
)
async def test_more_than_is_allowed_is_refused(strict: httpx.AsyncClient, query: str, code: str | None) -> None:
    for _ in range(2):  # the second time the document is known
        answer = (await strict.post("/graphql", json={"query": query})).json()
        assert [error["extensions"]["code"] for error in answer.get("errors", [])] == ([] if code is None else [code])
        assert ("data" in answer) is (code is None)


@pytest.mark.parametrize(
    "query",
    [
        "{ leeds { totalCount } }",
        "{ leads(frist: 1) { totalCount } }",
        "query ($f: LeadFiltre) { leads(filter: $f) { totalCount } }",
        "{ leads(filter: {minScor: 1}) { totalCount } }",
        "{ leads(orderBy: SCORES) { totalCount } }",
    ],
)
async def test_a_schema_that_is_not_told_is_not_guessed_from_errors(
    server: Server, strict: httpx.AsyncClient, query: str
) -> None:
    assert "Did you mean" in (await server.http.post("/graphql", json={"query": query})).text
    untold = (await strict.post("/graphql", json={"query": query})).json()["errors"]
    assert "Did you mean" not in str(untold) and untold[0]["message"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (BOMB, "too_many_aliases"),
        (CHAIN, "query_too_deep"),
        ("{ a " * 2_000 + "}" * 2_000, "invalid_query"),
        ("{ " + "rules { weight } " * 4_000 + "}", "query_too_long"),
        ("{ ...a } fragment a on Query { ...a }", "invalid_query"),
    ],
)
async def test_a_document_made_to_hurt_is_refused(
    server: Server, acme: Bootstrapped, query: str, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await server.ask(query, as_=acme)
    assert {error["extensions"]["code"] for error in answer["errors"]} == {code}
    assert not caplog.records, "bad input is no failure of the server"


async def test_an_answer_tells_its_cost(server: Server, acme: Bootstrapped) -> None:
    query = "query ($n: Int!) { segments { leads(first: $n) { nodes { aliases { value } } } } }"
    for n in (5, 6, 500):
        body = {"query": query, "variables": {"n": n}}
        answer = (await server.http.post("/graphql", json=body, headers=bearer(acme))).json()
        assert answer["extensions"] == {"cost": {"requested": 10 * (2 + n * 11), "maximum": 50_000}}
    assert answer["errors"][0]["extensions"]["code"] == "query_too_expensive"


async def test_limits_hold_on_every_transport(server: Server, acme: Bootstrapped) -> None:
    query = "{ segments { leads(first: 500) { nodes { aliases { value } } } } }"
    events = await server.http.post(
        "/graphql", json={"query": query}, headers=bearer(acme) | {"Accept": "text/event-stream"}
    )
    assert "query_too_expensive" in events.text
    async with server.socket(bearer(acme)) as socket:
        await socket.receive()
        await socket.begin(query)
        message = await socket.receive()
    assert message["type"] == "error"
    assert message["payload"][0]["extensions"]["code"] == "query_too_expensive"


async def test_a_page_that_is_too_large_is_an_error(server: Server, acme: Bootstrapped) -> None:
    answer = await server.ask("{ leads(first: 501) { totalCount } }", as_=acme)
    assert answer["errors"][0]["extensions"]["details"] == [{"field": "first", "message": "must be 1 to 500"}]
