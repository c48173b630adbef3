"""Surge events: detected behind the unit's setting, listed at both doors, told live."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

from tests.rest_compat.conftest import Org, Scoring, bearer, refused

EVENTS = "/surge-events"
SETTINGS = "/settings/scoring"


async def trigger(org: Org, **fields: Any) -> str:
    body = {"event_type": "view", "window_seconds": 3600, "threshold_count": 2, "emails": ["ada@acme.example"]}
    response = await org.http.post("/surge-triggers", json=body | fields)
    assert response.status_code == 201, response.text
    return response.json()["trigger_id"]


async def switch_on(org: Org) -> None:
    assert (await org.http.put(SETTINGS, json={"surge_triggers_enabled": True})).status_code == 204


def view(lead: str, minute: int, **metadata: Any) -> dict[str, Any]:
    return {
        "event_type": "view",
        "lead_id": lead,
        "timestamp": f"2026-09-15T14:{minute:02}:00Z",
        "metadata": metadata,
    }


async def surged(org: Org, scoring: Scoring) -> str:
    """Two surges, one by web and one by a newsletter; the id of their trigger."""
    trigger_id = await trigger(org)
    await switch_on(org)
    await org.rule("view", 10)
    await org.ingest(view("ld_1", 0), view("ld_1", 10), view("ld_2", 20), view("ld_2", 30, source="newsletter"))
    await scoring.finish()
    return trigger_id


async def test_nothing_is_detected_unless_the_unit_wants_it(acme: Org, scoring: Scoring) -> None:
    await trigger(acme)
    await acme.ingest(view("ld_1", 0), view("ld_1", 10))
    await scoring.finish()
    assert (await acme.http.get(EVENTS)).json() == []
    assert (await acme.http.get(SETTINGS)).json()["surge_triggers_enabled"] is False


async def test_surges_are_listed_newest_first(acme: Org, rival: Org, scoring: Scoring) -> None:
    trigger_id = await surged(acme, scoring)
    response = await acme.http.get(EVENTS)
    newest, oldest = response.json()
    assert response.headers["x-total-count"] == "2"
    assert oldest.pop("surge_event_id").startswith("se_")
    assert oldest == {
        "trigger_id": trigger_id,
        "lead_id": "ld_1",
        "event_type": "view",
        "event_count": 2,
        "window_seconds": 3600,
        "detected_at": "2026-09-15T14:10:00Z",
        "snapshot": {"channel": "web", "source": None, "score": 20},
    }
    assert (newest["lead_id"], newest["snapshot"]["source"]) == ("ld_2", "newsletter")
    assert (await rival.http.get(EVENTS)).json() == []


@pytest.mark.parametrize(
    ("query", "leads"),
    [
        ({"limit": 1}, ["ld_2"]),
        ({"limit": 1, "page": 2}, ["ld_1"]),
        ({"page": 3, "limit": 1}, []),
        ({"start": "2026-09-15T14:30:00Z"}, ["ld_2"]),
        ({"end": "2026-09-15T14:30:00Z"}, ["ld_1"]),
        ({"start": "2026-09-15T16:10:00+02:00", "end": "2026-09-15T14:11:00Z"}, ["ld_1"]),
        ({"channel": "web"}, ["ld_1"]),
        ({"channel": "email"}, ["ld_2"]),
        ({"channel": "newsletter"}, ["ld_2"]),
        ({"channel": "slack"}, []),
    ],
)
async def test_the_list_is_paged_and_filtered(
    acme: Org, scoring: Scoring, query: dict[str, Any], leads: list[str]
) -> None:
    await surged(acme, scoring)
    assert [row["lead_id"] for row in (await acme.http.get(EVENTS, params=query)).json()] == leads


@pytest.mark.parametrize(
    "query",
    [
        {"page": 0},
        {"limit": 0},
        {"limit": 501},
        {"limit": "many"},
        {"start": "yesterday"},
        {"end": "2026-09-15"},
        {"start": "2026-09-16T00:00:00Z", "end": "2026-09-15T00:00:00Z"},
        {"channel": "a\0b"},
    ],
)
async def test_bad_queries_are_refused(anybody: Org, query: dict[str, Any]) -> None:
    refused(await anybody.http.get(EVENTS, params=query), 400)


@pytest.mark.parametrize("enabled", [None, "yes", 1])
async def test_the_switch_is_a_boolean(anybody: Org, enabled: Any) -> None:
    refused(await anybody.http.put(SETTINGS, json={"surge_triggers_enabled": enabled}), 400)


async def test_graphql_lists_the_same(acme: Org, scoring: Scoring) -> None:
    trigger_id = await surged(acme, scoring)
    query = """
        query ($after: String) {
          scoringSettings { surgeTriggersEnabled }
          surgeEvents(first: 1, after: $after) {
            totalCount pageInfo { hasNextPage endCursor }
            nodes { leadId triggerId eventType eventCount windowSeconds detectedAt snapshot { channel source score } }
          }
        }
    """
    first = (await acme.http.post("/graphql", json={"query": query})).json()["data"]
    assert first["scoringSettings"] == {"surgeTriggersEnabled": True}
    page = first["surgeEvents"]
    assert (page["totalCount"], page["pageInfo"]["hasNextPage"], page["nodes"][0]["leadId"]) == (2, True, "ld_2")
    variables = {"after": page["pageInfo"]["endCursor"]}
    answer = (await acme.http.post("/graphql", json={"query": query, "variables": variables})).json()
    assert answer["data"]["surgeEvents"]["nodes"] == [
        {
            "leadId": "ld_1",
            "triggerId": trigger_id,
            "eventType": "view",
            "eventCount": 2,
            "windowSeconds": 3600,
            "detectedAt": "2026-09-15T14:10:00Z",
            "snapshot": {"channel": "WEB", "source": None, "score": 20},
        }
    ]
    assert answer["data"]["surgeEvents"]["pageInfo"]["hasNextPage"] is False


async def test_a_surge_is_told_live(acme: Org, scoring: Scoring, server: str) -> None:
    trigger_id = await surged(acme, scoring)
    headers = bearer(acme.made.token) | {"Last-Event-ID": "1:2"}
    async with (
        httpx.AsyncClient(base_url=server, headers=headers, timeout=30, trust_env=False) as http,
        http.stream("GET", "/stream") as response,
    ):
        cursor = name = ""
        async for line in response.aiter_lines():
            key, _, value = line.partition(": ")
            if key == "id":
                cursor = value
            elif key == "event":
                name = value
            elif key == "data" and name == "surge":
                break
    message = orjson.loads(value)
    assert (cursor, message["type"]) == ("2:3", "surge")
    assert message["surge"].pop("surge_event_id").startswith("se_")
    assert message["surge"] == {
        "trigger_id": trigger_id,
        "lead_id": "ld_1",
        "event_type": "view",
        "event_count": 2,
        "window_seconds": 3600,
        "detected_at": "2026-09-15T14:10:00Z",
    }
