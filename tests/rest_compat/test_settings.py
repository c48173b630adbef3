"""Settings: scoring switches, the surge policy, event types; and that they hold for what is scored next."""

from __future__ import annotations

from typing import Any

import pytest

from leadvibe.store.database import Database
from tests.rest_compat.conftest import Org, Scoring, refused

SCORING, SURGE, TYPES = "/settings/scoring", "/settings/ou/surge-policy", "/settings/ou/event-types"
STANDARD_BANDS = [
    {"min_events": 1, "max_events": 2, "multiplier": 1.0},
    {"min_events": 3, "max_events": 5, "multiplier": 1.25},
    {"min_events": 6, "max_events": 9, "multiplier": 1.5},
    {"min_events": 10, "max_events": None, "multiplier": 2.0},
]


async def score_of(org: Org, scoring: Scoring, *types: str, lead: str = "ld_1") -> int:
    for event_type in types:
        assert (await org.http.post("/ingest", json={"event_type": event_type, "lead_id": lead})).status_code == 202
    await scoring.finish()
    return int((await org.http.get(f"/score/{lead}")).json()["score"])


async def test_scoring_settings_have_their_defaults_and_change_in_part(acme: Org) -> None:
    reference = {"allow_negative_scores": False, "abm_enabled": False, "session_timeout_minutes": 30}
    defaults = reference | {"surge_triggers_enabled": False}
    assert (await acme.http.get(SCORING)).json() == defaults
    assert (await acme.http.put(SCORING, json={"session_timeout_minutes": 45})).status_code == 204
    assert (await acme.http.put(SCORING, json={"abm_enabled": True})).status_code == 204
    assert (await acme.http.get(SCORING)).json() == defaults | {"session_timeout_minutes": 45, "abm_enabled": True}


@pytest.mark.parametrize("minutes", [0, 1441, "30", None, 1.5])
async def test_a_timeout_out_of_range_is_refused(acme: Org, minutes: Any) -> None:
    refused(await acme.http.put(SCORING, json={"session_timeout_minutes": minutes}), 400)


async def test_only_an_admin_changes_what_holds_for_the_organisation(acme: Org, database: Database) -> None:
    await database.pool.execute("UPDATE members SET role = 'editor' WHERE org_id = $1", acme.made.org_id)
    refused(await acme.http.put(SCORING, json={"abm_enabled": True}), 403, "forbidden")
    assert (await acme.http.put(SCORING, json={"session_timeout_minutes": 10})).status_code == 204


async def test_negative_scores_are_allowed_from_the_next_event_on(acme: Org, scoring: Scoring) -> None:
    await acme.http.post("/rules", json={"event_type": "unsubscribe", "weight": -10})
    assert await score_of(acme, scoring, "unsubscribe") == 0
    await acme.http.put(SCORING, json={"allow_negative_scores": True})
    assert await score_of(acme, scoring, "unsubscribe") == -10


async def test_a_unit_without_a_policy_has_the_standard_one(acme: Org) -> None:
    assert (await acme.http.get(SURGE)).json() == {
        "org_id": acme.made.org_id,
        "unit_id": acme.made.unit_id,
        "mode": "standard",
        "bands": STANDARD_BANDS,
        "idle_reset_seconds": 1800,
        "multiplier_cap": 2.0,
    }


async def test_a_preset_brings_its_bands_and_takes_the_bounds_that_are_sent(acme: Org) -> None:
    bands = [{"min_events": 1, "max_events": None, "multiplier": 3}]
    assert (await acme.http.put(SURGE, json={"mode": "gentle", "bands": bands})).status_code == 204
    assert (await acme.http.put(SURGE, json={"idle_reset_seconds": 60})).status_code == 204
    policy = (await acme.http.get(SURGE)).json()
    assert (policy["mode"], policy["idle_reset_seconds"], policy["multiplier_cap"]) == ("gentle", 60, 1.5)
    assert [band["multiplier"] for band in policy["bands"]] == [1.0, 1.1, 1.25, 1.5]


async def test_a_custom_policy_scores_the_next_events(acme: Org, scoring: Scoring) -> None:
    await acme.http.post("/rules", json={"event_type": "view", "weight": 10})
    bands = [
        {"min_events": 1, "max_events": 1, "multiplier": 1},
        {"min_events": 2, "multiplier": 5},
    ]
    assert (await acme.http.put(SURGE, json={"mode": "custom", "bands": bands})).status_code == 204
    assert (await acme.http.get(SURGE)).json()["bands"][1] == {"min_events": 2, "max_events": None, "multiplier": 5}
    assert await score_of(acme, scoring, "view", "view") == 10 + 20  # the cap of a custom policy is 2
    await acme.http.put(SURGE, json={"multiplier_cap": 3})
    assert await score_of(acme, scoring, "view") == 30 + 30
    await acme.http.put(SURGE, json={"mode": "off"})
    assert await score_of(acme, scoring, "view") == 60 + 10


@pytest.mark.parametrize(
    "body",
    [
        {"mode": "custom"},
        {"mode": "custom", "bands": []},
        {"mode": "wild"},
        {"mode": None},
        {"idle_reset_seconds": 0},
        {"multiplier_cap": 3.5},
        {"multiplier_cap": 0.5},
        {"mode": "custom", "bands": [{"min_events": 2, "max_events": None, "multiplier": 1}]},
        {"mode": "custom", "bands": [{"min_events": 1, "max_events": None, "multiplier": 0.5}]},
        {"mode": "custom", "bands": [{"min_events": 1, "max_events": 2, "multiplier": 1},
                                     {"min_events": 4, "max_events": None, "multiplier": 2}]},
        {"mode": "custom", "bands": [{"min_events": 1, "max_events": 2, "multiplier": 1},
                                     {"min_events": 2, "max_events": None, "multiplier": 2}]},
        {"mode": "custom", "bands": [{"min_events": 1, "max_events": None, "multiplier": 1},
                                     {"min_events": 2, "max_events": None, "multiplier": 2}]},
        {"mode": "custom", "bands": [{"min_events": 1, "max_events": 0, "multiplier": 1}]},
    ],
)  # fmt: skip
async def test_a_bad_policy_is_refused_and_changes_nothing(acme: Org, body: dict[str, Any]) -> None:
    refused(await acme.http.put(SURGE, json=body), 400)
    assert (await acme.http.get(SURGE)).json()["mode"] == "standard"


async def test_event_types_are_listed_hidden_and_bounded(acme: Org, rival: Org, scoring: Scoring) -> None:
    await acme.http.post("/rules", json={"event_type": "view", "weight": 10})
    await acme.http.post("/rules", json={"event_type": "click", "weight": 1})
    assert await score_of(acme, scoring, "view") == 10
    assert (await acme.http.put(f"{TYPES}/view", json={"hidden": True})).status_code == 204
    assert (await acme.http.put(f"{TYPES}/click", json={"max_processing_scope": "observe"})).status_code == 204
    assert await score_of(acme, scoring, "view", "click") == 10
    click, view = (await acme.http.get(TYPES)).json()
    assert click == {
        "name": "click",
        "hidden": False,
        "max_processing_scope": "observe",
        "ou_event_count": 1,
        "protected": False,
        "deletable": True,
    }
    assert (view["hidden"], view["ou_event_count"]) == (True, 2)
    assert (await rival.http.get(TYPES)).json() == []
    refused(await rival.http.put(f"{TYPES}/view", json={"hidden": False}), 404)
    refused(await acme.http.put(f"{TYPES}/nothing", json={"hidden": False}), 404)
    refused(await acme.http.put(f"{TYPES}/view", json={"max_processing_scope": "all"}), 400)
    refused(await acme.http.put(f"{TYPES}/view", json={"hidden": None}), 400)


async def test_graphql_reads_and_changes_the_same_settings(acme: Org) -> None:
    query = """
        mutation {
          updateScoringSettings(input: {sessionTimeoutMinutes: 20}) { sessionTimeoutMinutes allowNegativeScores }
          updateSurgePolicy(input: {mode: CUSTOM, bands: [{minEvents: 1, multiplier: 1.5}]}) {
            mode multiplierCap bands { minEvents maxEvents multiplier }
          }
        }
    """
    answer = (await acme.http.post("/graphql", json={"query": query})).json()
    del answer["extensions"]
    assert answer == {
        "data": {
            "updateScoringSettings": {"sessionTimeoutMinutes": 20, "allowNegativeScores": False},
            "updateSurgePolicy": {
                "mode": "CUSTOM",
                "multiplierCap": 2.0,
                "bands": [{"minEvents": 1, "maxEvents": None, "multiplier": 1.5}],
            },
        }
    }
    assert (await acme.http.get(SURGE)).json()["mode"] == "custom"


async def test_the_session_timeout_ends_the_sessions_of_a_policy_without_a_gap_of_its_own(
    acme: Org, scoring: Scoring
) -> None:
    """The third event of a session counts a quarter more; forty minutes are between them."""
    await acme.rule("view", 100)
    views = [f"2026-03-01T{12 + 40 * n // 60}:{40 * n % 60:02}:00Z" for n in range(3)]

    async def score(lead: str) -> int:
        await acme.ingest(*({"event_type": "view", "lead_id": lead, "timestamp": at} for at in views))
        await scoring.finish()
        return await acme.score(lead)

    assert await score("ld_1") == 300
    assert (await acme.http.put(SCORING, json={"session_timeout_minutes": 40})).status_code == 204
    assert (await acme.http.get(SURGE)).json()["idle_reset_seconds"] == 2400
    assert await score("ld_2") == 325
    assert (await acme.http.put(SURGE, json={"idle_reset_seconds": 1800})).status_code == 204
    assert await score("ld_3") == 300
    assert (await acme.http.put(SURGE, json={"mode": "gentle"})).status_code == 204
    assert await score("ld_4") == 300 and (await acme.http.get(SURGE)).json()["idle_reset_seconds"] == 2400
