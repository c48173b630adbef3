"""Who may do what: a walk over all operations of both doors with each kind of caller.

`who_may.txt` says what each asks for, written from the contract and not from the code. That the roles of the
organisation and of the unit are told apart in every combination is tried in tests/resolvers/test_permissions.py.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import Response

from leadvibe.app import Application
from leadvibe.config import Settings
from leadvibe.resolvers.authentication import Authenticator, Credentials
from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.rest_compat.routes import ROUTES, document
from leadvibe.rest_compat.table import Route
from leadvibe.schema.context import GraphQLContext
from leadvibe.store.database import Database
from tests.http_server import serving
from tests.rest_compat.conftest import add_unit, basic, bearer, client, new_org
from tests.rest_compat.graphql_walk import codes, fields
from tests.rest_compat.people import add_person
from tests.rest_compat.test_document import reference
from tests.rest_compat.test_routes import BODIES

# Whom each level admits. `token` is an Operator's personal access token. `undecided` has several units and names
# none, `stranger` is of the organisation and not of the unit, `foreigner` is of another organisation.
PEOPLE = {"viewer", "token", "owner", "admin"}
ADMITTED = {
    "public": {*PEOPLE, "nobody", "credential", "undecided", "stranger", "foreigner"},
    "identified": {*PEOPLE, "credential", "undecided", "stranger", "foreigner"},
    "member": {*PEOPLE, "undecided", "stranger", "foreigner"},
    "belong": PEOPLE,
    "read": {*PEOPLE, "credential"},
    "write": {"owner", "token", "credential"},
    "assign": {"owner", "token"},
    "own": {"owner"},
    "admin": {"admin"},
}
# How whoever is not admitted to something of a unit is refused; everybody else's role does not allow it.
REFUSED = {"nobody": "unauthorized", "undecided": "no_active_ou", "stranger": "not_a_member", "foreigner": "not_found"}
OF_UNITS = {"belong", "read", "write", "assign", "own"}
# Open to everybody, and refused to a wrong password.
LOGIN = {"POST /auth/login", "Mutation.login"}
REFUSALS = {"unauthorized", "no_active_ou", "not_a_member", "forbidden"}


def table() -> dict[str, str]:
    lines = (Path(__file__).parent / "who_may.txt").read_text().splitlines()
    return {what: level for level, what in (line.split(" ", 1) for line in lines)}


TABLE = table()


def test_the_table_has_every_operation_and_field() -> None:
    there = {f"{route.method} {route.path}" for route in ROUTES} | {field.title for field in fields()}
    assert there == TABLE.keys()
    paths = {(route.method, path): f"{route.method} {route.path}" for route in ROUTES for path in route.paths}
    for operation in reference():
        levels = {TABLE[paths[operation.method, path]] for path in operation.paths}
        assert len(levels) == 1, operation
        if operation.schemes == {"bearer", "basic"}:
            assert levels <= {"public", "identified", "read", "write"}, "an API credential may"
        if not operation.schemes:
            assert levels == {"public"}


@dataclass
class Walk:
    """A server, and the headers of each kind of caller."""

    app: Starlette
    http: httpx.AsyncClient
    unit_id: str
    callers: dict[str, dict[str, str]]

    def context(self, name: str) -> GraphQLContext:
        headers = {key.lower(): value for key, value in self.callers[name].items()}
        credentials = Credentials(headers.get("authorization"), unit_header=headers.get("x-unit-id"))
        return GraphQLContext(self.app.state.services, credentials, response=Response())


@pytest.fixture(scope="module")
async def walk(database_url: str, database: Database, authenticator: Authenticator) -> AsyncIterator[Walk]:
    org, other = await new_org(authenticator, "walk"), await new_org(authenticator, "foreign")
    await database.pool.execute("UPDATE organisations SET abm_enabled = true WHERE org_id = $1", org.org_id)
    unit = {"X-Unit-Id": org.unit_id}
    callers: dict[str, dict[str, str]] = {"nobody": {}, "foreigner": bearer(other.token) | unit}
    for name, role, unit_role in (
        ("viewer", "viewer", "Viewer"), ("operator", "viewer", "Operator"), ("owner", "editor", "Owner"),
        ("admin", "admin", "Viewer"), ("stranger", "editor", None),
    ):  # fmt: skip
        callers[name] = (await add_person(authenticator, org, role, unit_role)).headers | unit
    callers["credential"] = basic(org.client_id, org.client_secret)
    callers["undecided"] = bearer(other.token)
    await add_unit(database, other, "Owner")
    app = Application(Settings(database_url=database_url))
    async with serving(app) as url, client(url) as http:
        made = await http.post("/settings/tokens", json={"name": "walk"}, headers=callers.pop("operator"))
        callers["token"] = bearer(made.json()["token"]) | unit
        await _occupy(database, org)
        yield Walk(app, http, org.unit_id, callers)


async def _occupy(database: Database, org: Bootstrapped) -> None:
    """Lets the unit have sample data, so that seeding is refused and takes no time."""
    await database.pool.execute(
        "INSERT INTO sample_data VALUES ($1, 1, 0, '{}', '{}', '{}', '{}', 'mem', now())", org.unit_id
    )


def request_of(walk: Walk, route: Route) -> httpx.Request:
    """A request that the route accepts, about things that are not there."""
    path = re.sub("(?<=^/org-units/){id}|{ouId}", walk.unit_id, route.path)
    described = document()["paths"][route.path][route.method.lower()]
    content = described.get("requestBody", {}).get("content", {}).get("application/json", {})
    body = BODIES.get((route.method, route.path)) or ({"json": content["example"]} if "example" in content else {})
    return walk.http.build_request(route.method, re.sub(r"{\w+}", "nobody", path), **body)


def wanted(level: str, caller: str) -> str | None:
    """The code of the refusal, or None."""
    if caller in ADMITTED[level]:
        return None
    if caller == "nobody" or level in OF_UNITS:
        return REFUSED.get(caller, "forbidden")
    return "forbidden"


def differs(level: str, caller: str, code: str | None) -> bool:
    """Whether the answer is not that of the table. Whoever is admitted may fail for other reasons."""
    refusal = wanted(level, caller)
    return code in REFUSALS if refusal is None else code != refusal


# Who is none of the unit's members. They are told apart before an operation is looked at, so they take turns.
OUTSIDE = ("undecided", "stranger", "foreigner")


def callers_of(walk: Walk, number: int, level: str, names_unit: bool) -> list[str]:
    """The callers of an operation, which itself may name the unit that it is about."""
    outside = OUTSIDE[number % 3]
    inside = [name for name in walk.callers if name not in OUTSIDE]
    # Two of them are owners and admins elsewhere.
    means_nothing = outside != "stranger" and (level == "admin" or (outside == "undecided" and names_unit))
    return inside if means_nothing else [*inside, outside]


async def test_rest_admits_whom_the_table_admits(walk: Walk) -> None:
    wrong = []
    for number, route in enumerate(ROUTES):
        if route.path == "/stream":  # it never ends
            continue
        title = f"{route.method} {route.path}"
        level = TABLE[title]
        for name in callers_of(walk, number, level, route.in_unit is not None):
            request = request_of(walk, route)
            request.headers.update(walk.callers[name])
            request.headers.pop("cookie", None)
            response = await walk.http.send(request)
            code = _code(response)
            if title not in LOGIN and differs(level, name, code):
                wrong.append((title, level, name, response.status_code, code))
    assert not wrong, "\n".join(map(str, wrong))


def _code(response: httpx.Response) -> str | None:
    if response.status_code < 400 or response.headers.get("content-type") != "application/json":
        return None
    return response.json().get("code")


async def test_graphql_admits_whom_the_table_admits(walk: Walk) -> None:
    wrong = []
    for number, field in enumerate(fields()):
        level = TABLE[field.title]
        for name in callers_of(walk, number, level, "unitId" in field.definition.args):
            if field.root == "Subscription" and wanted(level, name) is None:
                continue
            code = next(iter(await codes(field, walk.context(name), {"unitId": walk.unit_id})), None)
            if field.title not in LOGIN and differs(level, name, code):
                wrong.append((field.title, level, name, code))
    assert not wrong, "\n".join(map(str, wrong))
