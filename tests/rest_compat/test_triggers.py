"""Milestone, sequence and pattern triggers at the REST door: what they take, refuse, answer and keep."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rest_compat.conftest import Org, Scoring, fields, refused

MILESTONE = {"event_type": "demo_request", "score_threshold": 75}
SEQUENCE = {
    "event_types": ["pricing", "demo_request"],
    "window_seconds": 604800,
    "window_unit": "hours",
    "webhook_url": "https://hooks.example/lv",
}
PATTERN = {"conditions": [{"event_type": "page_view", "count": 3}], "window_seconds": 3600}
PLACES = [("/triggers", MILESTONE), ("/sequences", SEQUENCE), ("/pattern-triggers", PATTERN)]
each_place = pytest.mark.parametrize(("path", "body"), PLACES)


async def create(acme: Org, path: str, body: dict[str, Any], **more: Any) -> dict[str, Any]:
    response = await acme.http.post(path, json=body | more)
    assert response.status_code == 201, response.text
    return dict(response.json())


@each_place
async def test_a_trigger_lives_from_create_to_delete(acme: Org, path: str, body: dict[str, Any]) -> None:
    made = await create(acme, path, body, org_id="other", unit_id="other")
    assert made["active"] is True and made["unit_id"] != "other" and made["org_id"] != "other"
    assert made in (await acme.http.get(path)).json()
    place = f"{path}/{made['trigger_id']}"
    changed = (await acme.http.put(place, json={"active": False, "name": "Mine"})).json()
    assert changed | {"updated_at": ""} == made | {"active": False, "name": "Mine", "updated_at": ""}
    assert (await acme.http.delete(place)).status_code == 204
    refused(await acme.http.delete(place), 404)
    refused(await acme.http.put(place, json={}), 404)


@each_place
@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"emails": ["no address"]}, "emails"),
        ({"emails": ["a@example.com", "b@"]}, "emails"),
        ({"emails": ["jörg@example.com"]}, "emails"),
        ({"emails": ["a@example.com\nBcc: b@example.com"]}, "emails"),
        ({"webhook_url": "ftp://example.com"}, "webhook_url"),
        ({"webhook_url": "http://"}, "webhook_url"),
        ({"webhook_url": "http:///path"}, "webhook_url"),
        ({"webhook_url": "http://[::1"}, "webhook_url"),
        ({"webhook_url": "http://example.com:99999/"}, "webhook_url"),
        ({"webhook_url": "http://exam ple.com/"}, "webhook_url"),
        ({"webhook_url": "http://example.com/\n"}, "webhook_url"),
        ({"active": "yes"}, "active"),
        ({"name": ""}, "name"),
    ],
)
async def test_wrong_fields_are_refused(
    acme: Org, path: str, body: dict[str, Any], wrong: dict[str, Any], field: str
) -> None:
    assert any(name.startswith(field) for name in fields(refused(await acme.http.post(path, json=body | wrong), 400)))


async def test_a_milestone_answers_with_its_defaults(acme: Org) -> None:
    made = await create(acme, "/triggers", MILESTONE, emails=["sales@example.com"], email_subject="Hot")
    expected = {
        "event_type": "demo_request", "score_threshold": 75, "name": "demo_request >= 75", "fire_mode": "once",
        "emails": ["sales@example.com"], "email_subject": "Hot", "webhook_url": None, "cooldown_seconds": None,
        "profile_filters": [], "lead_attribute_filters": [], "notify_exit": False,
    }  # fmt: skip
    assert expected.items() <= made.items()
    assert (await create(acme, "/triggers", {"event_type": "", "score_threshold": 5}))["name"] == "* >= 5"
    for missing in MILESTONE:
        body = {name: value for name, value in MILESTONE.items() if name != missing}
        assert fields(refused(await acme.http.post("/triggers", json=body), 400)) == {missing}


async def test_filters_know_their_operators(acme: Org) -> None:
    given = {"field": "engagement_level", "operator": "eq", "value": "Hot"}
    made = await create(acme, "/triggers", MILESTONE, profile_filters=[given])
    assert made["profile_filters"] == [given | {"operator": "equals"}]
    for wrong in ({"operator": "like"}, {"value": None}, {"field": ""}, {"value": "\0"}):
        refused(await acme.http.post("/triggers", json=MILESTONE | {"profile_filters": [given | wrong]}), 400)


async def test_the_types_of_a_sequence_mirror_its_steps(acme: Org) -> None:
    made = await create(acme, "/sequences", SEQUENCE)
    step = {"min_count": 1, "filters": []}
    assert made["event_steps"] == [
        {"event_type": "pricing", "order": 0} | step, {"event_type": "demo_request", "order": 1} | step
    ]  # fmt: skip
    assert (made["ordered"], made["fire_mode"], made["hubspot_sync"], made["name"]) == (
        False, "once", False, "pricing > demo_request",
    )  # fmt: skip
    place = f"/sequences/{made['trigger_id']}"
    steps = [{"event_type": "buy", "order": 1, "min_count": 2}, {"event_type": "view", "order": 0}]
    changed = (await acme.http.put(place, json={"event_steps": steps})).json()
    assert changed["event_types"] == ["view", "buy"]
    assert [each["min_count"] for each in changed["event_steps"]] == [1, 2]
    changed = (await acme.http.put(place, json={"event_types": ["open"]})).json()
    assert [each["event_type"] for each in changed["event_steps"]] == ["open"]
    refused(await acme.http.put(place, json={"event_types": ["a"], "event_steps": steps}), 400)


@pytest.mark.parametrize(
    "wrong",
    [
        {"event_types": []},
        {"event_types": [""]},
        {"window_seconds": 0},
        {"window_unit": "weeks"},
        {"webhook_url": ""},
        {"webhook_url": None, "emails": ["a@example.com"]},
        {"fire_mode": "twice"},
        {"slack_target_kind": "group"},
        {"event_steps": [{"event_type": "pricing", "min_count": 0}]},
    ],
)
async def test_a_wrong_sequence_is_refused(acme: Org, wrong: dict[str, Any]) -> None:
    refused(await acme.http.post("/sequences", json=SEQUENCE | wrong), 400)


async def test_a_sequence_may_tell_others_than_a_webhook(acme: Org) -> None:
    made = await create(acme, "/sequences", SEQUENCE | {"webhook_url": "", "emails": ["a@example.com"]})
    assert made["webhook_url"] is None
    refused(await acme.http.put(f"/sequences/{made['trigger_id']}", json={"emails": []}), 400)


async def test_a_pattern_needs_nothing(acme: Org) -> None:
    made = await create(acme, "/pattern-triggers", {"trigger_id": "mine", "created_at": "2020-01-01T00:00:00Z"})
    assert made["trigger_id"] != "mine" and made["conditions"] == [] and not made["created_at"].startswith("2020")
    made = await create(acme, "/pattern-triggers", PATTERN)
    assert made["conditions"] == [{"event_type": "page_view", "min_count": 3, "filters": []}]
    refused(await acme.http.post("/pattern-triggers", json={"window_seconds": -1}), 400)
    refused(await acme.http.post("/pattern-triggers", json={"conditions": [{"min_count": 1}]}), 400)


async def fired(acme: Org, scoring: Scoring) -> tuple[dict[str, Any], dict[str, Any]]:
    """A milestone and a sequence that fired for ld_1, =ld_2 and, the sequence, for ld_3."""
    await acme.rule("demo_request", 80)
    milestone = await create(acme, "/triggers", MILESTONE, name="=Hot")
    sequence = await create(acme, "/sequences", SEQUENCE, ordered=True)
    for lead_id in ("ld_1", "=ld_2"):
        await acme.ingest({"event_type": "demo_request", "lead_id": lead_id})
        await scoring.finish()
    for lead_id in ("ld_1", "=ld_2", "ld_3"):
        await acme.ingest({"event_type": "Pricing", "lead_id": lead_id})
        await acme.ingest({"event_type": "Demo Request", "lead_id": lead_id})
        await scoring.finish()
    return milestone, sequence


async def test_what_fired_is_listed_and_exported(acme: Org, rival: Org, scoring: Scoring) -> None:
    milestone, sequence = await fired(acme, scoring)
    listed = (await acme.http.get("/milestone-events")).json()
    assert [(each["lead_id"], each["score"], each["event_type"]) for each in listed] == [
        ("=ld_2", 80, "demo_request"), ("ld_1", 80, "demo_request"),
    ]  # fmt: skip
    assert {each["trigger_id"] for each in listed} == {milestone["trigger_id"]}
    assert {each["trigger_name"] for each in listed} == {"=Hot"}
    paged = await acme.http.get("/milestone-events", params={"page": 2, "limit": 1})
    assert paged.json() == listed[1:] and paged.headers["X-Total-Count"] == "2"
    completed = (await acme.http.get("/sequence-events", params={"sequence_id": sequence["trigger_id"]})).json()
    assert [each["lead_id"] for each in completed] == ["ld_3", "=ld_2", "ld_1"]
    assert completed[0]["event_types"] == ["pricing", "demo_request"]
    assert (await acme.http.get("/sequence-events", params={"trigger_id": "sq_none"})).json() == []
    for path in ("/milestone-events/export", "/export/milestone-events"):
        export = await acme.http.get(path)
        assert export.headers["content-type"].startswith("text/csv")
        header, first, *_ = export.text.splitlines()
        assert header == "id,trigger_id,trigger_name,lead_id,score,event_type,fired_at"
        assert ",'=Hot,'=ld_2,80,demo_request," in first
    lines = (await acme.http.get("/sequence-events/export")).text.splitlines()
    assert lines[0] == "id,sequence_id,sequence_name,lead_id,event_types,fired_at"
    assert len(lines) == 4 and ",pricing|demo_request," in lines[1]
    for path in ("/milestone-events", "/sequence-events", "/triggers", "/sequences"):
        assert (await rival.http.get(path)).json() == []
    refused(await rival.http.post(f"/triggers/{milestone['trigger_id']}/simulate", json={}), 404)


async def test_a_simulation_tells_what_would_have_fired(acme: Org, scoring: Scoring) -> None:
    milestone, sequence = await fired(acme, scoring)
    before = (await acme.http.get("/milestone-events")).json()
    for path, trigger, leads in (
        ("/triggers", milestone, ["=ld_2", "ld_1"]), ("/sequences", sequence, ["=ld_2", "ld_1", "ld_3"]),
    ):  # fmt: skip
        place = f"{path}/{trigger['trigger_id']}"
        await acme.http.put(place, json={"active": False})
        found = (await acme.http.post(f"{place}/simulate", json={})).json()
        assert (sorted(found["matched_leads"]), found["total_matches"], found["would_fire"]) == (
            leads, len(leads), True,
        )  # fmt: skip
        assert found["message"] == f"Trigger would fire for {len(leads)} leads in the last 30 days"
        one = (await acme.http.post(f"{place}/simulate", json={"lead_id": "ld_1", "days": 1})).json()
        assert one["matched_leads"] == ["ld_1"]
        refused(await acme.http.post(f"{place}/simulate", json={"days": 0}), 400)
        refused(await acme.http.post(f"{place}/simulate", json={"lead_id": "nobody"}), 404)
        refused(await acme.http.post(f"{path}/none/simulate", json={}), 404)
    assert (await acme.http.get("/milestone-events")).json() == before
