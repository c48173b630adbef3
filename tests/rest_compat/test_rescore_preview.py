"""What a rescoring would change, at both doors; nothing is changed by asking."""

from __future__ import annotations

from tests.rest_compat.conftest import Org, Scoring, refused


def path(ou_id: str) -> str:
    return f"/api/v1/ou/{ou_id}/scoring/rescore-preview"


async def test_a_preview_counts_who_would_change(acme: Org, rival: Org, scoring: Scoring) -> None:
    view, click = await acme.rule("view", 10), await acme.rule("click", 20)
    await acme.rule("buy", 1)
    await acme.ingest(*({"event_type": name, "lead_id": f"ld_{name}"} for name in ("view", "click", "buy")))
    await acme.http.post("/leads", json={"id": "ld_idle"})
    await scoring.finish()
    milestone = await acme.http.post("/triggers", json={"event_type": "demo", "score_threshold": 27})
    await acme.http.post("/triggers", json={"event_type": "*", "score_threshold": 28})
    await acme.http.put(f"/rules/{view['rule_id']}", json={"weight": 27})
    await acme.http.put(f"/rules/{click['rule_id']}", json={"weight": 18})
    response = await acme.http.post(path(acme.made.unit_id))
    assert response.status_code == 200, response.text
    assert response.json() == {
        "totalLeads": 4,
        "affectedLeads": 3,
        "estimatedIncreases": 1,
        "estimatedDecreases": 1,
        "estimatedUnchanged": 1,
        "estimatedLevelChanges": 1,
        "averageScoreChange": 5.0,
        "milestoneTriggers": {milestone.json()["trigger_id"]: 1},
        "executionTimeEstimate": "~1 minute",
    }
    query = "{ rescorePreview { totalLeads affectedLeads increases decreases unchanged levelChanges averageChange } }"
    answer = (await acme.http.post("/graphql", json={"query": query})).json()["data"]["rescorePreview"]
    assert list(answer.values()) == [4, 3, 1, 1, 1, 1, 5.0]
    query = "{ rescorePreview { milestoneTriggers { triggerId leads } } }"
    answer = (await acme.http.post("/graphql", json={"query": query})).json()["data"]["rescorePreview"]
    assert answer["milestoneTriggers"] == [{"triggerId": milestone.json()["trigger_id"], "leads": 1}]
    assert (await acme.http.get("/milestone-events")).json() == []
    assert [await acme.score("ld_view"), await acme.score("ld_click")] == [10, 20]
    refused(await rival.http.post(path(acme.made.unit_id)), 404)
