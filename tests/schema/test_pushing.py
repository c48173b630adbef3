"""The short way of pushed messages answers exactly what graphql-core answers."""

from __future__ import annotations

from typing import Any

import pytest
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from leadvibe.live.publisher import Publisher
from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.resolvers.context import Context
from leadvibe.schema.context import GraphQLContext
from leadvibe.schema.root import SCHEMA
from leadvibe.store.database import Database
from tests.live.event_log import EventLog, any_time

_EVENTS = [
    {"metadata": {"path": "/pricing", "deep": {"list": [1, None]}}},
    {"lead_id": None, "scores": None, "suppression_reason": "inorganic"},
    {"scores": {"rs_1": [2**40, 0, 2**40, 0, None], "rs_2": [-1, 5, 4, 0, None]}},
]


@pytest.mark.parametrize(
    "query",
    [
        'subscription { scoreUpdated(after: "0:1") { leadId delta score rulesetId eventId at cursor lagged } }',
        'subscription { all: scoreUpdated(after: "0:1") { __typename kind: __typename a: delta b: delta score } }',
        'subscription { scoreUpdated(after: "0:1") { delta ... on ScoreUpdate { score } } }',
        'subscription { scoreUpdated(after: "0:1") { ...F } } fragment F on ScoreUpdate { score at }',
        'subscription ($x: Boolean = false) { scoreUpdated(after: "0:1") { delta @include(if: $x) score } }',
        'subscription { eventIngested(after: "0:1") { eventId leadId timestamp metadata scoreDelta channel } }',
        'subscription { eventIngested(after: "0:1") { suppressionReason originalLeadId createdAt } }',
    ],
)
async def test_both_ways_answer_the_same(
    owner: Context, acme: Bootstrapped, database: Database, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = Publisher("memory://")
    await publisher.connect()
    await any_time(database)
    log = EventLog(database, publisher, acme.unit_id)
    await log.score(*_EVENTS)
    await publisher.close()

    async def pushed() -> list[Any]:
        context = GraphQLContext(owner.services, owner.credentials)
        stream = await SCHEMA.subscribe(query, context_value=context)
        return [(result.data, result.errors) async for result in _first(stream, 3)]

    short = await pushed()
    monkeypatch.setattr(SCHEMA, "execution_context_class", StrawberryGraphQLCoreExecutionContext)
    assert short == await pushed()
    assert all(data is not None and errors is None for data, errors in short)


async def _first(stream: Any, count: int) -> Any:
    for _ in range(count):
        yield await anext(stream)
    await stream.aclose()
