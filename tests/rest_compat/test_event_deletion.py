"""Deleting events: they are gone from lists, counts and scores, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rest_compat.conftest import Org, Scoring, fields, refused


@pytest.fixture
async def events(acme: Org, scoring: Scoring) -> Org:
    """ld_1 has ev_0 … ev_4 with 10 points each, or more by the surge, ld_2 has ev_5."""
    await acme.rule("demo", 10)
    await acme.ingest(
        *({"event_type": "demo", "lead_id": "ld_1", "event_id": f"ev_{n}"} for n in range(5)),
        {"event_type": "demo", "lead_id": "ld_2", "event_id": "ev_5"},
    )
    await scoring.finish()
    return acme


async def delete(org: Org, body: Any) -> Any:
    return await org.http.request("DELETE", "/events/batch", json=body)


async def sum_of_deltas(org: Org, lead_id: str) -> int:
    return sum(event["score_delta"] or 0 for event in await org.events(lead_id=lead_id))


async def test_deleted_events_are_gone_and_their_points_too(events: Org) -> None:
    before = await events.score("ld_1"), await events.score("ld_2")
    response = await delete(events, {"ids": ["ev_0", "ev_4", "unknown", "nul\0"]})
    assert (response.status_code, response.json()) == (200, {"deleted": 2, "leads_rescored": 1})
    rows = await events.events()
    assert {row["id"] for row in rows} == {"ev_1", "ev_2", "ev_3", "ev_5"}
    assert 0 < await events.score("ld_1") < before[0]
    assert await events.score("ld_1") == await sum_of_deltas(events, "ld_1")
    assert await events.score("ld_2") == before[1]


async def test_the_counts_stay_true(events: Org) -> None:
    await delete(events, {"ids": ["ev_0", "ev_5"]})
    response = await events.http.get("/events")
    assert response.headers["x-total-count"] == "4"
    await delete(events, {"ids": [f"ev_{n}" for n in range(6)]})
    assert (await events.http.get("/events")).headers["x-total-count"] == "0"
    assert (await events.http.get("/channels")).json() == []
    assert (await events.http.get("/event-types")).json() == ["demo"], "a type stays known"


async def test_a_lead_without_events_stays_and_has_no_points(events: Org) -> None:
    await delete(events, {"ids": ["ev_5"]})
    assert await events.score("ld_2") == 0
    assert (await events.http.get("/events/ld_2")).json() == []
    leads = {lead["lead_id"]: lead for lead in (await events.http.get("/leads")).json()["leads"]}
    assert leads["ld_2"]["last_event_at"] is None


async def test_event_ids_is_another_name(events: Org) -> None:
    assert (await delete(events, {"event_ids": ["ev_1"]})).json()["deleted"] == 1
    assert (await delete(events, {"ids": ["ev_2"], "event_ids": ["ev_3"]})).json()["deleted"] == 1
    assert {row["id"] for row in await events.events()} == {"ev_0", "ev_3", "ev_4", "ev_5"}


async def test_deleting_twice_deletes_once(events: Org) -> None:
    assert (await delete(events, {"ids": ["ev_1", "ev_1"]})).json()["deleted"] == 1
    assert (await delete(events, {"ids": ["ev_1"]})).json() == {"deleted": 0, "leads_rescored": 0}


async def test_events_of_another_unit_are_not_found(events: Org, rival: Org) -> None:
    assert (await delete(rival, {"ids": ["ev_1"]})).json()["deleted"] == 0
    assert len(await events.events()) == 6


async def test_a_suppressed_event_scores_once_the_burst_is_gone(acme: Org, scoring: Scoring) -> None:
    await acme.rule("click", 10)
    filter_ = {"event_type": "click", "count_threshold": 1, "time_window_ms": 60_000}
    assert (await acme.http.post("/filters", json=filter_)).status_code == 201
    moment = "2026-01-01T00:00:00Z"
    await acme.ingest(
        *({"event_type": "click", "lead_id": "ld_1", "event_id": f"ev_{n}", "timestamp": moment} for n in range(2))
    )
    await scoring.finish()
    assert [row["suppression_reason"] for row in await acme.events()] == ["inorganic", None]
    await delete(acme, {"ids": ["ev_0"]})
    assert [row["suppression_reason"] for row in await acme.events()] == [None]
    assert await acme.score("ld_1") == 10


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ids": None},
        {"ids": []},
        {"event_ids": []},
        {"ids": "ev_1"},
        {"ids": [1]},
        {"ids": [None]},
        {"ids": {"a": 1}},
        {"event_ids": "ev_1"},
        {"ids": ["x"] * 1001},
        [],
        ["ev_1"],
        None,
        "ev_1",
    ],
)
async def test_without_a_valid_array_it_is_400(anybody: Org, body: Any) -> None:
    refused(await delete(anybody, body), 400)


async def test_the_refusal_names_the_field(anybody: Org) -> None:
    assert fields(refused(await delete(anybody, {}), 400)) == {"ids"}


async def test_a_body_that_is_no_json_is_400(anybody: Org) -> None:
    refused(await anybody.http.request("DELETE", "/events/batch", content=b"{"), 400, "invalid_json")
