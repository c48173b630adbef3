"""Segments at the REST door: configuration, rules, count and leads."""

from __future__ import annotations

from typing import Any

import pytest

from leadvibe.pipeline.segment_job import bring_up_to_date
from leadvibe.store.columns import now
from leadvibe.store.database import Database
from tests.rest_compat.conftest import Org, Scoring, fields, refused


async def segment(org: Org, *rules: dict[str, Any], **values: Any) -> str:
    response = await org.http.post("/segments", json={"name": "Marketing"} | values)
    assert response.status_code == 201, response.text
    segment_id: str = response.json()["segment_id"]
    for rule in rules:
        await add_rule(org, segment_id, rule)
    return segment_id


async def add_rule(org: Org, segment_id: str, rule: dict[str, Any]) -> dict[str, Any]:
    response = await org.http.post(f"/segments/{segment_id}/rules", json=rule)
    assert response.status_code == 201, response.text
    return response.json()


def about(field: str, operator: str, value: str | None = None, kind: str = "lead_metadata", **more: Any) -> Any:
    return {"rule_type": kind, "field_name": field, "operator": operator, "value": value} | more


async def members(org: Org, segment_id: str) -> list[str]:
    """The leads of the list, which are as many as the count and the header say."""
    listed = await org.http.get(f"/segments/{segment_id}/leads")
    counted = await org.http.get(f"/segments/{segment_id}/count")
    assert listed.status_code == counted.status_code == 200, listed.text + counted.text
    leads = [lead["lead_id"] for lead in listed.json()]
    assert counted.json() == {"count": len(leads)}
    assert listed.headers["x-total-count"] == str(len(leads))
    return leads


async def lead(org: Org, lead_id: str, **metadata: Any) -> None:
    assert (await org.http.post("/leads", json={"id": lead_id, "metadata": metadata})).status_code == 201


async def test_segments_are_configured(acme: Org) -> None:
    second = await segment(acme, name="Zebra", description="Last")
    first = (await acme.http.post("/segments", json={"name": "Ant", "unit_id": "other"})).json()
    assert first.pop("segment_id").startswith("sg_") and first["active"] is True and first["description"] is None
    assert [each["name"] for each in (await acme.http.get("/segments")).json()] == ["Ant", "Zebra"]
    changed = await acme.http.put(f"/segments/{second}", json={"active": False})
    assert (changed.status_code, changed.json()["description"], changed.json()["active"]) == (200, "Last", False)
    assert (await acme.http.delete(f"/segments/{second}")).status_code == 204
    refused(await acme.http.get(f"/segments/{second}/count"), 404)
    assert fields(refused(await acme.http.post("/segments", json={"name": ""}), 400)) == {"name"}


async def test_rules_have_defaults_and_an_order(acme: Org) -> None:
    segment_id = await segment(acme)
    first = await add_rule(acme, segment_id, about("job_title", "contains", "VP"))
    second = await add_rule(acme, segment_id, about("size", ">=", "100"))
    level = await add_rule(acme, segment_id, {"rule_type": "engagement_level", "operator": "eq", "value": "Hot"})
    assert first["rule_name"] == "job_title contains VP"
    assert (second["operator"], second["logic_op"], second["logic_group"]) == ("greater_than_or_equal", "AND", 0)
    assert [first["order_index"], second["order_index"], level["order_index"]] == [0, 1, 2]
    assert level["field_name"] == "engagement_level" and level["event_type"] is None and level["active"] is True
    url = f"/segments/{segment_id}/rules/{first['rule_id']}"
    assert (await acme.http.put(url, json={"order_index": 9})).json()["value"] == "VP"
    listed = (await acme.http.get(f"/segments/{segment_id}/rules")).json()
    assert [each["rule_id"] for each in listed] == [second["rule_id"], level["rule_id"], first["rule_id"]]
    assert (await acme.http.delete(url)).status_code == 204
    refused(await acme.http.delete(url), 404)


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (about("a", "equals", None), "value"),
        (about("a", "contains", ""), "value"),
        (about("a", "almost", "b"), "operator"),
        (about("", "equals", "b"), "field_name"),
        (about("a", "equals", "b", kind="mood"), "rule_type"),
        (about("a", "equals", "b", logic_op="XOR"), "logic_op"),
        (about("a", "contains", "H", kind="profile_level"), "operator"),
        ({"field_name": "a", "operator": "exists"}, "rule_type"),
    ],
)
async def test_a_bad_rule_is_refused(acme: Org, rule: dict[str, Any], field: str) -> None:
    segment_id = await segment(acme)
    assert fields(refused(await acme.http.post(f"/segments/{segment_id}/rules", json=rule), 400)) == {field}


async def test_leads_are_in_at_once(acme: Org, database: Database, scoring: Scoring) -> None:
    segment_id = await segment(acme, about("job_title", "contains", "vp"))
    await lead(acme, "ld_a", job_title="VP Sales")
    await lead(acme, "ld_b", job_title=["intern", "SVP"])
    await lead(acme, "ld_c")
    assert set(await members(acme, segment_id)) == {"ld_a", "ld_b"}
    await bring_up_to_date(database, now())
    assert set(await members(acme, segment_id)) == {"ld_a", "ld_b"}
    await acme.http.patch("/leads/ld_b/metadata", json={"job_title": "intern"})
    await acme.http.put(f"/segments/{segment_id}", json={"active": True})
    assert await members(acme, segment_id) == ["ld_a"]
    await acme.http.put(f"/segments/{segment_id}", json={"active": False})
    assert await members(acme, segment_id) == []


async def test_groups_are_folded(acme: Org) -> None:
    """(a AND b) OR (c AND d)."""
    rules = [
        about("a", "exists"),
        about("b", "exists"),
        about("c", "exists", logic_group=1, logic_op="OR"),
        about("d", "exists", logic_group=1),
    ]
    segment_id = await segment(acme, *rules)
    for name in ("ab", "cd", "ac", "abc"):
        await lead(acme, name, **dict.fromkeys(name, 1))
    assert set(await members(acme, segment_id)) == {"ab", "cd", "abc"}


async def test_events_count_by_their_normal_type(acme: Org, database: Database, scoring: Scoring) -> None:
    rule = about("source", "equals", "webinar", kind="event_metadata", event_type="form_submission")
    segment_id = await segment(acme, rule)
    await acme.ingest({"event_type": "Form Submission", "lead_id": "ld_1", "metadata": {"source": "webinar"}})
    await scoring.finish()
    assert await members(acme, segment_id) == ["ld_1"]
    await bring_up_to_date(database, now())
    await acme.ingest({"event_type": "form-submission", "lead_id": "ld_2", "metadata": {"source": "webinar"}})
    await acme.ingest({"event_type": "view", "lead_id": "ld_3", "metadata": {"source": "webinar"}})
    await scoring.finish()
    assert set(await members(acme, segment_id)) == {"ld_1", "ld_2"}


async def test_pages(acme: Org) -> None:
    segment_id = await segment(acme, about("a", "is_not_empty"))
    for i in range(5):
        await lead(acme, f"ld_{i}", a=i)
    url = f"/segments/{segment_id}/leads"
    pages = [await acme.http.get(url, params={"page": page, "limit": 2}) for page in range(1, 5)]
    assert [[each["lead_id"] for each in page.json()] for page in pages] == [
        ["ld_0", "ld_1"],
        ["ld_2", "ld_3"],
        ["ld_4"],
        [],
    ]
    assert {page.headers["x-total-count"] for page in pages} == {"5"}
    assert pages[0].json()[1]["metadata"] == {"a": 1}
    for bad in ({"page": 0}, {"limit": 501}):
        refused(await acme.http.get(f"/segments/{segment_id}/leads", params=bad), 400)


async def test_units_see_nothing_of_each_other(acme: Org, rival: Org) -> None:
    segment_id = await segment(acme, about("a", "is_empty"))
    rule_id = (await acme.http.get(f"/segments/{segment_id}/rules")).json()[0]["rule_id"]
    await lead(acme, "ld_a")
    await lead(rival, "ld_r")
    assert await members(acme, segment_id) == ["ld_a"]
    assert (await rival.http.get("/segments")).json() == []
    for method, path in (
        ("GET", "/count"), ("GET", "/leads"), ("GET", "/rules"), ("PUT", ""), ("DELETE", ""),
        ("PUT", f"/rules/{rule_id}"), ("DELETE", f"/rules/{rule_id}"),
    ):  # fmt: skip
        body = {"json": {"name": "mine"}} if method == "PUT" else {}
        refused(await rival.http.request(method, f"/segments/{segment_id}{path}", **body), 404)
    assert (await acme.http.get("/segments")).json()[0]["name"] == "Marketing"
