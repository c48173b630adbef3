"""Segments in GraphQL: configuration, preview, leads, and the push of who enters and leaves."""

from __future__ import annotations

from typing import Any

import pytest

from leadvibe.pipeline.segment_job import bring_up_to_date
from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.store.columns import now
from leadvibe.store.database import Database
from tests.schema.conftest import Server, bearer

RULE = {"ruleType": "LEAD_METADATA", "fieldName": "a", "operator": "equals", "value": "x"}
CHANGES = """subscription ($id: ID!, $after: String) {
    segmentMembershipChanged(segmentId: $id, after: $after) { segmentId leadId entered cursor }
}"""


async def ask(server: Server, acme: Bootstrapped, query: str, **variables: Any) -> Any:
    answer = await server.ask(query, variables, as_=acme)
    assert "errors" not in answer, answer
    return answer["data"]


async def segment(server: Server, acme: Bootstrapped) -> str:
    made = await ask(server, acme, 'mutation { createSegment(input: {name: "S"}) { segmentId active } }')
    segment_id: str = made["createSegment"]["segmentId"]
    query = """mutation ($id: ID!, $rule: SegmentRuleInput!) {
        createSegmentRule(segmentId: $id, input: $rule) { ruleId ruleName }
    }"""
    rule = await ask(server, acme, query, id=segment_id, rule=RULE)
    assert rule["createSegmentRule"]["ruleName"] == "a equals x"
    return segment_id


async def lead(server: Server, acme: Bootstrapped, lead_id: str, value: str) -> None:
    body = {"id": lead_id, "metadata": {"a": value}}
    assert (await server.http.post("/leads", json=body, headers=bearer(acme))).status_code == 201


async def test_a_segment_shows_its_rules_and_leads(server: Server, acme: Bootstrapped) -> None:
    segment_id = await segment(server, acme)
    await lead(server, acme, "ld_1", "x")
    await lead(server, acme, "ld_2", "y")
    query = """query ($id: ID!, $rules: [SegmentRuleInput!]!) {
        segments { segmentId count }
        segment(id: $id) {
            name rules { operator } recentChanges { leadId } leads { totalCount nodes { leadId } }
        }
        previewSegment(rules: $rules) { count leads { leadId } }
    }"""
    found = await ask(server, acme, query, id=segment_id, rules=[RULE | {"value": "y"}])
    assert [each["segmentId"] for each in found["segments"]] == [segment_id]
    assert str(found["segments"][0]["count"]) == "1"
    assert found["segment"] == {
        "name": "S",
        "rules": [{"operator": "equals"}],
        "recentChanges": [],
        "leads": {"totalCount": 1, "nodes": [{"leadId": "ld_1"}]},
    }
    assert [each["leadId"] for each in found["previewSegment"]["leads"]] == ["ld_2"]


async def test_who_enters_and_leaves_is_pushed(server: Server, acme: Bootstrapped, database: Database) -> None:
    segment_id = await segment(server, acme)
    async with server.socket(bearer(acme)) as socket:
        assert await socket.receive() == {"type": "connection_ack"}
        await socket.begin(CHANGES, {"id": segment_id, "after": "0"})
        await lead(server, acme, "ld_1", "x")
        await bring_up_to_date(database, now())
        entered = (await socket.next())["segmentMembershipChanged"]
        await server.http.patch("/leads/ld_1/metadata", json={"a": "y"}, headers=bearer(acme))
        await bring_up_to_date(database, now())
        left = (await socket.next())["segmentMembershipChanged"]
    assert entered == {"segmentId": segment_id, "leadId": "ld_1", "entered": True, "cursor": "1"}
    assert left == {"segmentId": segment_id, "leadId": "ld_1", "entered": False, "cursor": "2"}


@pytest.mark.parametrize(("after", "code"), [(None, "not_found"), ("x", "invalid_cursor")])
async def test_a_stranger_hears_nothing(
    server: Server, acme: Bootstrapped, rival: Bootstrapped, after: str | None, code: str
) -> None:
    segment_id = await segment(server, acme)
    async with server.socket(bearer(rival)) as socket:
        assert await socket.receive() == {"type": "connection_ack"}
        await socket.begin(CHANGES, {"id": segment_id, "after": after})
        message = await socket.receive()
    errors = message["payload"] if message["type"] == "error" else message["payload"]["errors"]
    assert errors[0]["extensions"]["code"].lower() == code
