"""The scores of the leads on a screen: POST /leads/scores."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rest_compat.conftest import Org, Scoring, fields, refused


@pytest.fixture
async def scored(acme: Org, scoring: Scoring) -> dict[str, str]:
    """ld_1 has 5 in the primary ruleset and 7 in the other, ld_2 has 5 and 0; the ids of both rulesets."""
    rule = await acme.rule("signup", 5)
    other = (await acme.http.post("/rulesets", json={"name": "Other"})).json()["ruleset_id"]
    second = {"event_type": "demo", "weight": 7, "ruleset_id": other}
    assert (await acme.http.post("/rules", json=second)).status_code == 201
    await acme.ingest(
        {"event_type": "signup", "lead_id": "ld_1"},
        {"event_type": "demo", "lead_id": "ld_1"},
        {"event_type": "signup", "lead_id": "ld_2"},
    )
    await scoring.finish()
    return {"primary": rule["ruleset_id"], "other": other}


async def scores(org: Org, lead_ids: list[str], path: str = "/leads/scores", **body: Any) -> list[tuple[str, int]]:
    response = await org.http.post(path, json={"lead_ids": lead_ids} | body)
    assert response.status_code == 200, response.text
    assert all(set(row) == {"lead_id", "score"} for row in response.json())
    return [(row["lead_id"], row["score"]) for row in response.json()]


@pytest.mark.parametrize("path", ["/leads/scores", "/scores/batch"])
async def test_the_answer_follows_the_question(acme: Org, scored: dict[str, str], path: str) -> None:
    asked = ["ld_2", "ld_nobody", "ld_1", "ld_2", "a\0b"]
    expected = [("ld_2", 5), ("ld_nobody", 0), ("ld_1", 5), ("ld_2", 5), ("a\0b", 0)]
    assert await scores(acme, asked, path) == expected
    for primary in ("primary", "", None):
        assert await scores(acme, asked, path, ruleset=primary) == expected


async def test_a_ruleset_is_named_by_id_or_name(acme: Org, scored: dict[str, str]) -> None:
    for name in (scored["other"], "Other"):
        assert await scores(acme, ["ld_1", "ld_2"], ruleset=name) == [("ld_1", 7), ("ld_2", 0)]
    assert await scores(acme, ["ld_1"], ruleset=scored["primary"]) == [("ld_1", 5)]
    body = {"lead_ids": ["ld_1"], "ruleset": "Nothing"}
    refused(await acme.http.post("/leads/scores", json=body), 404, "not_found")


async def test_without_a_primary_ruleset_every_score_is_0(rival: Org) -> None:
    assert await scores(rival, ["ld_1"]) == [("ld_1", 0)]


async def test_scores_of_another_unit_are_not_told(rival: Org, scored: dict[str, str]) -> None:
    assert await scores(rival, ["ld_1"]) == [("ld_1", 0)]
    body = {"lead_ids": ["ld_1"], "ruleset": scored["other"]}
    refused(await rival.http.post("/leads/scores", json=body), 404, "not_found")


async def test_up_to_500_at_once(anybody: Org) -> None:
    assert len(await scores(anybody, ["ld"] * 500)) == 500


@pytest.mark.parametrize("lead_ids", [None, [], ["ld"] * 501, "ld_1", [1], {}])
async def test_a_bad_list_is_refused(anybody: Org, lead_ids: Any) -> None:
    body = refused(await anybody.http.post("/leads/scores", json={"lead_ids": lead_ids}), 400, "invalid_request")
    assert all(field.startswith("lead_ids") for field in fields(body))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"lead_ids": ["a"], "ruleset": 5}'])
async def test_a_bad_body_is_refused(anybody: Org, content: bytes) -> None:
    refused(await anybody.http.post("/leads/scores", content=content), 400)
