"""Rules, rulesets, filters and levels: made, listed, changed and removed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.rest_compat.conftest import Org, Scoring, fields, refused

RULE = {"event_type": "page_view", "weight": 5}
RULESET = {"name": "Fit"}
FILTER = {"event_type": "page_view", "count_threshold": 10, "time_window_ms": 60_000}
LEVEL = {"name": "Below", "min_score": -50, "max_score": -1}

# path, a body to create with, all that it makes besides ids, author and time, a change, the id's field and prefix
FAMILIES = [
    (
        "/rules",
        RULE,
        RULE | {"icon": None, "active": True, "start_at": None, "end_at": None},
        {"weight": -3, "icon": "eye", "active": False, "end_at": "2030-01-01T00:00:00Z"},
        "rule_id",
        "rl_",
    ),
    (
        "/rulesets",
        RULESET,
        RULESET
        | {
            "score_column": "total_score",
            "is_primary": True,
            "active": True,
            "start_at": None,
            "end_at": None,
        },
        {"name": "Fitter", "start_at": "2026-01-01T00:00:00Z", "end_at": "2026-01-01T00:00:00Z"},
        "ruleset_id",
        "rs_",
    ),
    (
        "/filters",
        FILTER,
        FILTER | {"group_events": False},
        {"count_threshold": 1, "group_events": True},
        "filter_id",
        "fl_",
    ),
    ("/engagement-levels", LEVEL, LEVEL, {"name": "Lost", "max_score": -10}, "stage_id", "st_"),
]
NAMES = [family[0] for family in FAMILIES]
each_family = pytest.mark.parametrize(("path", "body", "made", "change", "key", "prefix"), FAMILIES, ids=NAMES)


async def create(org: Org, path: str, body: dict[str, Any]) -> dict[str, Any]:
    response = await org.http.post(path, json=body)
    assert response.status_code == 201, response.text
    return response.json()


@each_family
async def test_what_is_made_is_shown_changed_and_removed(
    acme: Org, path: str, body: dict[str, Any], made: dict[str, Any], change: dict[str, Any], key: str, prefix: str
) -> None:
    began = datetime.now(UTC)
    row = await create(acme, path, body)
    assert row.items() >= made.items()
    assert row[key].startswith(prefix)
    assert (row["org_id"], row["unit_id"]) == (acme.made.org_id, acme.made.unit_id)
    assert row["created_by"] == row["updated_by"] == acme.made.org_member_id
    assert began <= datetime.fromisoformat(row["created_at"]) <= datetime.now(UTC)
    assert row in (await acme.http.get(path)).json()

    item = f"{path}/{row[key]}"
    response = await acme.http.put(item, json=change, headers=acme.credential())
    assert response.status_code == 200, response.text
    changed = response.json()
    stamps = {"updated_at": changed["updated_at"], "updated_by": changed["updated_by"]}
    assert changed == row | change | stamps, "what the change leaves out keeps its value"
    assert changed["updated_at"] > row["updated_at"] and changed["updated_by"] != row["updated_by"]
    assert changed in (await acme.http.get(path)).json()

    response = await acme.http.delete(item)
    assert (response.status_code, response.content) == (204, b"")
    assert row[key] not in (await acme.http.get(path)).text
    refused(await acme.http.delete(item), 404, "not_found")
    refused(await acme.http.put(item, json=change), 404, "not_found")


@each_family
async def test_a_change_of_nothing_changes_nothing(
    acme: Org, path: str, body: dict[str, Any], made: dict[str, Any], change: dict[str, Any], key: str, prefix: str
) -> None:
    row = await create(acme, path, body)
    changed = (await acme.http.put(f"{path}/{row[key]}", json={"unknown": 1})).json()
    assert changed.items() >= made.items()


@each_family
async def test_what_is_null_must_be_allowed_to(
    acme: Org, path: str, body: dict[str, Any], made: dict[str, Any], change: dict[str, Any], key: str, prefix: str
) -> None:
    row = await create(acme, path, body)
    name = next(iter(body))
    refusal = refused(await acme.http.put(f"{path}/{row[key]}", json={name: None}), 400, "invalid_request")
    assert fields(refusal) == {name}


async def test_the_other_name_of_filters_is_the_same(acme: Org) -> None:
    made = await create(acme, "/inorganic-filters", FILTER)
    assert (await acme.http.get("/filters")).json() == (await acme.http.get("/inorganic-filters")).json() == [made]
    response = await acme.http.put(f"/inorganic-filters/{made['filter_id']}", json={"count_threshold": 3})
    assert response.json()["count_threshold"] == 3
    assert (await acme.http.delete(f"/inorganic-filters/{made['filter_id']}")).status_code == 204


async def test_a_rule_without_ruleset_brings_the_default_one_into_being(acme: Org) -> None:
    assert (await acme.http.get("/rulesets")).json() == []
    first, second = await acme.rule("a", 1), await acme.rule("b", 2)
    (ruleset,) = (await acme.http.get("/rulesets")).json()
    assert (ruleset["name"], ruleset["is_primary"], ruleset["active"]) == ("Default", True, True)
    assert first["ruleset_id"] == second["ruleset_id"] == ruleset["ruleset_id"]


async def test_rules_made_at_once_share_one_default_ruleset(acme: Org) -> None:
    rules = await asyncio.gather(*[acme.rule(f"type_{n}", n) for n in range(8)])
    (ruleset,) = (await acme.http.get("/rulesets")).json()
    assert {rule["ruleset_id"] for rule in rules} == {ruleset["ruleset_id"]}


async def test_a_rule_without_ruleset_goes_to_the_primary_one(acme: Org) -> None:
    first = await create(acme, "/rulesets", {"name": "First"})
    second = await create(acme, "/rulesets", {"name": "Second", "is_primary": True})
    assert (await acme.rule("a", 1))["ruleset_id"] == second["ruleset_id"]
    nulled = await create(acme, "/rules", {"event_type": "b", "weight": 1, "ruleset_id": None})
    assert nulled["ruleset_id"] == second["ruleset_id"], "null is none, too"
    primaries = {row["ruleset_id"]: row["is_primary"] for row in (await acme.http.get("/rulesets")).json()}
    assert primaries == {first["ruleset_id"]: False, second["ruleset_id"]: True}, "there is one at most"


async def test_the_first_ruleset_becomes_primary(acme: Org) -> None:
    assert (await create(acme, "/rulesets", RULESET | {"is_primary": False}))["is_primary"] is True
    assert (await create(acme, "/rulesets", RULESET))["is_primary"] is False


async def test_a_fifth_active_ruleset_is_a_conflict(acme: Org) -> None:
    made = [await create(acme, "/rulesets", {"name": f"R{n}"}) for n in range(4)]
    refused(await acme.http.post("/rulesets", json=RULESET), 409, "too_many_active")
    dormant = await create(acme, "/rulesets", RULESET | {"active": False})
    item = f"/rulesets/{dormant['ruleset_id']}"
    refused(await acme.http.put(item, json={"active": True}), 409, "too_many_active")
    assert (await acme.http.put(item, json={"name": "Still dormant"})).status_code == 200
    assert (await acme.http.put(f"/rulesets/{made[0]['ruleset_id']}", json={"active": False})).status_code == 200
    assert (await acme.http.put(item, json={"active": True})).status_code == 200
    assert sum(row["active"] for row in (await acme.http.get("/rulesets")).json()) == 4


async def test_of_rulesets_made_at_once_four_are_active(acme: Org) -> None:
    answers = await asyncio.gather(*[acme.http.post("/rulesets", json={"name": f"R{n}"}) for n in range(10)])
    assert sorted(answer.status_code for answer in answers) == [201] * 4 + [409] * 6
    rows = (await acme.http.get("/rulesets")).json()
    assert (len(rows), sum(row["is_primary"] for row in rows)) == (4, 1)


async def test_a_second_rule_of_a_type_in_a_ruleset_is_a_conflict(acme: Org) -> None:
    rule = await acme.rule("page_view", 5)
    refused(await acme.http.post("/rules", json=RULE | {"weight": 9}), 409, "rule_exists")
    refused(await acme.http.post("/rules", json=RULE | {"ruleset_id": rule["ruleset_id"]}), 409, "rule_exists")
    other = await acme.rule("Page_View", 5)
    refused(await acme.http.put(f"/rules/{other['rule_id']}", json={"event_type": "page_view"}), 409, "rule_exists")
    second = await create(acme, "/rulesets", {"name": "Second"})
    elsewhere = await create(acme, "/rules", RULE | {"ruleset_id": second["ruleset_id"]})
    moved = await acme.http.put(f"/rules/{elsewhere['rule_id']}", json={"ruleset_id": rule["ruleset_id"]})
    refused(moved, 409, "rule_exists")
    assert (await acme.http.put(f"/rules/{rule['rule_id']}", json=RULE)).status_code == 200, "it is no twin of itself"


async def test_of_equal_rules_made_at_once_one_is(acme: Org) -> None:
    answers = await asyncio.gather(*[acme.http.post("/rules", json=RULE) for _ in range(8)])
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7


async def test_the_rules_of_a_ruleset_are_listed_and_go_with_it(acme: Org) -> None:
    rule = await acme.rule("page_view", 5)
    second = await create(acme, "/rulesets", {"name": "Second"})
    other = await create(acme, "/rules", RULE | {"ruleset_id": second["ruleset_id"]})
    for one in (rule, other):
        assert (await acme.http.get(f"/rulesets/{one['ruleset_id']}/rules")).json() == [one]
    assert (await acme.http.get("/rules")).json() == [rule, other]
    assert (await acme.http.delete(f"/rulesets/{second['ruleset_id']}")).status_code == 204
    assert (await acme.http.get("/rules")).json() == [rule]
    refused(await acme.http.get(f"/rulesets/{second['ruleset_id']}/rules"), 404, "not_found")


async def test_the_last_level_stays(acme: Org) -> None:
    *levels, last = [row["stage_id"] for row in (await acme.http.get("/engagement-levels")).json()]
    for stage_id in levels:
        assert (await acme.http.delete(f"/engagement-levels/{stage_id}")).status_code == 204
    refused(await acme.http.delete(f"/engagement-levels/{last}"), 400, "last_level")


async def test_levels_come_in_their_order_and_may_not_overlap(acme: Org) -> None:
    levels = (await acme.http.get("/engagement-levels")).json()
    assert [(row["name"], row["min_score"], row["max_score"]) for row in levels] == [
        ("Cold", 0, 24),
        ("Warm", 25, 49),
        ("Hot", 50, 74),
        ("Very Hot", 75, None),
    ]
    for bounds in ((24, 24), (-5, 0), (-5, 500), (100, 200)):
        body = {"name": "X", "min_score": bounds[0], "max_score": bounds[1]}
        refused(await acme.http.post("/engagement-levels", json=body), 400, "invalid_request")
    warm = f"/engagement-levels/{levels[1]['stage_id']}"
    refused(await acme.http.put(warm, json={"max_score": 50}), 400)
    assert (await acme.http.put(warm, json={"max_score": 40})).status_code == 200
    assert (await acme.http.post("/engagement-levels", json=LEVEL)).status_code == 201


async def test_a_change_counts_for_events_after_it(acme: Org, scoring: Scoring) -> None:
    rule = await acme.rule("demo", 10)
    event = {"event_type": "demo", "lead_id": "ld_1"}
    for change, score in (({}, 10), ({"weight": 20}, 30), ({"active": False}, 30), ({"active": True}, 55)):
        assert (await acme.http.put(f"/rules/{rule['rule_id']}", json=change)).status_code == 200
        await acme.ingest(event)
        await scoring.finish()
        assert await acme.score("ld_1") == score
    assert (await acme.http.delete(f"/rules/{rule['rule_id']}")).status_code == 204
    await acme.ingest(event)
    await scoring.finish()
    assert await acme.score("ld_1") == 55


@pytest.mark.parametrize(
    ("path", "good", "wrong"),
    [
        ("/rules", RULE, {"event_type": ""}),
        ("/rules", RULE, {"event_type": 5}),
        ("/rules", RULE, {"event_type": "x" * 201}),
        ("/rules", RULE, {"event_type": "a\0b"}),
        ("/rules", RULE, {"weight": "5"}),
        ("/rules", RULE, {"weight": 1.5}),
        ("/rules", RULE, {"weight": True}),
        ("/rules", RULE, {"weight": 1_000_001}),
        ("/rules", RULE, {"weight": -1_000_001}),
        ("/rules", RULE, {"weight": 10**30}),
        ("/rules", RULE, {"active": "yes"}),
        ("/rules", RULE, {"icon": "x" * 201}),
        ("/rules", RULE, {"start_at": "tomorrow"}),
        ("/rules", RULE, {"start_at": "2026-01-01T00:00:00"}),
        ("/rules", RULE, {"start_at": "2026"}),
        ("/rules", RULE, {"start_at": "0001-01-01T00:00:00+14:00"}),
        ("/rules", RULE | {"start_at": "2026-02-01T00:00:00Z"}, {"end_at": "2026-01-01T00:00:00Z"}),
        ("/rulesets", RULESET, {"name": ""}),
        ("/rulesets", RULESET, {"name": "x" * 201}),
        ("/rulesets", RULESET, {"name": "\0"}),
        ("/rulesets", RULESET, {"score_column": 5}),
        ("/rulesets", RULESET, {"is_primary": 1}),
        ("/rulesets", RULESET | {"start_at": "2026-02-01T00:00:00Z"}, {"end_at": "2026-01-31T23:59:59Z"}),
        ("/filters", FILTER, {"count_threshold": 0}),
        ("/filters", FILTER, {"count_threshold": 100_001}),
        ("/filters", FILTER, {"time_window_ms": 0}),
        ("/filters", FILTER, {"time_window_ms": 2**63}),
        ("/filters", FILTER, {"group_events": "true"}),
        ("/filters", FILTER, {"event_type": ""}),
        ("/engagement-levels", LEVEL, {"name": ""}),
        ("/engagement-levels", LEVEL, {"max_score": -51}),
        ("/engagement-levels", LEVEL, {"max_score": 2**31}),
        ("/engagement-levels", LEVEL, {"min_score": -(2**31) - 1}),
    ],
)
async def test_a_wrong_value_is_refused_and_named(
    acme: Org, path: str, good: dict[str, Any], wrong: dict[str, Any]
) -> None:
    before = (await acme.http.get(path)).json()
    refusal = refused(await acme.http.post(path, json=good | wrong), 400, "invalid_request")
    assert fields(refusal) == set(wrong)
    assert (await acme.http.get(path)).json() == before
    row = await create(acme, path, good)
    item = f"{path}/{next(row[key] for key in ('rule_id', 'filter_id', 'stage_id', 'ruleset_id') if key in row)}"
    assert fields(refused(await acme.http.put(item, json=wrong), 400, "invalid_request")) == set(wrong)
    assert row in (await acme.http.get(path)).json()


@pytest.mark.parametrize(
    ("path", "needed"),
    [
        ("/rules", {"event_type", "weight"}),
        ("/rulesets", {"name"}),
        ("/filters", {"event_type", "count_threshold", "time_window_ms"}),
        ("/engagement-levels", {"name", "min_score"}),
    ],
)
async def test_what_is_needed_is_named(anybody: Org, path: str, needed: set[str]) -> None:
    assert fields(refused(await anybody.http.post(path, json={}), 400, "invalid_request")) == needed


async def test_another_primary_ruleset_is_the_shown_score_at_once(acme: Org, scoring: Scoring) -> None:
    await acme.rule("demo", 10)
    second = await create(acme, "/rulesets", {"name": "Second"})
    item = f"/rulesets/{second['ruleset_id']}"
    await create(acme, "/rules", {"event_type": "demo", "weight": 60, "ruleset_id": second["ruleset_id"]})
    await acme.ingest({"event_type": "demo", "lead_id": "ld_1"})
    await scoring.finish()

    async def shown() -> tuple[Any, ...]:
        (lead,) = (await acme.http.get("/leads")).json()["leads"]
        (batch,) = (await acme.http.post("/leads/scores", json={"lead_ids": ["ld_1"]})).json()
        (top,) = (await acme.http.get("/top-leads")).json()
        return lead["score"], lead["engagement_level"], batch["score"], top["score"]

    assert await shown() == (10, "Cold", 10, 10)
    assert (await acme.http.put(item, json={"is_primary": True})).status_code == 200
    assert await shown() == (60, "Hot", 60, 60)
    assert (await acme.http.delete(item)).status_code == 204
    assert await shown() == (0, "Cold", 0, 0), "there is no primary one"
