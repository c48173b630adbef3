"""A walk over the whole route table: credentials, and the OpenAPI document. Roles are tried in test_who_may.py."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from leadvibe.rest_compat.routes import ROUTES
from leadvibe.rest_compat.table import Route
from leadvibe.store.database import Database
from tests.rest_compat.conftest import Org, Scoring, refused

# Bodies that the routes accept, so that nothing but the sender can be the reason of a refusal.
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/ingest"): {"json": {"event_type": "page_view", "lead_id": "ld_1"}},
    ("POST", "/import"): {"files": {"file": ("events.csv", b"event_type,lead_id\npage_view,ld_1\n")}},
    ("DELETE", "/events/batch"): {"json": {"ids": ["nothing"]}},
    ("POST", "/rules"): {"json": {"event_type": "page_view", "weight": 1}},
    ("POST", "/rulesets"): {"json": {"name": "Fit"}},
    ("POST", "/filters"): {"json": {"event_type": "a", "count_threshold": 1, "time_window_ms": 1}},
    ("POST", "/engagement-levels"): {"json": {"name": "Below", "min_score": -9, "max_score": -1}},
    ("POST", "/profile-levels"): {"json": {"name": "Below", "min_score": -9, "max_score": -1}},
    ("POST", "/account-levels"): {"json": {"name": "Below", "min_score": -9, "max_score": -1}},
    ("POST", "/decays"): {"json": {"inactive_for": 30, "unit": "days", "decrease": 25}},
    ("POST", "/surge-triggers"): {"json": {"window_seconds": 60, "threshold_count": 5, "emails": ["a@example.com"]}},
    ("POST", "/triggers"): {"json": {"event_type": "demo", "score_threshold": 75}},
    ("POST", "/sequences"): {
        "json": {"event_types": ["a"], "window_seconds": 60, "window_unit": "hours", "webhook_url": "https://x.example"}
    },
    ("POST", "/profile-scoring/rulesets"): {"json": {"name": "Fit"}},
    ("POST", "/account-scoring/rulesets"): {"json": {"name": "Fit"}},
    ("POST", "/profile-scoring/rulesets/{id}/rules"): {
        "json": {"profile_property": "title", "condition": "contains", "comparison_value": "VP", "weight": 30}
    },
    ("POST", "/account-scoring/rulesets/{id}/rules"): {
        "json": {"account_property": "industry", "condition": "equals", "comparison_value": "SaaS", "weight": 30}
    },
    ("POST", "/profile-mappings"): {"json": {"source_field": "job", "profile_property": "title"}},
    ("DELETE", "/accounts/batch"): {"json": {"ids": ["nothing"]}},
    ("POST", "/account-mappings"): {"json": {"source_field": "size", "account_property": "company_size"}},
    ("POST", "/leads"): {"json": {"id": "ld_new"}},
    ("POST", "/leads/scores"): {"json": {"lead_ids": ["nobody"]}},
    ("POST", "/leads/merge"): {"json": {"targetLeadId": "nobody", "sourceLeadIds": ["noone"]}},
    ("POST", "/leads/merge/preview"): {"json": {"targetLeadId": "nobody", "sourceLeadIds": ["noone"]}},
    ("POST", "/org-units/active"): {"json": {"ouId": "unit_1"}},
    ("PUT", "/settings/org/slack-app"): {"json": {"client_id": "1.2", "client_secret": "x"}},
    ("PUT", "/integrations/slack/default-target"): {"json": {"kind": "channel", "id": "C01"}},
    ("POST", "/integrations/slack/test"): {"json": {"kind": "channel", "id": "C01"}},
}

CLOSED = [(route, path) for route in ROUTES if route.auth for path in route.paths]


def walk(rows: list[tuple[Route, str]]) -> Any:
    return pytest.mark.parametrize(("route", "path"), rows, ids=[f"{route.method} {path}" for route, path in rows])


def request_of(http: httpx.AsyncClient, route: Route, path: str) -> httpx.Request:
    body = BODIES.get((route.method, route.path), {"json": {}} if route.body else {})
    filled = re.sub(r"{\w+}", "nobody", path)
    return http.build_request(route.method, filled, **body)


@pytest.fixture(autouse=True)
async def abm(acme: Org, anybody: Org, database: Database) -> None:
    """Opens the routes of accounts."""
    await database.pool.execute("UPDATE organisations SET abm_enabled = true WHERE NOT abm_enabled")


def test_there_are_routes() -> None:
    assert len(CLOSED) > 20


@walk(CLOSED)
async def test_without_credentials_a_closed_route_answers_401(http: httpx.AsyncClient, route: Route, path: str) -> None:
    response = await http.send(request_of(http, route, path))
    refused(response, 401, "unauthorized")
    assert "www-authenticate" in response.headers


@walk([(route, path) for route in ROUTES if not route.auth for path in route.paths if path != "/stream"])
async def test_an_open_route_asks_for_nothing(
    http: httpx.AsyncClient, scoring: Scoring, route: Route, path: str
) -> None:
    await scoring.finish()  # what other tests left in the queue for long makes the server not ready
    response = await http.request(route.method, path)
    assert response.status_code == (400 if route.body else route.status)


async def test_the_document_has_exactly_the_routes(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    documented = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert documented == {(route.method, path) for route in ROUTES for path in route.paths}
    assert len(documented) == sum(len(route.paths) for route in ROUTES), "none is there twice"


async def test_the_document_is_whole(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    for reference in _references(document):
        where, _, kind, name = reference.split("/")
        assert where == "#" and name in document["components"][kind]
    for path, item in document["paths"].items():
        for method, operation in item.items():
            where = f"{method} {path}"
            assert operation["summary"] and operation["tags"], where
            named = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}
            assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}, where
            assert any(code[0] in "23" for code in operation["responses"]), where
            closed = bool(operation["security"])
            assert ("401" in operation["responses"]) >= closed, where


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*map(_references, value.values()))
    return set().union(*map(_references, value)) if isinstance(value, list) else set()


# Seeding takes its time; tests/pipeline/test_sample_data.py has it.
@walk([(route, path) for route in ROUTES for path in route.paths if path != "/admin/seed"])
async def test_the_answer_has_a_documented_status(http: httpx.AsyncClient, acme: Org, route: Route, path: str) -> None:
    operation = (await http.get("/openapi.json")).json()["paths"][path][route.method.lower()]
    request = request_of(acme.http, route, path)
    response = await acme.http.send(request, stream=True)
    await response.aclose()
    assert str(response.status_code) in operation["responses"], response.status_code


async def test_names_of_the_clients_own_may_have_slashes(acme: Org, scoring: Scoring) -> None:
    await acme.ingest({"event_type": "Page/View", "lead_id": "crm/4711"})
    await scoring.finish()
    assert (await acme.http.get("/score/crm%2F4711")).json()["lead_id"] == "crm/4711"
    assert (await acme.http.put("/settings/ou/event-types/Page%2fView", json={"hidden": True})).status_code == 204
    assert (await acme.http.delete("/settings/ou/event-types/Page%2FView/events")).json()["events_deleted"] == 1
    refused(await acme.http.get("/score/crm/4711"), 404, "not_found")
    refused(await acme.http.get("/settings%2Fscoring"), 404, "not_found")
