"""GraphQL over HTTP: which answer a request gets. The audit suite in tests/clients asks for more of it."""

from __future__ import annotations

from typing import Any

import pytest

from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.schema.http import EVENTS, GRAPHQL, JSON, negotiated
from tests.schema.conftest import Server, bearer

URQL = (
    "application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed"
)
KIND = {"query": "{ __typename }"}
RULE = 'mutation { createRule(input: {eventType: "a", weight: 1}) { ruleId } }'


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("application/json", JSON),
        ("APPLICATION/JSON; charset=utf-8", JSON),
        ("application/graphql-response+json", GRAPHQL),
        ("application/graphql-response+json, application/json;q=0.9", GRAPHQL),
        ("application/json, application/graphql-response+json", JSON),
        ("application/json;q=0.1, application/graphql-response+json;q=0.2", GRAPHQL),
        ("application/graphql-response+json, */*", GRAPHQL),
        ("application/json;q=0, */*", GRAPHQL),
        ("text/html, application/xml;q=0.9, */*;q=0.8", JSON),
        (URQL, GRAPHQL),
        ("text/event-stream", EVENTS),
        ("text/event-stream, multipart/mixed", EVENTS),
        ("text/html", None),
        ("application/json;q=0", None),
        ("image/png;q=nonsense, text/plain", None),
    ],
)
def test_the_best_media_type_is_chosen(accept: str | None, media_type: str | None) -> None:
    assert negotiated(accept) == media_type


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Accept": "text/html"}, 406, "not_acceptable"),
        ({"Accept": "image/png"}, 406, "not_acceptable"),
        ({"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"),
        ({"Content-Type": "application/graphql"}, 415, "unsupported_media_type"),
        ({"Content-Type": "application/json; charset=latin-1"}, 415, "unsupported_media_type"),
        ({"Content-Type": "application/json; charset=UTF-8"}, 200, None),
        ({"Content-Type": 'application/json; charset="utf-8"'}, 200, None),
    ],
)
async def test_what_is_sent_and_taken_must_fit(
    server: Server, headers: dict[str, str], status: int, code: str | None
) -> None:
    """A page of another origin can only send what is refused here, or asks the server first."""
    response = await server.http.post("/graphql", json=KIND, headers={"Content-Type": JSON} | headers)
    assert response.status_code == status
    assert [error["extensions"]["code"] for error in response.json().get("errors", [])] == ([code] if code else [])


@pytest.mark.parametrize(
    ("query", "variables", "status", "code"),
    [
        ("{ __typename }", {}, 200, None),
        ("{ rules { ruleId } }", {}, 200, "unauthorized"),
        ("{", {}, 400, "invalid_query"),
        ("{ nothing }", {}, 400, "invalid_query"),
        ("query ($id: ID!) { lead(id: $id) { score } }", {"id": None}, 400, "invalid_query"),
        ("query A { __typename } query B { __typename }", {}, 400, "invalid_query"),
    ],
)
async def test_what_was_not_executed_has_no_data_and_says_so(
    server: Server, query: str, variables: dict[str, Any], status: int, code: str | None
) -> None:
    for media_type in (GRAPHQL, JSON):
        body = {"query": query, "variables": variables}
        response = await server.http.post("/graphql", json=body, headers={"Accept": media_type})
        assert response.status_code == (status if media_type == GRAPHQL else 200)
        assert response.headers["content-type"] == f"{media_type}; charset=utf-8"
        answer = response.json()
        assert ("data" in answer) is (status == 200)
        assert {error["extensions"]["code"] for error in answer.get("errors", [])} == ({code} if code else set())


async def test_batches_are_refused(server: Server) -> None:
    response = await server.http.post("/graphql", json=[KIND, KIND])
    assert response.status_code == 400
    assert "batches" in response.json()["errors"][0]["message"]


async def test_a_subscription_needs_a_stream(server: Server, acme: Bootstrapped) -> None:
    body = {"query": "subscription { eventIngested { eventId } }"}
    for send in (server.http.post("/graphql", json=body), server.http.get("/graphql", params=body)):
        response = await send
        assert response.status_code == 406
        assert EVENTS in response.json()["errors"][0]["message"]
    headers = bearer(acme) | {"Accept": EVENTS}
    async with server.http.stream("GET", "/graphql", params=body, headers=headers) as stream:
        assert (stream.status_code, stream.headers["content-type"]) == (200, EVENTS)


async def test_get_changes_nothing_whatever_it_accepts(
    server: Server, acme: Bootstrapped, caplog: pytest.LogCaptureFixture
) -> None:
    for accept in (JSON, GRAPHQL, EVENTS):
        response = await server.http.get("/graphql", params={"query": RULE}, headers=bearer(acme) | {"Accept": accept})
        assert response.status_code == (200 if accept == EVENTS else 405)
        assert '"errors"' in response.text
    assert "internal_error" not in response.text and not caplog.records
    assert (await server.ask("{ rules { ruleId } }", as_=acme))["data"] == {"rules": []}
