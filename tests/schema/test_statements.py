"""Asking deep is cheap: how many SQL statements a connection takes does not depend on the size of its page."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from graphql import (
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
from leadvibe.schema.direct import direct_query
from leadvibe.schema.root import SCHEMA
from leadvibe.store.tables import Organisation
from tests.schema.conftest import bearer

_QUERY = SCHEMA._schema.query_type
assert _QUERY is not None

# The lead with the highest score of the sample data.
LEAD = "ld_sample_273"

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
        elif depth and isinstance(of, GraphQLObjectType) and (below := _fields(of, depth - 1)):
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
            assert set(required) <= {"leadId"}, f"{name} needs an argument that nobody gives"
            given = f'(first: $first, leadId: "{LEAD}")'
            yield name, _page(name, field).replace("(first: $first)", given, 1) if required else _page(name, field)
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
    context = GraphQLContext(services, Credentials(bearer(acme)["Authorization"]))
    token = _statements.set(found := [])
    try:
        result = await SCHEMA.execute(f"query ($first: Int!) {{ {page} }}", {"first": first}, context)
    finally:
        _statements.reset(token)
    assert result.errors is None, result.errors
    return found, result.data


async def test_statements_do_not_grow_with_the_page(services: Services, acme: Bootstrapped, counted: None) -> None:
    async with services.database.session() as session, session.begin():
        organisation = await session.get(Organisation, acme.org_id)
        assert organisation is not None
        organisation.abm_enabled = True
    await seed(services.database, acme.unit_id, acme.org_id, "test", datetime.now(UTC))
    segment_id = await services.database.pool.fetchval(
        "SELECT segment_id FROM segments WHERE unit_id = $1 ORDER BY segment_id LIMIT 1", acme.unit_id
    )
    pages = dict(_connections(segment_id))
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


async def test_the_short_way_reads_what_is_selected_by_one_statement(
    services: Services, acme: Bootstrapped, counted: None
) -> None:
    await seed(services.database, acme.unit_id, acme.org_id, "test", datetime.now(UTC))
    for selected in ("nodes { leadId createdAt }", "edges { cursor node { createdAt } } totalCount"):
        page = f"leads(first: $first, orderBy: CREATED) {{ {selected} }}"
        ordinary, _ = await _statements_of(services, acme, page, 2)
        context = GraphQLContext(services, Credentials(bearer(acme)["Authorization"]))
        query = direct_query(SCHEMA, f"query ($first: Int!) {{ {page} }}", None, {"first": 2})
        assert query is not None
        token = _statements.set(short := [])
        try:
            await query.answer(context, {"first": 2})
        finally:
            _statements.reset(token)
        assert len(short) == len(ordinary)
        (listing,) = [text for text in short if "ORDER BY leads.created_at" in text]
        assert "createdAt" in listing
        assert not any(column in listing for column in ("leads.score", "leads.metadata", "leads.owner_id"))


async def test_only_what_is_selected_of_events_is_read(services: Services, acme: Bootstrapped, counted: None) -> None:
    await seed(services.database, acme.unit_id, acme.org_id, "test", datetime.now(UTC))
    metadata = "engagement_events.metadata"
    for field in ("events(first: $first)", f'leadEvents(leadId: "{LEAD}", first: $first)'):
        plain, _ = await _statements_of(services, acme, f"{field} {{ nodes {{ eventId channel }} }}", 1)
        assert metadata not in str(plain)
        total, data = await _statements_of(services, acme, f"{field} {{ totalCount }}", 1)
        assert len(total) > len(plain) and metadata not in str(total)
        assert "'totalCount': 0" not in str(data)
        for of_event in ("metadata", 'metadataText(path: "x")'):
            whole, _ = await _statements_of(services, acme, f"{field} {{ edges {{ node {{ {of_event} }} }} }}", 1)
            assert len(whole) == len(plain) and metadata in str(whole)
