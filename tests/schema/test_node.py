"""`node` finds by one id whatever has one, in the caller's unit and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLInterfaceType

from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.schema.node import _KINDS
from leadvibe.schema.root import SCHEMA
from tests.schema.conftest import Server

NODE = """query ($id: ID!) { node(id: $id) {
  __typename nodeId ... on Lead { leadId score } ... on Ruleset { rulesetId name } ... on Segment { segmentId name }
} }"""


async def made(server: Server, acme: Bootstrapped) -> list[dict[str, Any]]:
    """A lead, a ruleset and a segment, as mutations answer them."""
    mutation = """mutation {
      createLead(input: {id: "ld_ada"}) { __typename nodeId leadId score }
      createRuleset(input: {name: "Interest"}) { __typename nodeId rulesetId name }
      createSegment(input: {name: "All"}) { __typename nodeId segmentId name }
    }"""
    answer = await server.ask(mutation, as_=acme)
    assert "errors" not in answer, answer
    return list(answer["data"].values())


async def test_a_node_is_found_by_its_id(server: Server, acme: Bootstrapped) -> None:
    objects = await made(server, acme)
    assert len({each["nodeId"] for each in objects}) == 3
    for each in objects:
        assert (await server.ask(NODE, {"id": each["nodeId"]}, as_=acme))["data"]["node"] == each


async def test_lists_tell_the_same_ids(server: Server, acme: Bootstrapped) -> None:
    lead, ruleset, _ = await made(server, acme)
    query = "{ leads { nodes { nodeId leadId } } rulesets { nodeId rulesetId name } }"
    data = (await server.ask(query, as_=acme))["data"]
    assert data["leads"]["nodes"] == [{"nodeId": lead["nodeId"], "leadId": "ld_ada"}]
    assert data["rulesets"][0]["nodeId"] == ruleset["nodeId"]


async def test_a_node_of_another_organisation_is_not_found(
    server: Server, acme: Bootstrapped, rival: Bootstrapped
) -> None:
    for each in await made(server, acme):
        answer = await server.ask(NODE, {"id": each["nodeId"]}, as_=rival)
        assert answer["data"] == {"node": None}
        assert answer["errors"][0]["extensions"]["code"] == "not_found"


@pytest.mark.parametrize("node_id", ["", "ld_ada", "é", "====", "TGVhZA==", "VW5rbm93bjox", "TGVhZDpub2JvZHk="])
async def test_any_other_text_is_not_found(server: Server, acme: Bootstrapped, node_id: str) -> None:
    answer = await server.ask(NODE, {"id": node_id}, as_=acme)
    assert answer["errors"][0]["extensions"]["code"] == "not_found"


def test_every_node_can_be_found() -> None:
    node = SCHEMA._schema.type_map["Node"]
    assert isinstance(node, GraphQLInterfaceType)
    assert {kind.name for kind in SCHEMA._schema.get_implementations(node).objects} == set(_KINDS)
