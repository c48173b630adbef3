"""Backfills: they do what live scoring would have done, count it, and find nothing the second time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leadvibe.pipeline import backfill, unit_job
from leadvibe.pipeline.backfill import NAME_ACCOUNTS
from leadvibe.pipeline.scheduler import JOBS
from leadvibe.store.database import Database
from tests.rest_compat.conftest import Org, Scoring


def view(lead: str, address: str | None = None, **metadata: Any) -> dict[str, Any]:
    aliases = [{"alias_kind": "email", "raw_value": address}] if address else []
    return {"event_type": "view", "lead_id": lead, "aliases": aliases, "metadata": metadata}


async def run(org: Org, name: str) -> dict[str, int]:
    response = await org.http.post(f"/admin/backfill/{name}")
    assert response.status_code == 200, response.text
    counters: dict[str, int] = response.json()
    return counters


async def abm(org: Org, on: bool = True) -> None:
    assert (await org.http.put("/settings/scoring", json={"abm_enabled": on})).status_code == 204


@pytest.fixture
async def people(acme: Org, rival: Org, scoring: Scoring, monkeypatch: pytest.MonkeyPatch) -> Org:
    """Four leads from before account-based scoring; the backfill takes them in groups of two."""
    monkeypatch.setattr(backfill, "ROWS_AT_ONCE", 2)
    monkeypatch.setattr(backfill, "_EVENTS_AT_ONCE", 2)
    for org in (acme, rival):
        await org.ingest(
            view("ann", "ann@acme.com"), view("bob", "bob@ACME.com"), view("cy", "cy@gmail.com"), view("dan"),
            view("ann"),
        )  # fmt: skip
    await scoring.finish()
    for lead, metadata in (
        ("ann", {"job": "VP", "company": "Acme Inc", "size": 250}),
        ("bob", {"job": "Dev", "size": 3}),
    ):
        assert (await acme.http.patch(f"/leads/{lead}/metadata", json=metadata)).status_code == 200
    return acme


async def metadata(org: Org, lead: str) -> dict[str, Any]:
    found: dict[str, Any] = (await org.http.get(f"/leads/{lead}")).json()["lead"]["metadata"]
    return found


async def test_accounts_and_profiles(people: Org, rival: Org) -> None:
    await abm(people)
    await people.http.post("/account-mappings", json={"source_field": "size", "account_property": "employees"})
    await people.http.post("/profile-mappings", json={"source_field": "job", "profile_property": "title"})
    ruleset = (await people.http.post("/profile-scoring/rulesets", json={"name": "Fit"})).json()["id"]
    rule = {"profile_property": "title", "condition": "equals", "comparison_value": "VP", "weight": 30}
    await people.http.post(f"/profile-scoring/rulesets/{ruleset}/rules", json=rule)
    assert await run(people, "account-profile") == {
        "leads_processed": 4,
        "accounts_linked": 2,
        "accounts_created": 1,
        "profile_scores_updated": 4,
    }
    (account,) = (await people.http.get("/accounts")).json()["accounts"]
    assert (account["name"], account["domain"], account["leads_count"]) == ("Acme Inc", "acme.com", 2)
    assert account["metadata"] == {"employees": 250}
    assert (await people.http.get("/score/ann")).json()["profile_scores"] == {ruleset: 30}
    again = {"leads_processed": 4, "accounts_linked": 0, "accounts_created": 0, "profile_scores_updated": 0}
    assert await run(people, "account-profile") == again
    assert (await people.http.get("/accounts")).json()["accounts"] == [account]
    await abm(rival)
    assert (await rival.http.get("/accounts")).json()["total"] == 0, "another unit's leads were not touched"


async def test_a_lead_that_names_its_account_is_linked_to_it(people: Org) -> None:
    await abm(people)
    await run(people, "account-profile")
    (account,) = (await people.http.get("/accounts")).json()["accounts"]
    await abm(people, on=False)
    await people.http.patch("/leads/dan/metadata", json={"accountId": account["account_id"]})
    await abm(people)
    assert (await run(people, "account-profile"))["accounts_linked"] == 1
    assert (await people.http.get("/leads/dan")).json()["lead"]["account_id"] == account["account_id"]


async def test_no_account_is_made_while_abm_is_off(people: Org) -> None:
    done = await run(people, "account-profile")
    assert (done["leads_processed"], done["accounts_linked"], done["accounts_created"]) == (4, 0, 0)


async def test_events_name_the_account_of_their_lead(people: Org, scoring: Scoring, database: Database) -> None:
    assert await run(people, "event-account-ids") == {
        "events_scanned": 5,
        "events_updated": 0,
        "leads_without_account": 4,
    }
    await abm(people)
    await run(people, "account-profile")
    (account,) = (await people.http.get("/accounts")).json()["accounts"]
    account_id = account["account_id"]
    await people.ingest(view("ann", accountId="acct_wrong", page="a"), view("bob", accountId=account_id))
    await scoring.finish()
    assert await run(people, "event-account-ids") == {
        "events_scanned": 7,
        "events_updated": 4,
        "leads_without_account": 2,
    }
    events = await people.events()
    assert {"accountId": account_id, "page": "a"} in [event["metadata"] for event in events]
    for event in events:
        expected = account_id if event["lead_id"] in ("ann", "bob") else None
        assert event["metadata"].get("accountId") == expected
    assert (await run(people, "event-account-ids"))["events_updated"] == 0


async def test_profile_mappings_respect_their_behaviour(people: Org) -> None:
    await people.http.patch("/leads/ann/metadata", json={"first": "kept", "page": "b", "seen_list": ["a"]})
    for source, target, behavior in (
        ("job", "title", "always_latest"),
        ("company", "first", "set_once"),
        ("page", "seen", "append"),
        ("title", "copy", "always_latest"),
    ):
        body = {"source_field": source, "profile_property": target, "update_behavior": behavior}
        assert (await people.http.post("/profile-mappings", json=body)).status_code == 201
    assert await run(people, "profile-mappings") == {"leads_processed": 4, "leads_updated": 2}
    ann = await metadata(people, "ann")
    assert {name: ann[name] for name in ("title", "first", "seen", "seen_list", "copy")} == {
        "title": "VP",
        "first": "kept",
        "seen": "b",
        "seen_list": ["a", "b"],
        "copy": "VP",
    }
    assert await run(people, "profile-mappings") == {"leads_processed": 4, "leads_updated": 0}
    assert await metadata(people, "ann") == ann


async def ended(org: Org, job_id: str) -> dict[str, Any]:
    query = "query ($id: ID!) { job(id: $id) { kind status done total percentage counts { name count } } }"
    while True:
        answer = await org.http.post("/graphql", json={"query": query, "variables": {"id": job_id}})
        job: dict[str, Any] = answer.json()["data"]["job"]
        if job["status"] in ("COMPLETED", "FAILED", "CANCELLED"):
            return job | {"counts": {each["name"]: each["count"] for each in job["counts"]}}


async def test_graphql_runs_them_as_jobs(people: Org) -> None:
    await abm(people)
    found = {}
    for name in ("backfillAccounts", "backfillEventAccounts", "backfillProfileMappings"):
        answer = await people.http.post("/graphql", json={"query": f"mutation {{ {name} {{ id status }} }}"})
        begun = answer.json()["data"][name]
        assert begun["status"] == "PENDING"
        found[name] = await ended(people, begun["id"])
    done = {"status": "COMPLETED", "percentage": 100}
    assert found["backfillAccounts"] == done | {
        "kind": "backfill_accounts",
        "done": 4,
        "total": 4,
        "counts": {"leads_processed": 4, "accounts_linked": 2, "accounts_created": 1, "profile_scores_updated": 0},
    }
    assert found["backfillEventAccounts"] == done | {
        "kind": "backfill_event_accounts",
        "done": 5,
        "total": 5,
        "counts": {"events_scanned": 5, "events_updated": 3, "leads_without_account": 2},
    }
    assert found["backfillProfileMappings"] == done | {
        "kind": "backfill_profile_mappings",
        "done": 4,
        "total": 4,
        "counts": {"leads_processed": 4, "leads_updated": 0},
    }


async def test_one_that_was_left_is_taken_up_with_its_counts(people: Org, database: Database) -> None:
    await abm(people)
    assert (await run(people, "account-profile"))["accounts_linked"] == 2
    begun = await unit_job.begin(database, NAME_ACCOUNTS, people.made.unit_id, None)

    def die(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await begun.run(die)
    await JOBS["unit-jobs"].run(database, datetime.now(UTC) + timedelta(hours=1))
    job = await ended(people, begun.job_id)
    assert (job["done"], job["counts"]["events_updated"], job["counts"]["leads_without_account"]) == (5, 3, 2)
