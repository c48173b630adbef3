"""Accounts at the REST door: list, detail, deletion, keys, and scores that follow the rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leadvibe.pipeline.fit import rescore_outdated
from leadvibe.store.database import Database
from leadvibe.store.fit_state import ACCOUNT
from tests.rest_compat.conftest import Org, Scoring, fields, refused

SETS = "/account-scoring/rulesets"


def view(lead: str, domain: str | None = None, **metadata: Any) -> dict[str, Any]:
    aliases = [{"alias_kind": "email", "raw_value": f"{lead}@{domain}"}] if domain else []
    return {"event_type": "view", "lead_id": lead, "aliases": aliases, "metadata": metadata}


async def switch(org: Org, on: bool) -> None:
    assert (await org.http.put("/settings/scoring", json={"abm_enabled": on})).status_code == 204


async def listed(org: Org, **query: Any) -> list[dict[str, Any]]:
    response = await org.http.get("/accounts", params=query)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["accounts"]
    return found


@pytest.fixture
async def abm(acme: Org, rival: Org, scoring: Scoring) -> Org:
    """Acme with three companies: acme.com (60 and 20 points), beta.com (30), calm.com (none); Rival has its own."""
    for org in (acme, rival):
        await switch(org, on=True)
    for event_type, weight in (("view", 0), ("demo", 30), ("call", 20)):
        await acme.rule(event_type, weight)
    assert (await acme.http.put("/settings/ou/surge-policy", json={"mode": "off"})).status_code == 204
    await acme.ingest(
        view("ann", "acme.com", company="Acme Corporation"),
        view("bob", "acme.com"),
        view("cy", "beta.com"),
        view("dan", "calm.com"),
        view("eve"),
        *({"event_type": event_type, "lead_id": lead} for lead, event_type in (
            ("ann", "demo"), ("ann", "demo"), ("bob", "call"), ("cy", "demo"))),
    )  # fmt: skip
    await rival.ingest(view("ann", "acme.com", company="Other Acme"))
    await scoring.finish()
    return acme


async def test_the_list_adds_up_leads(abm: Org, database: Database) -> None:
    await database.pool.execute(
        "UPDATE leads SET owner_name = initcap(lead_id) || ' Smith' WHERE unit_id = $1", abm.made.unit_id
    )
    response = await abm.http.get("/accounts", params={"page": 1, "limit": 25})
    body = response.json()
    assert {name: body[name] for name in ("total", "page", "limit")} == {"total": 3, "page": 1, "limit": 25}
    first = body["accounts"][0]
    times = {name: first.pop(name) for name in ("last_activity_at", "created_at", "updated_at")}
    assert all(text.endswith("Z") for text in times.values())
    assert first.pop("account_id").startswith("acct_")
    assert first == {
        "org_id": abm.made.org_id,
        "unit_id": abm.made.unit_id,
        "name": "Acme Corporation",
        "domain": "acme.com",
        "top_score": 60,
        "leads_count": 2,
        "owner_name": "Ann Smith",
        "surging": False,
        "intent_level": "high",
        "account_score": 0,
        "account_level": None,
        "metadata": {},
    }
    rows = [(row["name"], row["top_score"], row["intent_level"]) for row in body["accounts"]]
    assert rows == [("Acme Corporation", 60, "high"), ("beta.com", 30, "medium"), ("calm.com", 0, "low")]


async def test_the_list_filters_and_pages(abm: Org, database: Database) -> None:
    async def domains(**query: Any) -> list[str]:
        return [row["domain"] for row in await listed(abm, **query)]

    assert await domains(search="CORP") == ["acme.com"]
    assert await domains(search="M.com") == ["calm.com"]
    assert await domains(search="%") == []
    assert await domains(search="") == await domains(intent_level="all", range="all") == await domains()
    assert [await domains(intent_level=level) for level in ("low", "medium", "high")] == [
        ["calm.com"],
        ["beta.com"],
        ["acme.com"],
    ]
    assert [await domains(page=page, limit=2) for page in (1, 2, 3)] == [["acme.com", "beta.com"], ["calm.com"], []]
    await database.pool.execute(
        "UPDATE accounts SET created_at = $2 WHERE unit_id = $1 AND domain = 'beta.com'",
        abm.made.unit_id,
        datetime.now(UTC) - timedelta(days=10),
    )
    assert await domains(range="last_7d") == ["acme.com", "calm.com"]
    assert await domains(range="last_30d", search="beta") == ["beta.com"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"page": 0}, "page"),
        ({"limit": 501}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"range": "last_year"}, "range"),
        ({"intent_level": "warm"}, "intent_level"),
        ({"search": "a\0"}, "search"),
    ],
)
async def test_a_bad_query_is_refused(abm: Org, query: dict[str, Any], field: str) -> None:
    assert fields(refused(await abm.http.get("/accounts", params=query), 400)) == {field}


async def test_an_account_surges_with_one_of_its_leads(abm: Org, scoring: Scoring) -> None:
    assert (await abm.http.put("/settings/ou/surge-policy", json={"mode": "standard"})).status_code == 204
    await abm.ingest(*[{"event_type": "call", "lead_id": "cy"}] * 4)
    await scoring.finish()
    assert {row["domain"] for row in await listed(abm) if row["surging"]} == {"beta.com"}


async def test_an_old_surge_is_over(abm: Org, scoring: Scoring) -> None:
    assert (await abm.http.put("/settings/ou/surge-policy", json={"mode": "standard"})).status_code == 204
    long_ago = (datetime.now(UTC) - timedelta(hours=25)).isoformat()
    await abm.ingest(view("old", "old.com"), *[{"event_type": "call", "lead_id": "old", "timestamp": long_ago}] * 4)
    await scoring.finish()
    assert not any(row["surging"] for row in await listed(abm))


async def test_the_detail_shows_leads_and_events(abm: Org, rival: Org) -> None:
    account = (await listed(abm))[0]
    detail = (await abm.http.get(f"/accounts/{account['account_id']}")).json()
    leads, events = detail.pop("leads"), detail.pop("recent_events")
    assert detail == account
    assert [(lead["lead_id"], lead["score"]) for lead in leads] == [("ann", 60), ("bob", 20)]
    assert set(leads[0]) == {"lead_id", "score", "owner_name", "last_event_at", "metadata"}
    assert [event["event_type"] for event in events] == ["call", "demo", "demo", "view", "view"]
    assert set(events[0]) == {"id", "lead_id", "event_type", "timestamp", "metadata"}
    assert events[-1]["metadata"] == {"company": "Acme Corporation"}
    assert (await abm.http.get("/accounts/ACME.com")).json()["account_id"] == account["account_id"]
    refused(await rival.http.get(f"/accounts/{account['account_id']}"), 404, "not_found")
    refused(await abm.http.get("/accounts/nobody.com"), 404, "not_found")


async def test_the_detail_hides_what_lists_hide(abm: Org) -> None:
    await abm.http.put("/settings/ou/event-types/demo", json={"hidden": True})
    events = (await abm.http.get("/accounts/acme.com")).json()["recent_events"]
    assert [event["event_type"] for event in events] == ["call", "view", "view"]


async def test_a_deletion_unlinks_the_leads(abm: Org, rival: Org, scoring: Scoring) -> None:
    ids = [row["account_id"] for row in await listed(abm, intent_level="high")]
    theirs = [row["account_id"] for row in await listed(rival)]
    response = await abm.http.request("DELETE", "/accounts/batch", json={"ids": [*ids, *theirs, "nobody", "a\0"]})
    assert (response.status_code, response.json()) == (200, {"unlinked_leads": 2, "deleted_accounts": 1})
    assert [row["domain"] for row in await listed(abm)] == ["beta.com", "calm.com"]
    assert (await abm.http.get("/leads/ann")).json()["lead"]["account_id"] is None
    assert len(await listed(rival)) == 1, "another unit's account stays"
    await abm.ingest(view("ann", "acme.com"))
    await scoring.finish()
    assert len(await listed(abm)) == 2, "a known address links nobody again"


@pytest.mark.parametrize("body", [{}, {"ids": []}, {"ids": ["a"] * 1001}, {"ids": "a"}, {"ids": [1]}, []])
async def test_a_deletion_of_nothing_is_refused(abm: Org, body: Any) -> None:
    refused(await abm.http.request("DELETE", "/accounts/batch", json=body), 400)


async def test_keys_of_metadata(abm: Org, rival: Org, scoring: Scoring) -> None:
    assert (await abm.http.get("/account-metadata/properties")).json() == []
    for source, target, behavior in (("size", "employees", "append"), ("branch", "industry", "set_once")):
        body = {"source_field": source, "account_property": target, "update_behavior": behavior}
        assert (await abm.http.post("/account-mappings", json=body)).status_code == 201
    await abm.ingest(view("ann", size=3), view("cy", branch="Software"))
    await abm.http.patch("/leads/eve/metadata", json={"role": "CTO", "plan": {"name": "Pro"}})
    await scoring.finish()
    keys = (await abm.http.get("/account-metadata/properties")).json()
    assert keys == ["employees", "employees_list", "industry"]
    assert (await abm.http.get("/lead-metadata/properties")).json() == ["plan", "role"]
    for path in ("/account-metadata/properties", "/lead-metadata/properties"):
        assert (await rival.http.get(path)).json() == []


async def test_a_change_of_the_rules_rescores_accounts_in_the_background(
    abm: Org, scoring: Scoring, database: Database
) -> None:
    await abm.http.post("/account-mappings", json={"source_field": "branch", "account_property": "industry"})
    await abm.http.post("/account-levels", json={"name": "Target", "min_score": 30, "max_score": None})
    await abm.ingest(view("ann", branch="Software"))
    await scoring.finish()
    ruleset = (await abm.http.post(SETS, json={"name": "Fit"})).json()["id"]
    rule = {"account_property": "industry", "condition": "equals", "comparison_value": "software", "weight": 30}
    assert (await abm.http.post(f"{SETS}/{ruleset}/rules", json=rule)).status_code == 201

    async def score() -> tuple[int, str | None]:
        row = (await abm.http.get("/accounts/acme.com")).json()
        return row["account_score"], row["account_level"]

    assert await score() == (0, None)
    await rescore_outdated(database, ACCOUNT, datetime.now(UTC))
    assert await rescore_outdated(database, ACCOUNT, datetime.now(UTC)) == 0, "all is up to date"
    assert await score() == (30, "Target")
    await abm.http.put(f"{SETS}/{ruleset}", json={"enabled": False})
    await rescore_outdated(database, ACCOUNT, datetime.now(UTC))
    assert await score() == (0, None)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/accounts"),
        ("GET", "/accounts/acme.com"),
        ("GET", "/account-metadata/properties"),
        ("DELETE", "/accounts/batch"),
    ],
)
async def test_accounts_are_closed_while_abm_is_off(abm: Org, method: str, path: str) -> None:
    await switch(abm, on=False)
    refused(await abm.http.request(method, path, json={"ids": []}), 403, "abm_disabled")
    refused(await abm.http.request(method, path, json={"ids": []}, headers={"Authorization": ""}), 401)
    assert (await abm.http.get("/lead-metadata/properties")).status_code == 200


async def test_switching_abm_on_holds_from_the_next_batch_on(acme: Org, scoring: Scoring) -> None:
    await acme.ingest(view("ann", "acme.com"))
    await scoring.finish()
    await switch(acme, on=True)
    assert await listed(acme) == []
    await acme.ingest(view("bob", "acme.com"))
    await scoring.finish()
    assert [row["leads_count"] for row in await listed(acme)] == [1]


async def test_what_is_written_of_a_lead_counts_for_its_account(abm: Org) -> None:
    made = await abm.http.post("/account-mappings", json={"source_field": "size", "account_property": "employees"})
    assert made.status_code == 201
    ruleset = (await abm.http.post(SETS, json={"name": "Fit"})).json()["id"]
    rule = {"account_property": "employees", "condition": "gt", "comparison_value": "1000", "weight": 30}
    assert (await abm.http.post(f"{SETS}/{ruleset}/rules", json=rule)).status_code == 201

    async def acme() -> tuple[Any, int, int]:
        account = (await abm.http.get("/accounts/acme.com")).json()
        return account["metadata"], account["account_score"], account["leads_count"]

    patched = await abm.http.patch("/leads/ann/metadata", json={"size": 5000, "note": "called"})
    assert patched.json()["metadata"].items() >= {"size": 5000, "note": "called"}.items()
    assert await acme() == ({"employees": 5000}, 30, 2)
    account_id = (await abm.http.get("/accounts/acme.com")).json()["account_id"]
    named = {"account_id": account_id, "size": 20}
    created = await abm.http.post("/leads", json={"id": "fay", "metadata": named})
    assert (created.status_code, created.json()["account_id"]) == (201, account_id)
    assert await acme() == ({"employees": 20}, 0, 3)
    unlinked = await abm.http.put("/lead/fay", json={"metadata": named | {"size": 7}, "account_id": None})
    assert unlinked.json()["account_id"] is None, "what the request says of the account itself decides"
    assert await acme() == ({"employees": 20}, 0, 2)
    linked = await abm.http.put("/lead/fay", json={"metadata": {"size": 7}, "account_id": account_id})
    assert linked.json()["account_id"] == account_id
    assert await acme() == ({"employees": 7}, 0, 3)
