"""Everything that REST does, GraphQL does too; and whoever moves finds where."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from graphql import GraphQLObjectType

from leadvibe.rest_compat.graphql_fields import FIELDS, field_of, migration_table
from leadvibe.rest_compat.routes import ROUTES
from leadvibe.rest_compat.table import Route
from leadvibe.schema.root import SCHEMA
from tests.rest_compat.conftest import Org
from tests.rest_compat.test_document import Operation, reference

GUIDE = Path(__file__).parents[2] / "docs" / "migration.md"

# Pages for people, and the document of the REST paths.
ONLY_REST = {"GET /integrations", "GET /auth/password/page", "GET /openapi.json"}

# What the reference does not have.
ONLY_GRAPHQL = {
    "Query": {"node", "job", "segment", "previewSegment", "deliveries", "delivery", "webhookSecret"},
    "Mutation": {"rescore", "cancelJob", "redeliver", "redeliverDead", "rotateWebhookSecret"},
    "Subscription": {
        "eventIngested",
        "leadChanged",
        "surgeDetected",
        "milestoneReached",
        "sequenceCompleted",
        "patternMatched",
        "jobProgress",
        "segmentMembershipChanged",
    },
}


@pytest.mark.parametrize("wanted", reference(), ids=lambda wanted: f"{wanted.method} {wanted.paths[0]}")
def test_an_operation_of_the_reference_has_a_field(wanted: Operation) -> None:
    for path in wanted.paths:
        [route] = [route for route in ROUTES if route.method == wanted.method and path in route.paths]
        assert field_of(route) is not None


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_route_names_a_field_of_the_schema(route: Route) -> None:
    field = field_of(route)
    if field is None:
        assert f"{route.method} {route.path}" in ONLY_REST
        return
    kind_name, field_name = field.split(".")
    kind = SCHEMA._schema.type_map[kind_name]
    assert isinstance(kind, GraphQLObjectType) and field_name in kind.fields


@pytest.mark.parametrize("root", ["Query", "Mutation", "Subscription"])
def test_a_field_of_the_schema_has_a_route(root: str) -> None:
    kind = SCHEMA._schema.type_map[root]
    assert isinstance(kind, GraphQLObjectType)
    routed = {name.removeprefix(f"{root}.") for name in FIELDS.values()}
    assert set(kind.fields) - routed == ONLY_GRAPHQL[root] & set(kind.fields)


def test_no_field_is_named_for_a_route_that_is_not_there() -> None:
    assert set(FIELDS) == {f"{route.method} {route.path}" for route in ROUTES if field_of(route)}


def test_the_migration_guide_has_the_table() -> None:
    assert migration_table(ROUTES) in GUIDE.read_text(), "its table is what `leadvibe openapi --migration-table` prints"


async def test_the_service_tells_of_itself(http: httpx.AsyncClient) -> None:
    query = "{ service { status metrics readiness { ready database queue workers } } }"
    service = (await http.post("/graphql", json={"query": query})).json()["data"]["service"]
    assert service["status"] == service["readiness"]["database"] == "ok"
    assert "# HELP leadvibe_" in service["metrics"]
    assert service["readiness"] == (await http.get("/readyz")).json()


async def test_legacy_cookies_expire_by_either_door(http: httpx.AsyncClient, acme: Org) -> None:
    by_rest = await http.post("/auth/cleanup")
    by_graphql = await http.post("/graphql", json={"query": "mutation { expireLegacyCookies }"})
    assert by_graphql.json()["data"] == {"expireLegacyCookies": True}
    expired = by_rest.headers.get_list("set-cookie")
    assert len(expired) > 3 and all("Max-Age=0" in cookie for cookie in expired)
    assert [_name(cookie) for cookie in by_graphql.headers.get_list("set-cookie")] == [
        _name(cookie) for cookie in expired
    ]


def _name(cookie: str) -> str:
    return cookie.split("=")[0]
