"""The short way of plain queries beside the ordinary one: the same bytes, for whatever is asked."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from graphql import (
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    is_required_argument,
)
from strawberry.schema.schema_converter import GraphQLCoreConverter

from leadvibe.pipeline.sample.seeding import seed
from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.schema.direct import DirectQuery
from leadvibe.schema.root import SCHEMA
from leadvibe.store.database import Database
from leadvibe.store.tables import Lead, Organisation
from tests.schema.conftest import Server, basic, bearer

_QUERY = SCHEMA._schema.query_type
assert _QUERY is not None
# What it says changes from one moment to the next.
_UNSTEADY = {"service", "auditLogs"}


@pytest.fixture
def direct(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes the top fields of the queries that were answered the short way."""
    answered: list[str] = []
    answer = DirectQuery.answer

    async def noted(self: DirectQuery, *given: Any) -> dict[str, Any]:
        data = await answer(self, *given)
        answered.extend(self.told.fields)
        return data

    monkeypatch.setattr(DirectQuery, "answer", noted)
    return answered


@pytest.fixture
async def filled(database: Database, acme: Bootstrapped) -> None:
    """Acme has rows in all of its lists."""
    async with database.session() as session, session.begin():
        organisation = await session.get(Organisation, acme.org_id)
        assert organisation is not None
        organisation.abm_enabled = True
    await seed(database, acme.unit_id, acme.org_id, "test", datetime.now(UTC))


async def _same(server: Server, of: Bootstrapped, query: str, variables: dict[str, Any] | None = None) -> bytes:
    """The answer, which is the same when the document is new, when it is known, and by GET, which is never short."""
    sent = {"query": query, "variables": variables}
    asked = {"query": query, "variables": orjson.dumps(variables).decode()}
    answers = [
        await server.http.post("/graphql", json=sent, headers=bearer(of)),
        await server.http.post("/graphql", json=sent, headers=bearer(of)),
        await server.http.get("/graphql", params=asked, headers=bearer(of)),
    ]
    told = [(each.status_code, each.headers["content-type"], each.content) for each in answers]
    assert told[0] == told[1] == told[2], query
    return answers[0].content


def _is_plain(field: Any) -> bool:
    definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    return definition is not None and definition.is_basic_field


def _plain_selection(kind: Any) -> str:
    """The leaves of a type that only read; through a connection, those of its nodes."""
    if "nodes" in kind.fields:
        return f"{{ nodes {_plain_selection(get_named_type(kind.fields['nodes'].type))} }}"
    leaves = [
        name for name, field in kind.fields.items() if is_leaf_type(get_named_type(field.type)) and _is_plain(field)
    ]
    return "{ " + " ".join(leaves) + " }"


def _lists() -> Iterator[tuple[str, str]]:
    """Each top field that answers a connection or a list of objects and needs no argument, with a query."""
    for name, field in _QUERY.fields.items():
        if name in _UNSTEADY:
            continue
        kind = get_named_type(field.type)
        is_list = is_list_type(get_nullable_type(field.type)) or kind.name.endswith("Connection")
        if is_list and isinstance(kind, GraphQLObjectType) and not any(map(is_required_argument, field.args.values())):
            yield name, f"{{ {name} {_plain_selection(kind)} }}"


async def test_every_list_of_plain_objects_is_answered_the_short_way(
    server: Server, acme: Bootstrapped, filled: None, direct: list[str]
) -> None:
    lists = dict(_lists())
    assert {"leads", "accounts", "events", "firings", "rules", "segments"} <= lists.keys()
    for name, query in lists.items():
        await _same(server, acme, query)
        assert direct.count(name) == 1, name


class _Walk:
    """Random documents of the schema, most of them plain."""

    def __init__(self, seed: int) -> None:
        self.chance, self.aliases = random.Random(seed), 0

    def document(self) -> str:
        names = [name for name, of in _QUERY.fields.items() if name not in _UNSTEADY and self._is_possible(of)]
        weights = [4 if get_named_type(_QUERY.fields[name].type).name.endswith("Connection") else 1 for name in names]
        chosen = self.chance.choices(names, weights, k=self.chance.choice([1, 1, 1, 2]))
        fields = " ".join(self._field(name, _QUERY.fields[name], depth=3) for name in dict.fromkeys(chosen))
        return f"query Walk{'($n: Int! = 3)' if '$n' in fields else ''} {{ {fields} }}"

    def _is_possible(self, field: Any) -> bool:
        return not any(map(is_required_argument, field.args.values()))

    def _field(self, name: str, field: Any, depth: int) -> str:
        kind = get_named_type(field.type)
        given = f"(first: {self.chance.choice(['1', '2', '7', '$n', '$n', '0'])})" if "first" in field.args else ""
        alias = ""
        if self.chance.random() < 0.1:
            self.aliases += 1
            alias = f"a{self.aliases}: "
        below = "" if is_leaf_type(kind) else self._selection(kind, depth - 1)
        directive = " @include(if: true)" if self.chance.random() < 0.01 else ""
        return f"{alias}{name}{given}{directive}{below}"

    def _selection(self, kind: Any, depth: int) -> str:
        usual = [
            (name, field)
            for name, field in kind.fields.items()
            if self._is_possible(field)
            and (
                is_leaf_type(get_named_type(field.type))
                or (depth and isinstance(get_named_type(field.type), GraphQLObjectType))
            )
            and (_is_plain(field) or name in ("edges", "pageInfo") or self.chance.random() < 0.03)
        ]
        chosen = self.chance.sample(usual, self.chance.randint(1, len(usual))) if usual else []
        parts = [self._field(name, field, depth) for name, field in chosen]
        if not parts or self.chance.random() < 0.2:
            parts.insert(self.chance.randint(0, len(parts)), "__typename")
        if self.chance.random() < 0.2:
            cut = self.chance.randint(0, len(parts) - 1)
            parts[cut:] = [f"... on {kind.name} {{ {' '.join(parts[cut:])} }}"]
        return " { " + " ".join(parts) + " }"


async def test_random_documents_have_the_same_answer_both_ways(
    server: Server, acme: Bootstrapped, filled: None, direct: list[str]
) -> None:
    walk, asked = _Walk(11), 150
    for _ in range(asked):
        await _same(server, acme, walk.document(), walk.chance.choice([None, {"n": 2}, {"n": "two"}, {"n": 501}]))
    assert len(direct) > asked / 4


async def test_one_field_that_is_not_plain_sends_all_the_ordinary_way(
    server: Server, acme: Bootstrapped, filled: None, direct: list[str]
) -> None:
    await _same(server, acme, "{ a: rules { ruleId } b: rules { nodeId } }")
    await _same(server, acme, "{ a: rules { ruleId } __typename }")
    assert direct == []
    await _same(server, acme, "{ a: rules { ruleId } b: rules { weight } }")
    assert direct == ["rules"]


def _text(chance: random.Random) -> str:
    codes = [chance.choice([chance.randint(1, 0x7F), chance.randint(0x80, 0xD7FF), chance.randint(0x10000, 0x10FFFF)])]
    return "".join(map(chr, codes * chance.randint(0, 2))) + chance.choice(['"', "\\", "\n", "", "\u2028", "</script>"])


def _time(chance: random.Random) -> datetime:
    time = datetime(chance.randint(1, 9998), 1, 2, 3, 4, 5, tzinfo=UTC) + timedelta(days=chance.randint(0, 300))
    return time.replace(microsecond=chance.choice([0, 0, 1, 100_000, 120_300, chance.randint(0, 999_999)]))


async def test_postgresql_writes_rows_as_the_server_does(
    server: Server, database: Database, acme: Bootstrapped, direct: list[str]
) -> None:
    chance = random.Random(5)
    async with database.session() as session, session.begin():
        for number in range(300):
            maybe = [
                value if chance.random() < 0.7 else None for value in (_text(chance), _text(chance), _text(chance))
            ]
            session.add(
                Lead(
                    unit_id=acme.unit_id,
                    lead_id=f"{number} {_text(chance)}",
                    score=chance.choice([0, -1, 2**63 - 1, -(2**63), chance.randint(-1000, 1000)]),
                    profile_score=chance.randint(-(2**63), 2**63 - 1),
                    owner_id=maybe[0],
                    owner_name=maybe[1],
                    last_event_type=maybe[2],
                    last_event_at=chance.choice([None, _time(chance)]),
                    created_at=_time(chance),
                    updated_at=_time(chance),
                )
            )
    fields = (
        "leadId score accountId ownerId ownerName mergedInto lastEventAt lastEventType createdAt updatedAt profileScore"
    )
    for selected in (
        "nodes { __typename ...F } totalCount",
        "edges { cursor node { ...F __typename } }",
        "nodes { ... { ...F } } pageInfo { endCursor startCursor hasNextPage }",
    ):
        query = f"{{ leads(first: 299, orderBy: CREATED) {{ {selected} }} }} fragment F on Lead {{ {fields} }}"
        assert (await _same(server, acme, query)).count(b'"createdAt"') == 299
    assert direct == ["leads"] * 3


async def test_who_is_not_known_is_refused_both_ways(server: Server, acme: Bootstrapped, direct: list[str]) -> None:
    query = {"query": "{ leads { nodes { leadId } } }"}
    assert (await server.http.post("/graphql", json=query, headers=basic(acme))).json()["data"] is not None
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}):
        refused = await server.http.post("/graphql", json=query, headers=headers)
        asked = await server.http.get("/graphql", params=query, headers=headers)
        assert refused.content == asked.content
        (error,) = refused.json()["errors"]
        assert error["extensions"]["code"] == "unauthorized"
    assert direct == []


async def test_each_unit_sees_its_own(server: Server, acme: Bootstrapped, rival: Bootstrapped, filled: None) -> None:
    query = "{ leads(first: 5) { nodes { leadId score } } }"
    own = orjson.loads(await _same(server, acme, query))
    foreign = orjson.loads(await _same(server, rival, query))
    assert len(own["data"]["leads"]["nodes"]) == 5
    assert foreign["data"]["leads"]["nodes"] == []


async def test_the_audit_trail_is_told_the_same(
    server: Server, database: Database, acme: Bootstrapped, direct: list[str]
) -> None:
    query = "query Mine { rules { ruleId } leads(first: 1) { nodes { leadId } } }"
    for name in ("Mine", None, "Other"):
        for _ in range(2):
            sent = {"query": query, "operationName": name}
            await server.http.post("/graphql", json=sent, headers=bearer(acme) | {"X-Request-Id": f"named-{name}"})
    await server.app.state.services.trail.flush()
    rows = await database.pool.fetch("SELECT request_id, operation, fields, status, code FROM audit_log ORDER BY 1")
    assert {tuple(row)[:2] for row in rows} == {("named-Mine", "Mine"), ("named-None", "Mine")}
    assert [list(row["fields"]) for row in rows] == [["rules", "leads"]] * 4
    assert {(row["status"], row["code"]) for row in rows} == {(200, None)}
    assert direct == ["rules", "leads"] * 3


async def test_what_is_not_a_small_json_post_goes_the_ordinary_way(
    server: Server, acme: Bootstrapped, direct: list[str]
) -> None:
    query = "{ rules { ruleId } }"
    expected = await _same(server, acme, query)
    direct.clear()

    async def in_pieces() -> Any:
        for piece in (b'{"query": ', orjson.dumps(query), b"}"):
            yield piece

    headers = bearer(acme) | {"Content-Type": "application/json"}
    large = orjson.dumps({"query": query, "ignored": "x" * 100_000})
    assert (await server.http.post("/graphql", content=in_pieces(), headers=headers)).content == expected
    assert (await server.http.post("/graphql", content=large, headers=headers)).content == expected
    streamed = await server.http.post(
        "/graphql", json={"query": query}, headers=bearer(acme) | {"Accept": "text/event-stream"}
    )
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert direct == []
