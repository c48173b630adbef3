"""A lead's activity through GraphQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.store.database import Database
from leadvibe.store.tables import Order
from tests.pipeline.units import Unit, body
from tests.schema.conftest import Server
from tests.scoring.streams import START

QUERY = """query ($filter: ActivityFilter, $limit: Int! = 500, $before: String) {
    leadActivity(leadId: "ld_1", filter: $filter, limit: $limit, before: $before) {
        nextBefore
        events { id eventType channel score scoreDelta latencyMs metadata }
        orders { id orderId amount currency status }
        timeline { __typename ... on ActivityEvent { id } ... on ActivityOrder { id } }
    }
}"""


@pytest.fixture
async def busy(database: Database, acme: Bootstrapped) -> Unit:
    """Events e0, e1, e2, the last one by e-mail, and an order between e0 and e1."""
    unit = Unit(database, acme.unit_id)
    await unit.score(
        body(event_id="e0", second=0), body(event_id="e1", second=2), body("email_open", event_id="e2", second=3)
    )
    async with database.session() as session, session.begin():
        session.add(
            Order(
                unit_id=acme.unit_id,
                id="ord_1",
                order_id="1001",
                lead_id="ld_1",
                amount=Decimal("12.50"),
                currency="EUR",
                status="paid",
                ordered_at=START + timedelta(seconds=1),
            )
        )
    return unit


async def activity(server: Server, acme: Bootstrapped, **variables: Any) -> dict[str, Any]:
    answer = await server.ask(QUERY, variables, as_=acme)
    assert "errors" not in answer, answer
    return answer["data"]["leadActivity"]


def ids(found: dict[str, Any]) -> list[str]:
    return [entry["id"] for entry in found["timeline"]]


async def test_events_and_orders_merge(server: Server, acme: Bootstrapped, busy: Unit) -> None:
    found = await activity(server, acme, filter={"range": "ALL"})
    assert ids(found) == ["e0", "ord_1", "e1", "e2"]
    assert [entry["__typename"] for entry in found["timeline"]][:2] == ["ActivityEvent", "ActivityOrder"]
    assert found["orders"] == [{"id": "ord_1", "orderId": "1001", "amount": 12.5, "currency": "EUR", "status": "paid"}]
    assert [entry["id"] for entry in found["events"]] == ["e0", "e1", "e2"]


async def test_filters_and_pages(server: Server, acme: Bootstrapped, busy: Unit) -> None:
    everything = {"range": "ALL"}
    assert ids(await activity(server, acme, filter=everything | {"channel": "EMAIL"})) == ["ord_1", "e2"]
    assert ids(await activity(server, acme, filter=everything | {"hasDelta": True})) == ["ord_1"]
    start, end = (START + timedelta(seconds=1)).isoformat(), (START + timedelta(seconds=3)).isoformat()
    assert ids(await activity(server, acme, filter={"start": start, "end": end})) == ["ord_1", "e1"]
    assert ids(await activity(server, acme, filter={"end": end})) == ["e0", "ord_1", "e1"]
    page = await activity(server, acme, filter=everything, limit=3)
    assert ids(page) == ["ord_1", "e1", "e2"]
    assert ids(await activity(server, acme, filter=everything, limit=3, before=page["nextBefore"])) == ["e0"]


async def test_the_default_range_is_the_last_7_days(server: Server, acme: Bootstrapped, busy: Unit) -> None:
    assert ids(await activity(server, acme)) == []
    recent = datetime.now(UTC) - timedelta(days=7)
    await busy.database.pool.execute("UPDATE orders SET ordered_at = $1", recent + timedelta(minutes=1))
    assert ids(await activity(server, acme)) == ["ord_1"]
    await busy.database.pool.execute("UPDATE orders SET ordered_at = $1", recent - timedelta(minutes=1))
    assert ids(await activity(server, acme)) == []


@pytest.mark.parametrize(
    "variables",
    [
        {"limit": 0},
        {"limit": 501},
        {"before": "x"},
        {"filter": {"minScore": -1}},
        {"filter": {"maxLatency": 0}},
        {"filter": {"start": "2026-01-02T00:00:00Z", "end": "2026-01-01T00:00:00Z"}},
    ],
)
async def test_bad_input_is_refused(server: Server, acme: Bootstrapped, busy: Unit, variables: dict[str, Any]) -> None:
    answer = await server.ask(QUERY, variables, as_=acme)
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == "invalid_request"
    assert error["extensions"]["details"][0]["field"] in str(variables)


async def test_an_unknown_lead_is_not_found(server: Server, acme: Bootstrapped) -> None:
    answer = await server.ask(QUERY, as_=acme)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["not_found"]
