"""Profile scores: from rules, metadata and mappings to what the doors show."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from leadvibe.pipeline.fit import rescore_outdated
from leadvibe.store.database import Database
from leadvibe.store.fit_state import PROFILE
from tests.rest_compat.conftest import Org, Scoring

SETS = "/profile-scoring/rulesets"


async def add_ruleset(org: Org, name: str, *rules: tuple[str, str, str, int]) -> str:
    ruleset_id = (await org.http.post(SETS, json={"name": name})).json()["id"]
    for property_name, condition, wanted, weight in rules:
        body = {
            "profile_property": property_name,
            "condition": condition,
            "comparison_value": wanted,
            "weight": weight,
        }
        assert (await org.http.post(f"{SETS}/{ruleset_id}/rules", json=body)).status_code == 201
    return str(ruleset_id)


async def scores(org: Org, lead: str = "ld_1") -> dict[str, int]:
    found: dict[str, int] = (await org.http.get(f"/score/{lead}")).json()["profile_scores"]
    return found


@pytest.fixture
async def fit(acme: Org) -> str:
    return await add_ruleset(acme, "Fit", ("title", "contains", "VP", 30), ("size", "gte", "100", 20))


async def test_metadata_that_is_written_is_scored_at_once(acme: Org, fit: str) -> None:
    await acme.http.post("/leads", json={"id": "ld_1", "metadata": {"title": "VP Sales"}})
    assert await scores(acme) == {fit: 30}
    await acme.http.patch("/leads/ld_1/metadata", json={"size": 250})
    assert await scores(acme) == {fit: 50}
    await acme.http.patch("/lead/ld_1/metadata", json={"title": None})
    assert await scores(acme) == {fit: 20}
    await acme.http.put("/lead/ld_1", json={"metadata": {"title": "vp"}})
    assert await scores(acme) == {fit: 30}


async def test_a_change_of_the_rules_rescores_the_leads_in_the_background(
    acme: Org, rival: Org, fit: str, database: Database
) -> None:
    for org in (acme, rival):
        await org.http.post("/leads", json={"id": "ld_1", "metadata": {"title": "VP", "country": "NO"}})
    await rescore_outdated(database, PROFILE, datetime.now(UTC))  # what other tests left in this database
    body = {"profile_property": "country", "condition": "equals", "comparison_value": "no", "weight": 5}
    rule = (await acme.http.post(f"{SETS}/{fit}/rules", json=body)).json()
    assert await scores(acme) == {fit: 30}
    assert await rescore_outdated(database, PROFILE, datetime.now(UTC)) == 1
    assert await rescore_outdated(database, PROFILE, datetime.now(UTC)) == 0, "all is up to date"
    assert (await scores(acme), await scores(rival)) == ({fit: 35}, {})
    for path, changes, expected in (
        (f"{SETS}/{fit}/rules/{rule['id']}", {"weight": 7}, {fit: 37}),
        (f"{SETS}/{fit}", {"enabled": False}, {}),
        (f"{SETS}/{fit}", {"enabled": True}, {fit: 37}),
    ):
        assert (await acme.http.put(path, json=changes)).status_code == 200
        await rescore_outdated(database, PROFILE, datetime.now(UTC))
        assert await scores(acme) == expected


async def test_a_change_while_leads_are_rescored_is_not_forgotten(acme: Org, fit: str, database: Database) -> None:
    await acme.http.post("/leads", json={"id": "ld_1", "metadata": {"title": "VP"}})
    await database.pool.execute("UPDATE lanes SET profile_version = profile_version + 1")
    before = await database.pool.fetchval("SELECT profile_version FROM lanes WHERE unit_id = $1", acme.made.unit_id)
    await rescore_outdated(database, PROFILE, datetime.now(UTC))
    assert before == await database.pool.fetchval(
        "SELECT profile_done FROM lanes WHERE unit_id = $1", acme.made.unit_id
    )


async def test_events_bring_properties_along(acme: Org, rival: Org, fit: str, scoring: Scoring) -> None:
    for source, target, behavior in (
        ("job", "title", "always_latest"),
        ("utm_source", "first_touch", "set_once"),
        ("page", "interest", "append"),
    ):
        body = {"source_field": source, "profile_property": target, "update_behavior": behavior}
        assert (await acme.http.post("/profile-mappings", json=body)).status_code == 201

    def event(**metadata: Any) -> dict[str, Any]:
        return {"event_type": "form", "lead_id": "ld_1", "metadata": metadata}

    await acme.ingest(event(job="Dev", utm_source="ads"), event(job="VP Sales", utm_source="mail", page="a"))
    await rival.ingest(event(job="VP"))
    await scoring.finish()
    lead = (await acme.http.get("/leads/ld_1")).json()["lead"]
    assert lead["metadata"] == {"title": "VP Sales", "first_touch": "ads", "interest": "a", "interest_list": ["a"]}
    assert await scores(acme) == {fit: 30}
    await acme.ingest(event(job="Dev", page="b"), event(other=1))
    await scoring.finish()
    metadata = (await acme.http.get("/leads/ld_1")).json()["lead"]["metadata"]
    assert (metadata["title"], metadata["interest_list"]) == ("Dev", ["a", "b"])
    assert await scores(acme) == {fit: 0}
    assert (await rival.http.get("/leads/ld_1")).json()["lead"]["metadata"] == {}


async def test_suppressed_events_bring_nothing_along(acme: Org, scoring: Scoring) -> None:
    await acme.http.post("/profile-mappings", json={"source_field": "job", "profile_property": "title"})
    await acme.http.post("/filters", json={"event_type": "view", "count_threshold": 1, "time_window_ms": 60_000})
    for job in ("Dev", "VP"):
        await acme.ingest({"event_type": "view", "lead_id": "ld_1", "metadata": {"job": job}})
    await scoring.finish()
    assert (await acme.http.get("/leads/ld_1")).json()["lead"]["metadata"] == {"title": "Dev"}


async def test_lists_search_and_graphql_show_the_fit(acme: Org, fit: str) -> None:
    other = await add_ruleset(acme, "Other", ("title", "equals", "vp sales", 1))
    await acme.http.post("/profile-levels", json={"name": "Okay Fit", "min_score": 25, "max_score": 49})
    await acme.http.post("/leads", json={"id": "ld_1", "metadata": {"title": "VP Sales"}})
    (row,) = (await acme.http.get("/leads")).json()["leads"]
    assert row["profile_scores"] == {fit: 30, other: 1}
    assert row["ruleset_names"] == {fit: "Fit", other: "Other"}
    assert (row["profile_primary_ruleset_name"], row["profile_level"]) == ("Fit", "Okay Fit")
    (match,) = (await acme.http.get("/leads/search?q=ld_")).json()
    assert match["profile_level"] == "Okay Fit"
    query = '{ lead(id: "ld_1") { profileScore profileLevel profileScores { rulesetName score } } }'
    assert (await acme.http.post("/graphql", json={"query": query})).json()["data"]["lead"] == {
        "profileScore": 30,
        "profileLevel": "Okay Fit",
        "profileScores": [{"rulesetName": "Fit", "score": 30}, {"rulesetName": "Other", "score": 1}],
    }


async def test_a_merge_scores_what_it_brought_together(acme: Org, fit: str) -> None:
    await acme.http.post("/leads", json={"id": "ld_1", "metadata": {"title": "VP"}})
    await acme.http.post("/leads", json={"id": "ld_2", "metadata": {"title": "Dev", "size": 500}})
    merged = await acme.http.post("/leads/merge", json={"targetLeadId": "ld_1", "sourceLeadIds": ["ld_2"]})
    assert merged.status_code == 200
    assert await scores(acme) == {fit: 50}


async def test_a_lead_that_comes_back_after_its_deletion_has_no_fit(acme: Org, fit: str, scoring: Scoring) -> None:
    await acme.http.post("/leads", json={"id": "ld_1", "metadata": {"title": "VP"}})
    assert (await acme.http.delete("/lead/ld_1")).status_code == 200
    await acme.ingest({"event_type": "view", "lead_id": "ld_1"})
    await scoring.finish()
    async with asyncio.timeout(20):
        while (await acme.http.get("/lead/ld_1/deletion-status")).json()["status"] != "completed":  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    rows = (await acme.http.get("/leads")).json()["leads"]
    assert all(row["profile_scores"] in ({}, {fit: 0}) for row in rows)
