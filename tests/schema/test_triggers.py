"""Triggers at the GraphQL door: made with their parts, fired, listed, simulated and pushed."""

from __future__ import annotations

from typing import Any

import pytest

from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.store.database import Database
from tests.pipeline.units import Unit, body
from tests.schema.conftest import Server, bearer

MAKE = """mutation {
    rule: createRule(input: {eventType: "view", weight: 5}) { ruleId }
    milestone: createMilestoneTrigger(input: {
        eventType: "*", scoreThreshold: 5, profileFilters: [{field: "plan", operator: "not_exists"}]
    }) { triggerId name profileFilters { field operator value } }
    sequence: createSequence(input: {
        eventTypes: ["view", "click"], windowSeconds: 600, windowUnit: MINUTES, webhookUrl: "", slackTargetId: "C1"
        eventSteps: [{eventType: "view", order: 0, minCount: 2}, {eventType: "click", order: 1}]
    }) { triggerId eventSteps { eventType minCount order filters { field } } }
    pattern: createPatternTrigger(input: {conditions: [{eventType: "view", minCount: 2}]}) { triggerId }
}"""
FIRINGS = """query ($type: FiringType) {
    firings(type: $type) { totalCount nodes { type triggerId leadId score eventType eventTypes scoreThreshold } }
}"""


async def made(server: Server, acme: Bootstrapped) -> dict[str, Any]:
    answer = await server.ask(MAKE, as_=acme)
    assert "errors" not in answer, answer
    return dict(answer["data"])


async def test_triggers_fire_and_are_listed_simulated_and_changed(
    server: Server, acme: Bootstrapped, database: Database
) -> None:
    triggers = await made(server, acme)
    assert triggers["milestone"]["profileFilters"] == [{"field": "plan", "operator": "is_empty", "value": None}]
    assert [each["minCount"] for each in triggers["sequence"]["eventSteps"]] == [2, 1]
    await Unit(database, acme.unit_id).score(
        body("view"), body("view"), body("click", timestamp="2026-01-01T00:00:00Z"), body("click")
    )
    listed = (await server.ask(FIRINGS, as_=acme))["data"]["firings"]
    assert {each["type"]: each["triggerId"] for each in listed["nodes"]} == {
        name.upper(): triggers[name]["triggerId"] for name in ("milestone", "sequence", "pattern")
    }
    (milestone,) = (await server.ask(FIRINGS, {"type": "MILESTONE"}, as_=acme))["data"]["firings"]["nodes"]
    assert (milestone["score"], milestone["scoreThreshold"], milestone["eventType"]) == (5, 5, "view")
    simulate = """query ($milestone: ID!, $sequence: ID!, $days: Int!) {
        a: simulateMilestoneTrigger(id: $milestone, days: $days) { wouldFire matchedLeads totalMatches }
        b: simulateSequence(id: $sequence, leadId: "ld_1", days: $days) { wouldFire }
    }"""
    ids = {name: triggers[name]["triggerId"] for name in ("milestone", "sequence")}
    found = (await server.ask(simulate, ids | {"days": 3000}, as_=acme))["data"]
    assert found == {"a": {"wouldFire": True, "matchedLeads": ["ld_1"], "totalMatches": 1}, "b": {"wouldFire": True}}
    refusal = await server.ask(simulate, ids | {"days": 0}, as_=acme)
    assert refusal["errors"][0]["extensions"]["code"] == "invalid_request"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("milestoneReached", "milestone"), ("sequenceCompleted", "sequence"), ("patternMatched", "pattern")],
)
async def test_firings_are_pushed_and_resumed(
    server: Server, acme: Bootstrapped, database: Database, name: str, kind: str
) -> None:
    triggers = await made(server, acme)
    unit = Unit(database, acme.unit_id)
    query = (
        f"subscription ($after: String) {{ {name}(after: $after) {{ triggerId leadId type firedAt cursor lagged }} }}"
    )
    for lead in ("ld_1", "ld_2"):
        await unit.score(body("view", lead), body("view", lead), body("click", lead))
    async with server.socket(bearer(acme)) as socket:
        await socket.receive()
        await socket.begin(query, {"after": "0:1"})
        first, second = [(await socket.next())[name] for _ in range(2)]
    assert (first["leadId"], first["triggerId"], first["type"]) == ("ld_1", triggers[kind]["triggerId"], kind.upper())
    async with server.socket(bearer(acme)) as socket:
        await socket.receive()
        await socket.begin(query, {"after": first["cursor"]})
        assert (await socket.next())[name] == second
