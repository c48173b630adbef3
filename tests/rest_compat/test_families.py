"""The configuration families beyond engagement: profile, account, levels, decay, surge triggers."""

from __future__ import annotations

from typing import Any

import pytest

from leadvibe.store.database import Database
from tests.rest_compat.conftest import Org, refused

PROFILE, ACCOUNT = "/profile-scoring/rulesets", "/account-scoring/rulesets"

# Path, body of the reference's sample, an update, the name of the id.
SAMPLES = [
    ("/decays", {"inactive_for": 30, "unit": "days", "decrease": 25}, {"decrease": 10}, "decay_id"),
    ("/profile-mappings", {"source_field": "utm_source", "profile_property": "acquisition_source"},
     {"update_behavior": "set_once"}, "id"),
    ("/account-mappings", {"source_field": "company_size", "account_property": "company_size"},
     {"update_behavior": "append"}, "id"),
    (PROFILE, {"name": "Buyers"}, {"enabled": False}, "id"),
    (ACCOUNT, {"name": "Targets", "is_primary": True}, {"name": "Target accounts"}, "id"),
    ("/profile-levels", {"name": "Strong Fit", "min_score": 50, "max_score": 74}, {"max_score": None}, "level_id"),
    ("/account-levels", {"name": "Low Intent", "min_score": 0, "max_score": 24}, {"min_score": -10}, "level_id"),
]  # fmt: skip


@pytest.fixture(autouse=True)
async def abm(acme: Org, rival: Org, database: Database) -> None:
    await database.pool.execute("UPDATE organisations SET abm_enabled = true")


@pytest.mark.parametrize(("path", "body", "changes", "key"), SAMPLES, ids=[path for path, *_ in SAMPLES])
async def test_a_row_is_made_listed_changed_and_removed(
    acme: Org, rival: Org, path: str, body: dict[str, Any], changes: dict[str, Any], key: str
) -> None:
    before = (await acme.http.get(path)).json()
    created = await acme.http.post(path, json=body)
    assert created.status_code == 201
    row = created.json()
    assert body.items() <= row.items() and row["unit_id"] == acme.made.unit_id
    updated = await acme.http.put(f"{path}/{row[key]}", json=changes)
    assert updated.status_code == 200 and (body | changes).items() <= updated.json().items()
    assert [each[key] for each in (await acme.http.get(path)).json() if each not in before] == [row[key]]
    refused(await rival.http.put(f"{path}/{row[key]}", json=changes), 404, "not_found")
    if "levels" in path:  # the last level stays
        refused(await acme.http.delete(f"{path}/{row[key]}"), 400, "last_level")
        await acme.http.post(path, json=body | {"min_score": -100, "max_score": -90})
    assert (await acme.http.delete(f"{path}/{row[key]}")).status_code == 204
    refused(await acme.http.delete(f"{path}/{row[key]}"), 404, "not_found")


@pytest.mark.parametrize("surface", ["profile", "account"])
async def test_rules_belong_to_the_ruleset_of_their_path(acme: Org, surface: str) -> None:
    path = f"/{surface}-scoring/rulesets"
    first, second = [(await acme.http.post(path, json={"name": name})).json()["id"] for name in ("A", "B")]
    body = {f"{surface}_property": "title", "condition": "contains", "comparison_value": "VP", "weight": 30}
    rule = (await acme.http.post(f"{path}/{first}/rules", json=body)).json()
    assert rule["ruleset_id"] == first and rule["ui_order"] == 0
    assert [each["id"] for each in (await acme.http.get(f"{path}/{first}/rules")).json()] == [rule["id"]]
    assert (await acme.http.get(f"{path}/{second}/rules")).json() == []
    refused(await acme.http.put(f"{path}/{second}/rules/{rule['id']}", json={"weight": 1}), 404)
    changed = await acme.http.put(f"{path}/{first}/rules/{rule['id']}", json={"weight": -5})
    assert changed.json() == rule | {"weight": -5, "updated_at": changed.json()["updated_at"]}
    refused(await acme.http.get(f"{path}/rs_nowhere/rules"), 404)
    refused(await acme.http.post(f"{path}/rs_nowhere/rules", json=body), 404)
    assert (await acme.http.delete(f"{path}/{first}")).status_code == 204
    refused(await acme.http.get(f"{path}/{first}/rules"), 404)


@pytest.mark.parametrize("path", [PROFILE, ACCOUNT])
async def test_one_ruleset_is_primary_four_are_enabled_and_names_are_taken_once(acme: Org, path: str) -> None:
    rows = [(await acme.http.post(path, json={"name": f"{n}"})).json() for n in range(4)]
    assert [row["is_primary"] for row in rows] == [True, False, False, False]
    refused(await acme.http.post(path, json={"name": "4"}), 409, "too_many_active")
    refused(await acme.http.post(path, json={"name": "0", "enabled": False}), 409, "name_taken")
    assert (await acme.http.put(f"{path}/{rows[2]['id']}", json={"is_primary": True})).status_code == 200
    assert [row["is_primary"] for row in (await acme.http.get(path)).json()] == [False, False, True, False]


BAD = [
    ("/decays", {"inactive_for": 0, "unit": "days", "decrease": 1}, "inactive_for"),
    ("/decays", {"inactive_for": 1, "unit": "months", "decrease": 1}, "unit"),
    ("/decays", {"inactive_for": 1, "unit": "days", "decrease": 0}, "decrease"),
    ("/decays", {"unit": "days", "decrease": 1}, "inactive_for"),
    ("/profile-mappings", {"source_field": "", "profile_property": "a"}, "source_field"),
    ("/profile-mappings", {"source_field": "a", "profile_property": "a", "update_behavior": "never"},
     "update_behavior"),
    ("/account-mappings", {"source_field": "a"}, "account_property"),
    (PROFILE, {"enabled": True}, "name"),
    ("/profile-levels", {"name": "x", "min_score": 9, "max_score": 1}, "max_score"),
    ("/surge-triggers", {"window_seconds": 0, "threshold_count": 1, "emails": ["a@b.example"]}, "window_seconds"),
    ("/surge-triggers", {"window_seconds": 60, "threshold_count": 1}, "webhook_url"),
    ("/surge-triggers", {"window_seconds": 60, "threshold_count": 1, "emails": []}, "webhook_url"),
    ("/surge-triggers", {"window_seconds": 60, "threshold_count": 1, "emails": ["a"]}, "emails"),
    ("/surge-triggers", {"window_seconds": 60, "threshold_count": 1, "emails": ["a@b.example"],
     "webhook_url": "https://a.example"}, "webhook_url"),
    ("/surge-triggers", {"window_seconds": 60, "threshold_count": 1, "webhook_url": "ftp://a.example"},
     "webhook_url"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "field"), BAD)
async def test_a_bad_body_is_refused_by_field(acme: Org, path: str, body: dict[str, Any], field: str) -> None:
    response = await acme.http.post(path, json=body)
    refused(response, 400)
    assert field in {detail["field"] for detail in response.json()["details"]}


async def test_a_surge_trigger_is_updated_without_a_body(acme: Org) -> None:
    body = {"event_type": "page_view", "window_seconds": 3600, "window_unit": "hours", "threshold_count": 5}
    row = (await acme.http.post("/surge-triggers", json=body | {"webhook_url": "https://hooks.example/a"})).json()
    changes = {"webhook_url": None, "emails": ["a@example.com"]}
    response = await acme.http.put(f"/surge-triggers/{row['trigger_id']}", json=changes)
    assert (response.status_code, response.content) == (204, b"")
    (listed,) = (await acme.http.get("/surge-triggers")).json()
    assert (body | changes).items() <= listed.items()


async def test_a_surge_trigger_gets_the_destination_that_a_change_names_in_place_of_the_other(acme: Org) -> None:
    hook, mail = {"webhook_url": "https://hooks.example/a"}, {"emails": ["a@example.com"]}
    row = (await acme.http.post("/surge-triggers", json={"window_seconds": 60, "threshold_count": 5} | hook)).json()
    item = f"/surge-triggers/{row['trigger_id']}"
    for change, gone in ((mail, "webhook_url"), (hook, "emails"), (hook, "emails")):
        assert (await acme.http.put(item, json=change)).status_code == 204
        (listed,) = (await acme.http.get("/surge-triggers")).json()
        assert listed.items() >= (change | {gone: None}).items()
    refused(await acme.http.put(item, json=hook | mail), 400)
    refused(await acme.http.put(item, json={"webhook_url": None}), 400)
    assert (await acme.http.put(item, json={"threshold_count": 6})).status_code == 204


@pytest.mark.parametrize("path", [ACCOUNT, f"{ACCOUNT}/x/rules", "/account-mappings"])
async def test_accounts_are_closed_while_abm_is_off(acme: Org, database: Database, path: str) -> None:
    await database.pool.execute("UPDATE organisations SET abm_enabled = false WHERE org_id = $1", acme.made.org_id)
    refused(await acme.http.get(path), 403, "abm_disabled")
    body = {"name": "a", "source_field": "a", "account_property": "a", "condition": "equals", "comparison_value": "a"}
    refused(await acme.http.post(path, json=body | {"weight": 1}), 403, "abm_disabled")


async def test_account_levels_are_configuration_that_abm_does_not_close(acme: Org, database: Database) -> None:
    await database.pool.execute("UPDATE organisations SET abm_enabled = false")
    assert (await acme.http.get("/account-levels")).status_code == 200
