"""Asking deep is cheap: how many SQL statements a connection takes does not depend on the size of its page."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)
from sqlalchemy import event

from leadvibe.pipeline.sample.seeding import seed
from leadvibe.resolvers.authentication import Credentials
from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.resolvers.context import Services
from leadvibe.schema.context import GraphQLContext
from leadvibe.schema.root import SCHEMA
from leadvibe.store.tables import Organisation
from tests.schema.conftest import bearer

_QUERY = SCHEMA._schema.query_type
assert _QUERY is not None

# The lead with the highest score of the sample data.
LEAD = "ld_sample_273"

# What connections are given beside the size of their page. The triggers of a kind are read by one statement.
_GIVEN = {"leadEvents": {"leadId": f'"{LEAD}"'}, "firings": {"type": "MILESTONE"}}

_statements: ContextVar[list[str] | None] = ContextVar("statements", default=None)


def _fields(kind: Any, depth: int) -> str:
    """All fields of a type that need no arguments, and those of the objects that they answer; no other connection."""
    chosen = []
    for name, field in kind.fields.items():
        of = get_named_type(field.type)
        if any(map(is_required_argument, field.args.values())) or of.name.endswith("Connection"):
            continue
        if is_leaf_type(of):
            chosen.append(name)
        elif depth and isinstance(of, GraphQLObjectType | GraphQLInterfaceType) and (below := _fields(of, depth - 1)):
            chosen.append(f"{name} {below}")
    return "{ " + " ".join(chosen) + " }" if chosen else ""


def _page(name: str, field: Any) -> str:
    node = get_named_type(get_named_type(field.type).fields["nodes"].type)
    selected = f"nodes {_fields(node, 2)} edges {{ cursor }} pageInfo {{ endCursor }} totalCount"
    return f"{name}(first: $first) {{ {selected} }}"


def _connections(segment_id: str) -> Iterator[tuple[str, str]]:
    """Each connection of the schema, with a query: those of the root, and those of objects that the root finds."""
    for name, field in _QUERY.fields.items():
        kind = get_named_type(field.type)
        required = [argument for argument, of in field.args.items() if is_required_argument(of)]
        if kind.name.endswith("Connection"):
            assert set(required) <= _GIVEN.get(name, {}).keys(), f"{name} needs an argument that nobody gives"
            given = "".join(f", {argument}: {value}" for argument, value in _GIVEN.get(name, {}).items())
            yield name, _page(name, field).replace("(first: $first", f"(first: $first{given}", 1)
        elif isinstance(kind, GraphQLObjectType) and required == ["id"]:
            for inner, of in kind.fields.items():
                if get_named_type(of.type).name.endswith("Connection"):
                    yield f"{name}.{inner}", f'{name}(id: "{segment_id}") {{ {_page(inner, of)} }}'


@pytest.fixture
def counted(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Notes the statements of whoever set `_statements`, by the engine and by the pool."""

    def note(text: str) -> None:
        if (found := _statements.get()) is not None:
            found.append(text)

    execute = asyncpg.Connection._execute  # type: ignore[attr-defined]

    async def noted(self: Any, query: str, *args: Any, **kwargs: Any) -> Any:
        note(query)
        return await execute(self, query, *args, **kwargs)

    monkeypatch.setattr(asyncpg.Connection, "_execute", noted)
    event.listen(services.database.engine.sync_engine, "before_cursor_execute", lambda *given: note(given[2]))


async def _statements_of(services: Services, acme: Bootstrapped, page: str, first: int) -> tuple[list[str], Any]:
    return await _executed(services, acme, f"query ($first: Int!) {{ {page} }}", {"first": first})


async def _executed(
    services: Services, acme: Bootstrapped, query: str, variables: dict[str, Any]
) -> tuple[list[str], Any]:
    context = GraphQLContext(services, Credentials(bearer(acme)["Authorization"]))
    token = _statements.set(found := [])
    try:
        result = await SCHEMA.execute(query, variables, context)
    finally:
        _statements.reset(token)
    assert result.errors is None, result.errors
    return found, result.data


async def _seeded(services: Services, acme: Bootstrapped) -> str:
    """Sample data with accounts; the id of a segment."""
    async with services.database.session() as session, session.begin():
        organisation = await session.get(Organisation, acme.org_id)
        assert organisation is not None
        organisation.abm_enabled = True
    await seed(services.database, acme.unit_id, acme.org_id, "test", datetime.now(UTC))
    query = "SELECT segment_id FROM segments WHERE unit_id = $1 ORDER BY segment_id LIMIT 1"
    return str(await services.database.pool.fetchval(query, acme.unit_id))


async def test_statements_do_not_grow_with_the_page(services: Services, acme: Bootstrapped, counted: None) -> None:
    pages = dict(_connections(await _seeded(services, acme)))
    assert {"segment.leads", "leads", "accounts", "events", "firings", "deliveries"} <= pages.keys()
    grown, filled = {}, set()
    for name, page in pages.items():
        few, _ = await _statements_of(services, acme, page, 2)
        many, data = await _statements_of(services, acme, page, 20)
        if len(few) != len(many):
            grown[name] = (len(few), len(many))
        if "'totalCount': 0" not in str(data):
            filled.add(name)
        if name in {"events", "leadEvents", "firings"}:
            assert "'lead': {" in str(data), f"{name} leads to no lead"
    assert not grown
    assert {"leads", "accounts", "events", "leadEvents", "segment.leads"} <= filled


@pytest.mark.parametrize(
    ("query", "few", "many"),
    [
        ("query ($q: String!) { searchLeads(q: $q) { lead { leadId ruleset { name rules { weight } } } } }",
         {"q": LEAD}, {"q": "ld_sample_01"}),
        ("query ($ids: [ID!]!) { leadScores(leadIds: $ids) { lead { leadId aliases { value } } } }",
         {"ids": [LEAD]}, {"ids": [f"ld_sample_{n:03}" for n in range(20)]}),
        ("query ($input: MergeInput!) { mergePreview(input: $input) { sources { leadId account { name } } } }",
         {"input": {"targetLeadId": LEAD, "sourceLeadIds": ["ld_sample_001"]}},
         {"input": {"targetLeadId": LEAD, "sourceLeadIds": [f"ld_sample_{n:03}" for n in range(1, 20)]}}),
    ],
)  # fmt: skip
async def test_statements_do_not_grow_with_what_is_found(
    services: Services, acme: Bootstrapped, counted: None, query: str, few: dict[str, Any], many: dict[str, Any]
) -> None:
    await seed(services.database, acme.unit_id, acme.org_id, "test", datetime.now(UTC))
    fewer, small = await _executed(services, acme, query, few)
    more, large = await _executed(services, acme, query, many)
    assert len(fewer) == len(more)
    assert str(large).count("leadId") > str(small).count("leadId") == 1


async def test_statements_do_not_grow_with_the_configuration(
    services: Services, acme: Bootstrapped, counted: None
) -> None:
    query = """{
        rulesets { rules { ruleset { rulesetId rules { ruleId } } } }
        segments { rules { segment { segmentId } } }
    }"""
    make = """mutation ($name: String!) {
        createRuleset(input: {name: $name}) { rulesetId }
        createRule(input: {eventType: $name, weight: 1}) { ruleId }
        createSegment(input: {name: $name}) { segmentId }
    }"""
    await _executed(services, acme, make, {"name": "one"})
    few, small = await _executed(services, acme, query, {})
    for name in ("two", "three"):
        await _executed(services, acme, make, {"name": name})
    many, large = await _executed(services, acme, query, {})
    assert len(few) == len(many)
    assert (len(small["rulesets"]), len(large["rulesets"]), len(large["segments"])) == (1, 3, 3)


# What a page reads only for those who ask: a column, or another table, and a field that does.
_ASKED_FOR = [
    ("events", "engagement_events.metadata", "metadata"),
    ("leadEvents", "engagement_events.metadata", 'metadataText(path: "x")'),
    ("accounts", "accounts.metadata", "metadata"),
    ("firings", "trigger_firings.matched", "eventTypes"),
    ("deliveries", "deliveries.payload", "payload"),
    ("deliveries", "delivery_attempts", "attempts { number }"),
    ("leads", "leads.metadata", "profile"),
    ("segment.leads", "leads.metadata", "profile"),
    ("segment.leads", "leads.scores", "engagementScores { score }"),
]


async def test_a_page_reads_and_counts_what_is_selected(services: Services, acme: Bootstrapped, counted: None) -> None:
    pages = dict(_connections(await _seeded(services, acme)))

    async def statements(name: str, selected: str) -> list[str]:
        around = pages[name].split("{ nodes")[0]
        return (await _statements_of(services, acme, f"{around} {{ {selected} {'}' * (1 + around.count('{'))}", 5))[0]

    for name in pages:
        plain = await statements(name, "nodes { __typename } pageInfo { endCursor }")
        total = await statements(name, "nodes { __typename } pageInfo { endCursor } totalCount")
        assert len(total) > len(plain), f"{name} counts what nobody asks for"
    for name, read, field in _ASKED_FOR:
        assert read not in str(await statements(name, "edges { node { __typename } }")), name
        assert read in str(await statements(name, f"edges {{ node {{ {field} }} }}")), name
