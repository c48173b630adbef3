"""The explanation of a lead's score through GraphQL."""

from __future__ import annotations

from datetime import UTC, datetime

from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.store.database import Database
from tests.pipeline.units import score_all
from tests.schema.conftest import Server

EXPLAIN = """query ($id: ID!, $hours: Int! = 24) { scoreExplanation(leadId: $id, hours: $hours) {
    topDrivers { rulesetId ruleId eventType weight count total }
    snapshot { eventType weight }
    surgeBoost { eventType boost count } surgeTotal surgeEventCount decayApplied inorganicCount rangeHours
    scoreChanges { rulesetId scoreChange drivers surge decay floorAdjustment takenBack }
} }"""


async def test_a_score_is_explained(server: Server, acme: Bootstrapped, database: Database) -> None:
    rule = 'mutation { createRule(input: {eventType: "demo", weight: 10}) { ruleId rulesetId } }'
    made = (await server.ask(rule, as_=acme))["data"]["createRule"]
    event = {"eventType": "demo", "leadId": "ld_1", "timestamp": datetime.now(UTC).isoformat()}
    ingest = "mutation ($events: [EventInput!]!) { ingestEvents(events: $events) { status } }"
    assert "errors" not in await server.ask(ingest, {"events": [event] * 3}, as_=acme)
    await score_all(database, [100])
    answer = await server.ask(EXPLAIN, {"id": "ld_1"}, as_=acme)
    assert answer["data"]["scoreExplanation"] == {
        "topDrivers": [made | {"eventType": "demo", "weight": 10, "count": 3, "total": 30}],
        "snapshot": [{"eventType": "demo", "weight": 10}],
        "surgeBoost": [{"eventType": "demo", "boost": 3, "count": 1}],
        "surgeTotal": 3,
        "surgeEventCount": 1,
        "decayApplied": 0,
        "inorganicCount": 0,
        "rangeHours": 24,
        "scoreChanges": [
            {
                "rulesetId": made["rulesetId"],
                "scoreChange": 33,
                "drivers": 30,
                "surge": 3,
                "decay": 0,
                "floorAdjustment": 0,
                "takenBack": 0,
            }
        ],
    }


async def test_what_cannot_be_explained_says_why(server: Server, acme: Bootstrapped) -> None:
    for variables, code in (({"id": "nobody"}, "not_found"), ({"id": "nobody", "hours": 0}, "invalid_request")):
        answer = await server.ask(EXPLAIN, variables, as_=acme)
        assert answer["data"] == {"scoreExplanation": None}
        assert answer["errors"][0]["extensions"]["code"] == code
