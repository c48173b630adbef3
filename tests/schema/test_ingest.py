"""An event goes in and a score comes out, all through GraphQL, with a real worker behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leadvibe.live.publisher import Publisher
from leadvibe.pipeline.worker import Worker
from leadvibe.resolvers.bootstrap import Bootstrapped
from tests.schema.conftest import Server, basic, bearer

INGEST = """mutation ($events: [EventInput!]!, $key: String) {
    ingestEvents(events: $events, idempotencyKey: $key) {
        status eventId error code details { field message }
    }
}"""
EVENTS = """query ($first: Int!, $after: String, $filter: EventFilter) {
    events(first: $first, after: $after, filter: $filter) {
        totalCount
        pageInfo { hasNextPage endCursor }
        nodes { eventId leadId eventType channel timestamp metadata suppressionReason scoreDelta }
    }
}"""


@pytest.fixture
async def worker(database_url: str) -> AsyncIterator[None]:
    publisher = Publisher(database_url)
    await publisher.connect()
    stop = asyncio.Event()
    running = asyncio.create_task(Worker(database_url, publisher, batch_size=500).run(stop))
    yield
    stop.set()
    await running
    await publisher.close()


async def _ingest(
    server: Server, acme: Bootstrapped, events: list[dict[str, Any]], key: str | None = None
) -> list[dict[str, Any]]:
    answer = await server.ask(INGEST, {"events": events, "key": key}, **basic(acme))
    assert "errors" not in answer, answer
    return answer["data"]["ingestEvents"]


async def test_an_event_goes_in_and_a_score_comes_out(server: Server, acme: Bootstrapped, worker: None) -> None:
    rule = 'mutation { createRule(input: {eventType: "demo_request", weight: 40}) { rulesetId } }'
    ruleset_id = (await server.ask(rule, as_=acme))["data"]["createRule"]["rulesetId"]
    async with server.socket(bearer(acme)) as socket:
        await socket.receive()
        await socket.begin('subscription { scoreUpdated(after: "0:1") { leadId delta score rulesetId eventId } }')
        for score in (40, 80):
            (result,) = await _ingest(server, acme, [{"leadId": "ld_1", "eventType": "demo_request"}])
            assert result["status"] == "ACCEPTED"
            assert (await socket.next())["scoreUpdated"] == {
                "leadId": "ld_1",
                "delta": 40,
                "score": score,
                "rulesetId": ruleset_id,
                "eventId": result["eventId"],
            }
    lead = await server.ask('{ lead(id: "ld_1") { score engagementLevel lastEventType } }', as_=acme)
    assert lead["data"]["lead"] == {"score": 80, "engagementLevel": "Very Hot", "lastEventType": "demo_request"}


async def test_each_event_has_a_result_of_its_own(server: Server, acme: Bootstrapped) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    good = {"eventType": "a", "leadId": "ld_1"}
    events = [
        {"eventType": "a", "aliases": [{"aliasKind": "email", "rawValue": " Ada@x.example"}], "eventId": "mine-1"},
        {"eventType": "a", "aliases": [{"aliasKind": "fax", "rawValue": "5"}]},
        {"eventType": "a"},
        good | {"timestamp": soon},
        good | {"timestamp": "yesterday"},
        good | {"metadata": [1]},
        good | {"metadata": {"much": "x" * 200_000}},
        good | {"metadata": {"path": "/pricing"}, "timestamp": "2026-03-01T12:00:00Z"},
    ]
    results = await _ingest(server, acme, events)
    assert [result["status"] for result in results] == ["ACCEPTED", *["REJECTED"] * 6, "ACCEPTED"]
    assert results[0]["eventId"] == "mine-1"
    assert all(result["error"] and result["code"] for result in results[1:7])
    assert results[6]["code"] == "payload_too_large"


async def test_what_was_sent_before_is_a_duplicate(server: Server, acme: Bootstrapped) -> None:
    events = [{"eventType": "a", "leadId": "ld_1", "eventId": "mine-1"}, {"eventType": "b", "leadId": "ld_1"}]
    first = await _ingest(server, acme, events, key="upload-7")
    again = await _ingest(server, acme, events, key="upload-7")
    assert [result["status"] for result in again] == ["DUPLICATE", "DUPLICATE"]
    assert [result["eventId"] for result in again] == [result["eventId"] for result in first]
    changed = [events[0] | {"eventType": "c"}]
    (result,) = await _ingest(server, acme, changed)
    assert (result["status"], result["code"]) == ("REJECTED", "idempotency_conflict")


async def test_too_many_events_at_once_are_refused(server: Server, acme: Bootstrapped) -> None:
    events = [{"eventType": "a", "leadId": "ld_1"}] * 2_001
    answer = await server.ask(INGEST, {"events": events}, as_=acme)
    assert answer["data"] == {"ingestEvents": None}
    assert answer["errors"][0]["extensions"]["code"] == "too_many_events"


async def test_events_are_listed_newest_first_and_filtered(server: Server, acme: Bootstrapped, worker: None) -> None:
    events = [
        {
            "leadId": f"ld_{n % 2}",
            "eventType": "page_view",
            "eventId": f"e{n}",
            "timestamp": f"2026-03-01T12:{n:02}:00Z",
            "metadata": {"page": f"p{n % 3}"},
        }
        for n in range(10)
    ]
    async with server.socket(bearer(acme)) as socket:
        await socket.receive()
        await socket.begin('subscription { eventIngested(after: "0:1") { eventId } }')
        await _ingest(server, acme, events)
        assert [(await socket.next())["eventIngested"]["eventId"] for _ in events] == [f"e{n}" for n in range(10)]

    async def listed(**variables: Any) -> tuple[list[str], dict[str, Any]]:
        answer = await server.ask(EVENTS, {"first": 50} | variables, as_=acme)
        page = answer["data"]["events"]
        return [node["eventId"] for node in page["nodes"]], page

    everything, page = await listed()
    assert everything == [f"e{n}" for n in range(9, -1, -1)]
    assert page["nodes"][0] == {
        "eventId": "e9",
        "leadId": "ld_1",
        "eventType": "page_view",
        "channel": "WEB",
        "timestamp": "2026-03-01T12:09:00Z",
        "metadata": {"page": "p0"},
        "suppressionReason": None,
        "scoreDelta": None,
    }
    first, page = await listed(first=4)
    rest, _ = await listed(after=page["pageInfo"]["endCursor"])
    assert (first + rest, page["totalCount"]) == (everything, 10)
    assert (await listed(filter={"leadId": "ld_0"}))[0] == ["e8", "e6", "e4", "e2", "e0"]
    conditions = [{"key": "page", "value": "p0"}, {"key": "page", "value": "p1"}]
    assert (await listed(filter={"metadata": conditions}))[0] == []
    assert len((await listed(filter={"metadata": conditions, "logic": "OR"}))[0]) == 7
    between = {"occurredFrom": "2026-03-01T12:03:00Z", "occurredTo": "2026-03-01T12:05:00Z"}
    assert (await listed(filter=between))[0] == ["e4", "e3"]
