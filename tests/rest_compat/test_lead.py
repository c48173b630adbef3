"""One lead over REST: read, created, replaced, patched, with its aliases and its account."""

from __future__ import annotations

from typing import Any

import pytest

from leadvibe.store.database import Database
from leadvibe.store.tables import Account
from tests.rest_compat.conftest import Org, Scoring, add_unit, fields, refused

EMAIL = {"alias_kind": "email", "raw_value": "Jane@Example.com"}
BOTH = pytest.mark.parametrize("noun", ["lead", "leads"])


@pytest.fixture
async def account(acme: Org, database: Database) -> str:
    async with database.session() as session, session.begin():
        session.add(
            Account(
                unit_id=acme.made.unit_id,
                account_id="acct_1",
                org_id=acme.made.org_id,
                domain="acme.com",
                name="Acme Corp",
                account_metadata={"employees": 250},
            )
        )
    return "acct_1"


async def create(org: Org, **body: Any) -> dict[str, Any]:
    response = await org.http.post("/leads", json=body)
    assert response.status_code == 201, response.text
    return response.json()


@pytest.mark.parametrize("path", ["/lead", "/leads"])
async def test_a_created_lead_is_answered_and_can_be_read(acme: Org, account: str, path: str) -> None:
    sent = {"id": "ld_123", "metadata": {"first_name": "Alex", "title": "VP"}, "account_id": account}
    response = await acme.http.post(path, json=sent | {"org_id": "org_x", "unit_id": "unit_x"})
    assert response.status_code == 201
    made = response.json()
    assert made | {"created_at": None, "updated_at": None} == {
        "id": "ld_123",
        "org_id": acme.made.org_id,
        "unit_id": acme.made.unit_id,
        "account_id": account,
        "owner_id": None,
        "owner_name": None,
        "score": 0,
        "last_event_at": None,
        "created_at": None,
        "updated_at": None,
        "merged_into": None,
        "metadata": {"first_name": "Alex", "title": "VP"},
    }
    assert made["created_at"] == made["updated_at"] and made["created_at"].endswith("Z")
    for noun in ("lead", "leads"):
        read = (await acme.http.get(f"/{noun}/ld_123")).json()
        assert read["lead"] == made
        assert read["account"] | {"created_at": None, "updated_at": None} == {
            "account_id": "acct_1",
            "org_id": acme.made.org_id,
            "domain": "acme.com",
            "name": "Acme Corp",
            "metadata": {"employees": 250},
            "created_at": None,
            "updated_at": None,
        }
    assert [lead["lead_id"] for lead in (await acme.http.get("/leads")).json()["leads"]] == ["ld_123"]


async def test_a_created_lead_is_counted_and_scored_like_any_other(
    acme: Org, database: Database, scoring: Scoring
) -> None:
    await acme.rule("signup", 5)
    await create(acme, id="ld_1", metadata={"plan": "Pro"})
    count = "SELECT lead_count FROM lanes WHERE unit_id = $1"
    assert await database.pool.fetchval(count, acme.made.unit_id) == 1
    await acme.ingest({"event_type": "signup", "lead_id": "ld_1"})
    await scoring.finish()
    lead = (await acme.http.get("/lead/ld_1")).json()["lead"]
    assert (lead["score"], lead["metadata"]) == (5, {"plan": "Pro"})
    assert lead["last_event_at"] is not None
    assert await database.pool.fetchval(count, acme.made.unit_id) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "id"),
        ({"id": ""}, "id"),
        ({"id": None}, "id"),
        ({"id": 7}, "id"),
        ({"id": "x" * 201}, "id"),
        ({"id": "a\0b"}, "id"),
        ({"id": "a", "metadata": []}, "metadata"),
        ({"id": "a", "metadata": {"a": "\0"}}, "metadata"),
        ({"id": "a", "account_id": 1}, "account_id"),
        ({"id": "a", "account_id": "a\0"}, "account_id"),
    ],
)
async def test_a_lead_that_is_not_valid_is_refused(anybody: Org, body: dict[str, Any], field: str) -> None:
    assert fields(refused(await anybody.http.post("/leads", json=body), 400, "invalid_request")) == {field}


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'"ld_1"', b'{"id": "\\ud800"}'])
async def test_a_body_that_is_no_object_is_refused(anybody: Org, content: bytes) -> None:
    refused(await anybody.http.post("/leads", content=content), 400)
    refused(await anybody.http.put("/lead/nobody", content=content), 400)


async def test_an_id_is_taken_once(acme: Org) -> None:
    await create(acme, id="x" * 200)
    refused(await acme.http.post("/lead", json={"id": "x" * 200}), 409, "lead_exists")


async def test_an_account_must_exist_in_the_unit(acme: Org, rival: Org, account: str) -> None:
    refused(await acme.http.post("/leads", json={"id": "ld_1", "account_id": "acct_nobody"}), 404, "not_found")
    refused(await rival.http.post("/leads", json={"id": "ld_1", "account_id": account}), 404, "not_found")
    await create(acme, id="ld_1", account_id=None)
    refused(await acme.http.put("/lead/ld_1", json={"account_id": "acct_nobody"}), 404, "not_found")


@pytest.mark.parametrize("size", [100 * 1024 - 20, 100 * 1024 + 1])
async def test_metadata_has_at_most_100_kb(acme: Org, size: int) -> None:
    large = {"text": "x" * size}
    response = await acme.http.post("/leads", json={"id": "ld_1", "metadata": large})
    if size > 100 * 1024:
        refused(response, 413)
        await create(acme, id="ld_1")
        refused(await acme.http.put("/lead/ld_1", json={"metadata": large}), 413)
        refused(await acme.http.patch("/lead/ld_1/metadata", json=large), 413)
    else:
        assert response.status_code == 201
        refused(await acme.http.patch("/lead/ld_1/metadata", json={"more": "x" * 100}), 413)
        assert (await acme.http.get("/lead/ld_1")).json()["lead"]["metadata"] == large


async def test_a_replacement_replaces_what_it_names(acme: Org, account: str) -> None:
    await create(acme, id="ld_1", metadata={"a": 1}, account_id=account)

    async def put(**body: Any) -> tuple[Any, Any]:
        response = await acme.http.put("/lead/ld_1", json=body)
        assert response.status_code == 200, response.text
        lead = response.json()
        assert (await acme.http.get("/lead/ld_1")).json()["lead"] == lead
        return lead["metadata"], lead["account_id"]

    assert await put(metadata={"b": {"c": [1, None]}}) == ({"b": {"c": [1, None]}}, account)
    assert await put(account_id=None) == ({"b": {"c": [1, None]}}, None)
    assert await put(account_id=account) == ({"b": {"c": [1, None]}}, account)
    assert await put(metadata={}, account_id=None) == ({}, None)
    assert await put() == ({}, None)
    refused(await acme.http.put("/lead/ld_1", json={"metadata": None}), 400)
    assert (await acme.http.put("/leads/ld_1", json={})).status_code == 405


@BOTH
async def test_a_patch_sets_keys_and_null_removes_them(acme: Org, noun: str) -> None:
    await create(acme, id="ld_1", metadata={"plan": "Free", "gone": 1, "deep": {"a": 1}, "none": None})
    before = (await acme.http.get("/lead/ld_1")).json()["lead"]["updated_at"]
    response = await acme.http.patch(
        f"/{noun}/ld_1/metadata",
        json={"industry": "SaaS", "plan": "Pro", "gone": None, "deep": {"b": 2}, "other": None},
    )
    assert response.status_code == 200
    metadata = {"plan": "Pro", "deep": {"b": 2}, "none": None, "industry": "SaaS"}
    assert response.json() == {
        "id": "ld_1",
        "org_id": acme.made.org_id,
        "unit_id": acme.made.unit_id,
        "metadata": metadata,
    }
    lead = (await acme.http.get("/lead/ld_1")).json()["lead"]
    assert lead["metadata"] == metadata and lead["updated_at"] > before


@pytest.mark.parametrize("body", [[], "x", 1, None, {"a": "\0"}, {"a\0": 1}])
async def test_a_patch_is_an_object(acme: Org, body: Any) -> None:
    await create(acme, id="ld_1")
    refused(await acme.http.patch("/lead/ld_1/metadata", json=body), 400)


@BOTH
async def test_aliases_are_listed_oldest_first(acme: Org, scoring: Scoring, noun: str) -> None:
    await acme.ingest({"event_type": "a", "lead_id": "ld_1", "aliases": [EMAIL]})
    await scoring.finish()
    phone = {"alias_kind": "phone", "raw_value": "+49 123"}
    await acme.ingest({"event_type": "a", "lead_id": "ld_1", "aliases": [phone]})
    await scoring.finish()
    rows = (await acme.http.get(f"/{noun}/ld_1/aliases")).json()
    assert [(row["alias_kind"], row["raw_value"]) for row in rows] == [
        ("email", "Jane@Example.com"),
        ("phone", "+49 123"),
    ]
    for row in rows:
        assert set(row) == {"id", "lead_id", "alias_kind", "raw_value", "kind", "value", "created_at"}
        assert (row["lead_id"], row["kind"], row["value"]) == ("ld_1", row["alias_kind"], row["raw_value"])
    await create(acme, id="ld_2")
    assert (await acme.http.get(f"/{noun}/ld_2/aliases")).json() == []


async def test_profile_and_account_metadata(acme: Org, account: str) -> None:
    await create(acme, id="ld_1", metadata={"title": "VP"}, account_id=account)
    await create(acme, id="ld_2")
    assert (await acme.http.get("/leads/ld_1/profile")).json() == {"lead_id": "ld_1", "metadata": {"title": "VP"}}
    assert (await acme.http.get("/leads/ld_2/profile")).json() == {"lead_id": "ld_2", "metadata": {}}
    of_account = {"lead_id": "ld_1", "account_id": account, "metadata": {"employees": 250}}
    assert (await acme.http.get("/leads/ld_1/account")).json() == of_account
    of_none = {"lead_id": "ld_2", "account_id": None, "metadata": {}}
    assert (await acme.http.get("/leads/ld_2/account")).json() == of_none
    assert (await acme.http.get("/lead/ld_2")).json()["account"] == {}


async def test_a_lead_of_another_unit_does_not_exist(acme: Org, rival: Org, database: Database) -> None:
    await create(acme, id="ld_1", metadata={"a": 1})
    other = await add_unit(database, acme.made, "Owner")
    for http, headers in ((rival.http, {}), (acme.http, {"X-Unit-Id": other})):
        for path in ("/lead/ld_1", "/leads/ld_1", "/leads/ld_1/aliases", "/leads/ld_1/profile", "/leads/ld_1/account"):
            refused(await http.get(path, headers=headers), 404, "not_found")
        refused(await http.put("/lead/ld_1", json={"metadata": {}}, headers=headers), 404, "not_found")
        refused(await http.patch("/lead/ld_1/metadata", json={"a": 2}, headers=headers), 404, "not_found")
    mine = await acme.http.get("/lead/ld_1", headers={"X-Unit-Id": acme.made.unit_id})
    assert mine.json()["lead"]["metadata"] == {"a": 1}


async def test_a_merged_lead_can_be_read_and_not_written(acme: Org, database: Database) -> None:
    await create(acme, id="ld_1")
    await create(acme, id="ld_2")
    unit_id = acme.made.unit_id
    merge = "UPDATE leads SET merged_into = 'ld_1' WHERE unit_id = $1 AND lead_id = 'ld_2'"
    await database.pool.execute(merge, unit_id)
    assert (await acme.http.get("/lead/ld_2")).json()["lead"]["merged_into"] == "ld_1"
    refused(await acme.http.patch("/lead/ld_2/metadata", json={"a": 1}), 409, "lead_merged")
    refused(await acme.http.put("/lead/ld_2", json={"metadata": {}}), 409, "lead_merged")
    refused(await acme.http.post("/leads", json={"id": "ld_2"}), 409, "lead_exists")


async def test_a_lead_that_is_being_deleted_is_hidden(acme: Org, database: Database, scoring: Scoring) -> None:
    await acme.ingest({"event_type": "a", "lead_id": "ld_1", "aliases": [EMAIL]})
    await scoring.finish()
    await database.pool.execute("UPDATE leads SET deleting = true WHERE unit_id = $1", acme.made.unit_id)
    for path in ("/lead/ld_1", "/leads/ld_1/aliases", "/score/ld_1", "/leads/ld_1/profile", "/leads/ld_1/account"):
        refused(await acme.http.get(path), 404, "not_found")
    refused(await acme.http.patch("/lead/ld_1/metadata", json={"a": 1}), 404, "not_found")
    refused(await acme.http.post("/leads", json={"id": "ld_1"}), 409, "lead_exists")
    assert (await acme.http.get("/leads", params={"page": 1, "min_score": 0})).json()["total"] == 0
    for q in ("ld_1", "jane"):
        assert (await acme.http.get("/leads/search", params={"q": q})).json() == []
    scores = await acme.http.post("/leads/scores", json={"lead_ids": ["ld_1"]})
    assert scores.json() == [{"lead_id": "ld_1", "score": 0}]
