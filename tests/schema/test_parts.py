"""@defer and @stream: the parts of an answer make the whole one, for clients that take parts; others get it whole."""

from __future__ import annotations

import copy
import logging
from datetime import UTC, datetime
from email.message import Message
from typing import Any

import orjson
import pytest

from leadvibe.pipeline.sample.seeding import seed
from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.store.database import Database
from tests.schema.conftest import Server, bearer

_WHOLE = "application/graphql-response+json, application/json"
_ACCEPT = f"multipart/mixed, {_WHOLE}"
_QUERIES = [
    "{ rules { ruleId } ... @defer { rulesets { name rules { eventType } } } }",
    '{ rules { ruleId ... @defer(label: "more") { eventType weight } } rulesets { name } }',
    "{ rules @stream(initialCount: 1) { ruleId eventType } }",
    "{ rulesets @stream { name rules @stream { ruleId } } ... @defer { me { email ... @defer { role } } } }",
    "query ($later: Boolean! = true) { me { email ... Rest @defer(if: $later) } } fragment Rest on Me { lastName }",
    "{ rulesets { name ... @defer { rules { ruleId } } ... @defer { rulesetId } } }",
    "{ leads(first: 5) { totalCount nodes { leadId score ... @defer { ownerName createdAt } } } }",
    "{ leads(first: 5) { nodes { leadId } ... @defer { nodes { score account { name } } pageInfo { hasNextPage } } } }",
    "{ leads(first: 5) { nodes @stream(initialCount: 2) { leadId score account { name } } } }",
]  # fmt: skip


@pytest.fixture
async def seeded(database: Database, acme: Bootstrapped) -> None:
    await seed(database, acme.unit_id, acme.org_id, "test", datetime.now(UTC))


async def _parts(server: Server, acme: Bootstrapped, query: str) -> list[dict[str, Any]]:
    """The parts of the answer, which is one in parts."""
    response = await server.http.post("/graphql", json={"query": query}, headers=bearer(acme) | {"Accept": _ACCEPT})
    assert response.status_code == 200, response.text
    kind = Message()
    kind["Content-Type"] = response.headers["content-type"]
    assert kind.get_content_type() == "multipart/mixed", response.text
    preamble, *parts, end = response.text.split(f"--{kind.get_boundary()}")
    assert (preamble, end) == ("", "--\r\n")
    told = []
    for part in parts:
        head, _, body = part.strip("\r\n").partition("\r\n\r\n")
        assert "application/json" in head
        told.append(orjson.loads(body))
    assert [part["hasNext"] for part in told] == [True] * (len(told) - 1) + [False]
    return told


def _at(data: Any, path: list[str | int]) -> Any:
    for step in path:
        data = data[step]
    return data


def _merged_by_id(parts: list[dict[str, Any]]) -> Any:
    """The whole data, as clients of graphql-js 17 find it."""
    data, paths = copy.deepcopy(parts[0]["data"]), {}
    for part in parts:
        paths |= {pending["id"]: pending["path"] for pending in part.get("pending", ())}
        for brought in part.get("incremental", ()):
            place = _at(data, [*paths[brought["id"]], *brought.get("subPath", ())])
            _bring(place, brought)
    return data


def _merged_by_path(parts: list[dict[str, Any]]) -> Any:
    """The whole data, as older clients find it."""
    data = copy.deepcopy(parts[0]["data"])
    for part in parts[1:]:
        for brought in part.get("incremental", ()):
            _bring(_at(data, brought["path"]), brought)
    return data


def _bring(place: Any, brought: dict[str, Any]) -> None:
    if "items" in brought:
        place.extend(copy.deepcopy(brought["items"]))
    else:
        _merge(place, brought["data"])


def _merge(place: dict[str, Any], data: dict[str, Any]) -> None:
    for key, value in data.items():
        if isinstance(value, dict) and isinstance(place.get(key), dict):
            _merge(place[key], value)
        else:
            place[key] = copy.deepcopy(value)


@pytest.mark.parametrize("query", _QUERIES)
@pytest.mark.usefixtures("seeded")
async def test_the_parts_make_the_whole(server: Server, acme: Bootstrapped, query: str) -> None:
    whole = await server.ask(query, as_=acme)
    assert "errors" not in whole
    parts = await _parts(server, acme, query)
    assert parts[0]["data"] != whole["data"], "nothing came later"
    assert _merged_by_id(parts) == _merged_by_path(parts) == whole["data"]
    assert not any("errors" in part for part in parts)
    labels = [brought["label"] for part in parts for brought in part.get("incremental", ()) if "label" in brought]
    assert labels == ["more"] * query.count("label") * len(whole["data"].get("rules", ()))


async def test_who_takes_only_whole_answers_gets_one(server: Server, acme: Bootstrapped) -> None:
    query = _QUERIES[0]
    whole = await server.ask(query.replace("@defer", ""), as_=acme)
    for accept in ("*/*", "application/json", "multipart/mixed;q=0, application/json"):
        assert await server.ask(query, as_=acme, Accept=accept) == whole
    async with server.socket({"Authorization": f"Bearer {acme.token}"}) as socket:
        assert (await socket.receive())["type"] == "connection_ack"
        await socket.begin(query)
        assert await socket.next() == whole["data"]


async def test_what_defers_nothing_is_one_answer(server: Server, acme: Bootstrapped) -> None:
    for told in ("", "... @defer(if: false) { role }", "... @include(if: true) { role }"):
        whole = await server.ask(f"{{ me {{ email {told} }} }}", as_=acme, Accept=_ACCEPT)
        assert whole["data"]["me"]["email"]


async def test_a_failure_in_a_part_is_told_as_ever(
    server: Server, acme: Bootstrapped, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await database.pool.execute("ALTER TABLE rules RENAME TO secret_rules")
    with caplog.at_level(logging.ERROR):
        parts = await _parts(server, acme, "{ me { email } ... @defer { rules { ruleId } } }")
    (completed,) = parts[-1]["completed"]
    (error,) = completed["errors"]
    assert error["message"] == "The server failed to answer; it has logged why."
    assert error["extensions"] == {"code": "internal_error"}
    assert "rules" in caplog.text


async def test_a_null_in_a_part_tells_why(server: Server, acme: Bootstrapped) -> None:
    query = '{ me { email } ... @defer { leadActivity(leadId: "nobody") { nextBefore } } }'
    whole = await server.ask(query, as_=acme)
    *_, last = await _parts(server, acme, query)
    told = [error for part in (last.get("incremental", []) + last["completed"]) for error in part.get("errors", [])]
    assert [error["extensions"] for error in told] == [error["extensions"] for error in whole["errors"]]


async def test_what_is_refused_is_no_answer_in_parts(server: Server, acme: Bootstrapped) -> None:
    """A document that is not of the schema, one that costs too much, and a mutation by GET."""
    expensive = "{ leads(first: 100) { nodes { events(first: 100) { nodes { eventId lead { leadId } } } " \
        "... @defer { firings(first: 100) { nodes { firingId } } } } } }"  # fmt: skip
    for query in ("{ me { ... @defer { nothing } } }", expensive):
        refused, plain = [
            await server.http.post("/graphql", json={"query": query}, headers=bearer(acme) | {"Accept": accept})
            for accept in (_ACCEPT, _WHOLE)
        ]
        assert (refused.status_code, refused.json()) == (plain.status_code, plain.json())
        assert refused.status_code == 400
    mutation = 'mutation { createRule(input: {eventType: "a", weight: 1}) { ruleId ... @defer { weight } } }'
    sent = bearer(acme) | {"Accept": _ACCEPT}
    response = await server.http.get("/graphql", params={"query": mutation}, headers=sent)
    assert response.status_code == 405
    subscription = "subscription { scoreUpdated { leadId @include(if: true) } }"
    response = await server.http.post("/graphql", json={"query": subscription}, headers=sent)
    assert response.status_code == 406
