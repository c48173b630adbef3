"""GET /lead/{leadID}/score-explain: the answer, its window, and what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leadvibe.pipeline.scheduler import JOBS
from leadvibe.store.database import Database
from tests.rest_compat.conftest import Org, Scoring, fields, refused

EMPTY = {
    "top_drivers": [],
    "snapshot": [],
    "surge_boost": [],
    "surge_total": 0,
    "surge_event_count": 0,
    "decay_applied": 0,
    "inorganic_count": 0,
    "range_hours": 24,
    "score_changes": [],
    "score_reset_at": None,
    "reset_excluded_count": 0,
}


def ago(event_type: str, hours: float) -> dict[str, Any]:
    moment = datetime.now(UTC) - timedelta(hours=hours)
    return {"event_type": event_type, "lead_id": "ld_1", "timestamp": moment.isoformat()}


async def explain(org: Org, path: str = "/lead/ld_1/score-explain", **query: Any) -> dict[str, Any]:
    response = await org.http.get(path, params=query)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


async def test_nothing_happened(acme: Org) -> None:
    await acme.http.post("/leads", json={"id": "ld_1"})
    assert await explain(acme) == EMPTY
    assert await explain(acme, "/leads/ld_1/score-explain", hours=1) == EMPTY | {"range_hours": 1}


async def test_the_score_of_the_window_is_taken_apart(acme: Org, scoring: Scoring) -> None:
    demo = await acme.rule("demo", 10)
    spam = await acme.rule("spam", -100)
    ruleset_id = demo["ruleset_id"]
    await acme.ingest(*(ago("demo", 50 - n / 100) for n in range(2)), ago("demo", 49.97), ago("other", 30))
    await acme.ingest(ago("demo", 20), ago("spam", 1))
    await scoring.finish()
    weights = [
        {"ruleset_id": ruleset_id, "rule_id": spam["rule_id"], "event_type": "spam", "weight": -100},
        {"ruleset_id": ruleset_id, "rule_id": demo["rule_id"], "event_type": "demo", "weight": 10},
    ]
    change = {"ruleset_id": ruleset_id, "surge": 0, "decay": 0, "taken_back": 0}
    # 33 points were there, 10 came: the floor kept 57 of 100.
    assert await explain(acme) == EMPTY | {
        "top_drivers": [weights[0] | {"count": 1, "total": -100}, weights[1] | {"count": 1, "total": 10}],
        "snapshot": weights,
        "score_changes": [change | {"score_change": -33, "drivers": -90, "floor_adjustment": 57}],
    }
    whole = await explain(acme, "/leads/ld_1/score-explain", hours=72)
    assert whole == EMPTY | {
        "top_drivers": [weights[0] | {"count": 1, "total": -100}, weights[1] | {"count": 4, "total": 40}],
        "snapshot": weights,
        "surge_boost": [{"event_type": "demo", "boost": 3, "count": 1}],
        "surge_total": 3,
        "surge_event_count": 1,
        "range_hours": 72,
        "score_changes": [change | {"score_change": 0, "drivers": -60, "surge": 3, "floor_adjustment": 57}],
    }
    assert await acme.score("ld_1") == 0


async def test_bursts_are_counted(acme: Org, scoring: Scoring) -> None:
    await acme.rule("demo", 10)
    burst = {"event_type": "demo", "count_threshold": 2, "time_window_ms": 3_600_000, "group_events": True}
    assert (await acme.http.post("/filters", json=burst)).status_code == 201
    await acme.ingest(ago("demo", 0.3), ago("demo", 0.2), ago("demo", 0.1))
    await scoring.finish()
    body = await explain(acme)
    (change,) = body["score_changes"]
    assert (body["inorganic_count"], change["score_change"], change["drivers"], change["taken_back"]) == (2, 10, 10, 0)


@pytest.mark.parametrize("hours", ["0", "-1", "1.5", "day", "", "99999999999"])
async def test_a_window_has_at_least_an_hour(acme: Org, hours: str) -> None:
    await acme.http.post("/leads", json={"id": "ld_1"})
    response = await acme.http.get("/lead/ld_1/score-explain", params={"hours": hours})
    assert fields(refused(response, 400, "invalid_request")) == {"hours"}


async def test_a_window_may_be_longer_than_all_time(acme: Org, scoring: Scoring) -> None:
    await acme.rule("demo", 10)
    await acme.ingest({"event_type": "demo", "lead_id": "ld_1", "timestamp": "1970-01-01T00:00:00Z"})
    await scoring.finish()
    body = await explain(acme, hours=2**31 - 1)
    assert body["score_changes"][0]["score_change"] == 10


async def test_a_lead_of_another_unit_is_not_explained(acme: Org, rival: Org) -> None:
    await acme.http.post("/leads", json={"id": "ld_1"})
    refused(await rival.http.get("/lead/ld_1/score-explain"), 404, "not_found")
    refused(await acme.http.get("/lead/nobody/score-explain"), 404, "not_found")


async def test_what_inactivity_took_is_told(acme: Org, scoring: Scoring, database: Database) -> None:
    """Two rulesets, 50 hours of inactivity, 6 points a day: two cycles in one and, by the floor, 5 in the other."""
    await acme.rule("demo", 40)
    second = (await acme.http.post("/rulesets", json={"name": "Second"})).json()["ruleset_id"]
    await acme.http.post("/rules", json={"event_type": "demo", "weight": 5, "ruleset_id": second})
    decay = {"inactive_for": 1, "unit": "days", "decrease": 6}
    assert (await acme.http.post("/decays", json=decay)).status_code == 201
    await acme.ingest(ago("demo", 50))
    await scoring.finish()
    for _ in range(2):  # the second run finds nothing due
        await JOBS["decay"].run(database, datetime.now(UTC))
    body = await explain(acme)
    assert (body["decay_applied"], body["top_drivers"], await acme.score("ld_1")) == (-17, [], 28)
    assert {change["ruleset_id"]: change["decay"] for change in body["score_changes"]}[second] == -5
