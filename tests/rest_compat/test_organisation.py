"""Members, units and memberships over REST."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from leadvibe.ids import new_id
from leadvibe.resolvers.authentication import Authenticator
from leadvibe.store.database import Database
from tests.rest_compat.conftest import PASSWORD, Org, add_unit, basic, bearer, fields, refused
from tests.rest_compat.people import add_person


def newcomer(**changes: Any) -> dict[str, Any]:
    return {
        "first_name": "Jane",
        "last_name": "Doe",
        "email": f"{new_id('jane')}@leadvibe.example",
        "role": "viewer",
        "password": "pa$$word",
    } | changes


async def test_the_units_of_the_caller_with_its_organisation(acme: Org, database: Database) -> None:
    await add_unit(database, acme.made, None)
    body = (await acme.http.get("/org-units")).json()
    assert body["organization"]["org_id"] == acme.made.org_id and body["organization"]["name"]
    assert body["units"] == [
        {
            "unit_id": acme.made.unit_id,
            "org_id": acme.made.org_id,
            "name": "Default",
            "slug": "default",
            "external_ref": None,
            "is_default": True,
        }
    ]


async def test_an_outdated_cookie_keeps_nobody_from_the_list_of_units(acme: Org, rival: Org) -> None:
    for unit_id in (rival.made.unit_id, "nowhere", r'"a\000"'):
        assert (await acme.http.get("/org-units", headers={"Cookie": f"activeOu={unit_id}"})).status_code == 200


async def test_a_new_unit_is_ready_and_its_maker_owns_it(acme: Org) -> None:
    response = await acme.http.post("/org-units", json={"name": " EMEA Sales "})
    assert response.status_code == 201
    made = response.json()
    assert (made["name"], made["slug"], made["is_default"]) == ("EMEA Sales", "emea-sales", False)
    inside = {"X-Unit-Id": made["unit_id"]}
    rule = await acme.http.post("/rules", json={"event_type": "a", "weight": 1}, headers=inside)
    assert rule.status_code == 201
    assert len((await acme.http.get("/engagement-levels", headers=inside)).json()) == 4
    again = (await acme.http.post("/org-units", json={"name": "EMEA sales"})).json()
    assert again["slug"] == "emea-sales-2"
    (row,) = (await acme.http.get(f"/org-units/{made['unit_id']}/memberships")).json()
    assert (row["org_member_id"], row["role"]) == (acme.made.org_member_id, "Owner")


async def test_a_unit_is_renamed_with_its_slug(acme: Org, rival: Org) -> None:
    response = await acme.http.put(f"/org-units/{acme.made.unit_id}", json={"name": "Zürich & Co"})
    assert response.status_code == 200
    assert (response.json()["name"], response.json()["slug"]) == ("Zürich & Co", "zurich-co")
    refused(await acme.http.put(f"/org-units/{rival.made.unit_id}", json={"name": "Mine"}), 404, "not_found")
    for name in ("", "  ", None, 5):
        for send in (acme.http.post("/org-units", json={"name": name}),):
            assert fields(refused(await send, 400)) == {"name"}
    assert (await rival.http.get("/org-units")).json()["units"][0]["name"] == "Default"


async def test_a_member_is_made_listed_changed_and_removed(acme: Org, http: httpx.AsyncClient) -> None:
    given = newcomer(email=f"{new_id('Jane')}@Leadvibe.example")
    response = await acme.http.post("/members", json=given)
    assert response.status_code == 201
    made = response.json()
    assert made == {name: given[name] for name in ("first_name", "last_name", "role")} | {
        "org_member_id": made["org_member_id"],
        "email": given["email"].lower(),
    }
    await acme.http.post(
        f"/org-units/{acme.made.unit_id}/memberships",
        json={"org_member_id": made["org_member_id"], "role": "Operator"},
    )
    listed = (await acme.http.get("/members")).json()
    assert [row["org_member_id"] for row in listed] == [acme.made.org_member_id, made["org_member_id"]]
    assert listed[1]["ou_memberships"] == [{"unit_id": acme.made.unit_id, "unit_name": "Default", "role": "Operator"}]
    path = f"/members/{made['org_member_id']}"
    changed = await acme.http.put(path, json={"last_name": "Roe", "role": "editor"})
    assert (changed.status_code, changed.content) == (204, b"")
    login = await http.post("/auth/login", json={"email": made["email"], "password": "pa$$word"})
    assert login.status_code == 200, login.text
    token = bearer(login.json()["token"])
    me = (await http.get("/auth/me", headers=token)).json()
    assert me == made | {"last_name": "Roe", "role": "editor", "verified": False}
    assert (await http.get("/leads", headers=token)).status_code == 200
    assert (await acme.http.delete(path)).status_code == 204
    refused(await http.get("/leads", headers=token), 401)
    refused(await http.get("/me", headers=token), 401)
    refused(await http.post("/auth/login", json={"email": made["email"], "password": "pa$$word"}), 401)
    refused(await acme.http.delete(path), 404)
    assert len((await acme.http.get(f"/org-units/{acme.made.unit_id}/memberships")).json()) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"role": "Owner"},
        {"email": "no address"},
        {"email": "a@b"},
        {"password": "short"},
        {"first_name": None},
        {"last_name": "a\0"},
    ],
)
async def test_a_member_that_is_none_is_refused(anybody: Org, change: dict[str, Any]) -> None:
    assert fields(refused(await anybody.http.post("/members", json=newcomer(**change)), 400)) == set(change)
    missing = {name: value for name, value in newcomer().items() if name not in change}
    assert fields(refused(await anybody.http.post("/members", json=missing), 400)) == set(change)


async def test_an_address_belongs_to_one_member_everywhere(acme: Org, rival: Org) -> None:
    given = newcomer()
    assert (await rival.http.post("/members", json=given)).status_code == 201
    refused(await acme.http.post("/members", json=given), 409, "email_taken")
    own = f"/members/{acme.made.org_member_id}"
    refused(await acme.http.put(own, json={"email": given["email"].upper()}), 409, "email_taken")
    assert len((await acme.http.get("/members")).json()) == 1


async def test_members_of_another_organisation_are_out_of_reach(acme: Org, rival: Org) -> None:
    path = f"/members/{rival.made.org_member_id}"
    before = (await rival.http.get("/members")).json()
    refused(await acme.http.put(path, json={"role": "viewer"}), 404, "not_found")
    refused(await acme.http.delete(path), 404, "not_found")
    refused(await acme.http.post(path + "/invitation"), 404, "not_found")
    unit = f"/org-units/{acme.made.unit_id}/memberships"
    refused(await acme.http.post(unit, json={"org_member_id": rival.made.org_member_id}), 404, "not_found")
    foreign = f"/org-units/{rival.made.unit_id}/memberships"
    refused(await acme.http.get(foreign), 404, "not_found")
    refused(await acme.http.post(foreign, json={"org_member_id": acme.made.org_member_id}), 404, "not_found")
    refused(await acme.http.put(f"{foreign}/{rival.made.org_member_id}", json={"role": "Viewer"}), 404, "not_found")
    refused(await acme.http.delete(f"{foreign}/{rival.made.org_member_id}"), 404, "not_found")
    assert (await rival.http.get("/members")).json() == before


async def test_the_last_admin_stays(acme: Org) -> None:
    own = f"/members/{acme.made.org_member_id}"
    refused(await acme.http.delete(own), 409, "last_admin")
    refused(await acme.http.put(own, json={"role": "editor"}), 409, "last_admin")
    assert (await acme.http.put(own, json={"role": "admin"})).status_code == 204


@pytest.mark.parametrize("demote", [False, True])
async def test_of_two_admins_that_remove_each_other_at_once_one_stays(
    acme: Org, http: httpx.AsyncClient, authenticator: Authenticator, demote: bool
) -> None:
    other = await add_person(authenticator, acme.made, "admin", "Owner")

    async def remove(who: str, by: dict[str, str]) -> int:
        path = f"/members/{who}"
        sent = http.put(path, json={"role": "viewer"}, headers=by) if demote else http.delete(path, headers=by)
        return (await sent).status_code

    statuses = await asyncio.gather(
        remove(other.org_member_id, bearer(acme.made.token)), remove(acme.made.org_member_id, other.headers)
    )
    assert sorted(statuses) in ([204, 409], [204, 401], [204, 403])
    alive = other.headers if statuses[1] == 204 else bearer(acme.made.token)
    listed = (await http.get("/members", headers=alive)).json()
    assert sum(member["role"] == "admin" for member in listed) == 1


async def test_who_removes_a_units_last_owner_becomes_one(
    acme: Org, http: httpx.AsyncClient, authenticator: Authenticator
) -> None:
    admin = await add_person(authenticator, acme.made, "admin")
    assert (await http.delete(f"/members/{acme.made.org_member_id}", headers=admin.headers)).status_code == 204
    rows = (await http.get(f"/org-units/{acme.made.unit_id}/members", headers=admin.headers)).json()
    assert [(row["org_member_id"], row["role"]) for row in rows] == [(admin.org_member_id, "Owner")]


async def test_who_leaves_sees_to_its_units_first(acme: Org, authenticator: Authenticator) -> None:
    await add_person(authenticator, acme.made, "admin")
    refused(await acme.http.delete(f"/members/{acme.made.org_member_id}"), 409, "last_owner")


async def test_memberships_are_made_changed_and_ended(acme: Org, authenticator: Authenticator) -> None:
    person = await add_person(authenticator, acme.made)
    unit = f"/org-units/{acme.made.unit_id}/memberships"
    one = f"{unit}/{person.org_member_id}"
    for role in (None, "Operator", "Owner"):
        given = {"org_member_id": person.org_member_id} | ({"role": role} if role else {})
        for _ in range(2):
            assert (await acme.http.post(unit, json=given)).status_code == 204
        rows = {row["org_member_id"]: row for row in (await acme.http.get(unit)).json()}
        assert rows[person.org_member_id]["role"] == (role or "Viewer")
    assert set(rows[person.org_member_id]) == {
        "org_member_id", "first_name", "last_name", "email", "unit_id", "role", "created_at"
    }  # fmt: skip
    assert (await acme.http.put(one, json={"role": "Viewer"})).status_code == 204
    assert (await acme.http.delete(one)).status_code == 204
    refused(await acme.http.delete(one), 404)
    refused(await acme.http.put(one, json={"role": "Viewer"}), 404)
    assert fields(refused(await acme.http.post(unit, json={"org_member_id": "x", "role": "admin"}), 400)) == {"role"}
    assert fields(refused(await acme.http.post(unit, json={}), 400)) == {"org_member_id"}


async def test_an_operator_assigns_but_makes_no_owner(
    acme: Org, http: httpx.AsyncClient, authenticator: Authenticator
) -> None:
    operator = await add_person(authenticator, acme.made, "viewer", "Operator")
    person = await add_person(authenticator, acme.made)
    unit, by = f"/org-units/{acme.made.unit_id}/members", operator.headers
    given = {"org_member_id": person.org_member_id}
    assert (await http.post(unit, json=given | {"role": "Operator"}, headers=by)).status_code == 204
    refused(await http.post(unit, json=given | {"role": "Owner"}, headers=by), 403, "forbidden")
    refused(await http.put(f"{unit}/{operator.org_member_id}", json={"role": "Owner"}, headers=by), 403)
    refused(await http.put(f"{unit}/{acme.made.org_member_id}", json={"role": "Viewer"}, headers=by), 403)
    refused(await http.delete(f"{unit}/{acme.made.org_member_id}", headers=by), 403)
    assert (await http.delete(f"{unit}/{person.org_member_id}", headers=by)).status_code == 204


async def test_the_last_owner_stays(acme: Org) -> None:
    own = f"/org-units/{acme.made.unit_id}/memberships/{acme.made.org_member_id}"
    refused(await acme.http.delete(own), 409, "last_owner")
    refused(await acme.http.put(own, json={"role": "Operator"}), 409, "last_owner")
    assert (await acme.http.put(own, json={"role": "Owner"})).status_code == 204


ADMINS = [
    ("POST", "/org-units", {"name": "New"}),
    ("PUT", "/org-units/{unit}", {"name": "New"}),
    ("POST", "/members", newcomer()),
    ("POST", "/members/invite", newcomer()),
    ("POST", "/members/{member}/invitation", None),
    ("PUT", "/members/{member}", {"first_name": "Mallory"}),
    ("DELETE", "/members/{member}", None),
]
OWNERS = [("POST", "/secrets", {"name": "Mine"}), ("DELETE", "/secrets/{secret}", None)]
ASSIGNERS = [
    ("POST", "/org-units/{unit}/memberships", {"org_member_id": "{member}"}),
    ("PUT", "/org-units/{unit}/memberships/{member}", {"role": "Viewer"}),
    ("DELETE", "/org-units/{unit}/memberships/{member}", None),
]
ANYBODY = [
    ("GET", "/org-units", None),
    ("GET", "/members", None),
    ("GET", "/me", None),
    ("GET", "/settings/tokens", None),
]
UNIT = [("GET", "/org-units/{unit}/memberships", None), ("GET", "/secrets", None)]


@pytest.mark.parametrize(
    ("role", "unit_role", "closed", "open_"),
    [
        ("viewer", "Viewer", ADMINS + OWNERS + ASSIGNERS, ANYBODY + UNIT),
        ("editor", "Operator", ADMINS + OWNERS, ANYBODY + UNIT),
        ("editor", "Owner", ADMINS, ANYBODY + UNIT),
        ("editor", None, ADMINS + ASSIGNERS + UNIT[:1], ANYBODY),
        ("admin", None, ASSIGNERS + UNIT[:1], ANYBODY),
    ],
)
async def test_every_role_meets_the_operations_that_are_closed_to_it(
    acme: Org,
    http: httpx.AsyncClient,
    authenticator: Authenticator,
    role: str,
    unit_role: str | None,
    closed: list[tuple[str, str, Any]],
    open_: list[tuple[str, str, Any]],
) -> None:
    person = await add_person(authenticator, acme.made, role, unit_role)
    before = (await acme.http.get("/members")).json(), (await acme.http.get("/secrets")).json()
    ids = {"unit": acme.made.unit_id, "member": acme.made.org_member_id, "secret": before[1][0]["secret_id"]}
    for method, path, body in closed:
        response = await http.request(method, path.format(**ids), json=body, headers=person.headers)
        assert response.status_code == 403, (method, path, response.text)
    for method, path, body in open_:
        response = await http.request(method, path.format(**ids), json=body, headers=person.headers)
        assert response.status_code == 200, (method, path, response.text)
    assert before == ((await acme.http.get("/members")).json(), (await acme.http.get("/secrets")).json())


async def test_a_credential_pair_manages_nobody(acme: Org, http: httpx.AsyncClient) -> None:
    ids = {"unit": acme.made.unit_id, "member": acme.made.org_member_id, "secret": "sec_1"}
    for method, path, body in ADMINS + OWNERS + ASSIGNERS + ANYBODY + UNIT[:1]:
        sent = http.request(method, path.format(**ids), json=body, headers=acme.credential())
        refused(await sent, 403, "forbidden")


async def test_a_pair_is_shown_once_and_refused_as_soon_as_it_is_deleted(
    acme: Org, http: httpx.AsyncClient, database: Database
) -> None:
    response = await acme.http.post("/secrets", json={"name": " Production "})
    assert response.status_code == 200
    made = response.json()
    assert made["client_id"].startswith("lv_ci_") and made["client_secret"].startswith("lv_cs_")
    assert (made["name"], made["unit_id"], made["trust_upstream_consent"]) == ("Production", acme.made.unit_id, False)
    pair = basic(made["client_id"], made["client_secret"])
    assert (await http.get("/leads", headers=pair)).status_code == 200
    listed = await acme.http.get("/secrets")
    assert made["client_secret"] not in listed.text
    assert listed.json()[1] == {name: value for name, value in made.items() if name != "client_secret"}
    stored = await database.pool.fetchval(
        "SELECT c::text FROM api_credentials c WHERE secret_id = $1", made["secret_id"]
    )
    assert made["client_secret"] not in stored
    assert (await acme.http.delete(f"/secrets/{made['secret_id']}")).status_code == 204
    refused(await http.get("/leads", headers=pair), 401)
    refused(await acme.http.delete(f"/secrets/{made['secret_id']}"), 404)


async def test_a_pair_of_another_organisation_is_out_of_reach(acme: Org, rival: Org, http: httpx.AsyncClient) -> None:
    (row,) = (await rival.http.get("/secrets")).json()
    refused(await acme.http.delete(f"/secrets/{row['secret_id']}"), 404, "not_found")
    assert (await http.get("/leads", headers=rival.credential())).status_code == 200


@pytest.mark.parametrize("name", ["", " ", "x" * 51, None, 5, "a\0"])
async def test_a_pair_needs_a_name(anybody: Org, name: Any) -> None:
    assert fields(refused(await anybody.http.post("/secrets", json={"name": name}), 400)) == {"name"}


async def test_the_password_of_a_new_member_is_nowhere_in_clear(acme: Org, database: Database) -> None:
    given = newcomer(password="correct battery")
    made = await acme.http.post("/members", json=given)
    stored = await database.pool.fetchval("SELECT m::text FROM members m WHERE email = $1", given["email"])
    assert given["password"] not in made.text + stored
    assert PASSWORD not in stored
