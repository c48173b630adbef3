"""Event types, channels, a lead's events and an event's effects through GraphQL."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.store.database import Database
from tests.pipeline.units import RECEIVED, Unit, body
from tests.schema.conftest import Server


@pytest.fixture
async def unit(database: Database, acme: Bootstrapped) -> Unit:
    """Acme's unit with three events of ld_1, in order view, view, signup, the second with metadata."""
    unit = Unit(database, acme.unit_id)
    await unit.score(
        body("view"),
        body("view", second=1, metadata={"path": "/", "channel": "email"}, event_id="ev_2"),
        body("signup", second=2),
    )
    return unit


async def ask(server: Server, acme: Bootstrapped, query: str, **variables: Any) -> Any:
    answer = await server.ask(query, variables, as_=acme)
    assert "errors" not in answer, answer
    return answer["data"]


async def test_types_properties_and_channels(server: Server, acme: Bootstrapped, unit: Unit) -> None:
    data = await ask(
        server, acme, '{ eventTypes channels eventTypeProperties(eventType: "view") { eventType properties } }'
    )
    assert data == {
        "eventTypes": ["signup", "view"],
        "channels": ["EMAIL", "WEB"],
        "eventTypeProperties": {"eventType": "view", "properties": ["channel", "path"]},
    }


async def test_a_leads_events_page_by_page(server: Server, acme: Bootstrapped, unit: Unit) -> None:
    query = """query ($after: String, $type: String) { leadEvents(leadId: "ld_1", first: 2, after: $after,
        eventType: $type) { totalCount pageInfo { endCursor hasNextPage } nodes { eventType } } }"""
    page = (await ask(server, acme, query))["leadEvents"]
    assert ([n["eventType"] for n in page["nodes"]], page["totalCount"]) == (["signup", "view"], 3)
    page = (await ask(server, acme, query, after=page["pageInfo"]["endCursor"]))["leadEvents"]
    assert [n["eventType"] for n in page["nodes"]] == ["view"] and not page["pageInfo"]["hasNextPage"]
    assert (await ask(server, acme, query, type="signup"))["leadEvents"]["totalCount"] == 1


async def test_an_event_explains_itself(server: Server, acme: Bootstrapped, unit: Unit) -> None:
    query = '{ eventScoreExplain(eventId: "ev_2") { eventId leadId eventType rulesets { delta before after } } }'
    assert (await ask(server, acme, query))["eventScoreExplain"] == {
        "eventId": "ev_2",
        "leadId": "ld_1",
        "eventType": "view",
        "rulesets": [],
    }


@pytest.mark.parametrize(
    "field",
    [
        'eventTypeProperties(eventType: "x") { eventType }',
        'leadEvents(leadId: "x") { totalCount }',
        'eventScoreExplain(eventId: "x") { eventId }',
    ],
)
async def test_what_the_unit_does_not_have_is_not_found(server: Server, acme: Bootstrapped, field: str) -> None:
    answer = await server.ask(f"{{ {field} }}", as_=acme)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["not_found"]


async def test_a_total_is_true_for_any_window(server: Server, acme: Bootstrapped, unit: Unit) -> None:
    """Windows that cut days, that lie within one, and that are the wrong way round."""
    await unit.score(*(body("view", f"ld_{n}", second=-7200.5 * n) for n in range(60)))
    query = """query ($from: DateTime, $to: DateTime) {
        events(first: 500, filter: {occurredFrom: $from, occurredTo: $to}) { totalCount nodes { eventId } } }"""
    midnight = RECEIVED.replace(hour=0, minute=0, second=0, microsecond=0)
    moments = [None, *(midnight + timedelta(hours=h) for h in (-120, -72, -49, -48, -30, -25, -24, -13, 0, 5, 48))]
    for start in moments:
        for end in moments:
            times = {"from": start and start.isoformat(), "to": end and end.isoformat()}
            page = (await ask(server, acme, query, **times))["events"]
            assert page["totalCount"] == len(page["nodes"]), times


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
async def test_a_window_may_be_far_away(server: Server, acme: Bootstrapped, unit: Unit, moment: str) -> None:
    query = "query ($t: DateTime) { a: events(filter: {occurredFrom: $t}) { totalCount } }"
    expected = 3 if moment < "2000" else 0
    assert (await ask(server, acme, query, t=moment))["a"]["totalCount"] == expected


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
async def test_a_time_that_utc_cannot_say_is_refused(server: Server, acme: Bootstrapped, moment: str) -> None:
    query = "query ($t: DateTime) { events(filter: {occurredFrom: $t}) { totalCount } }"
    answer = await server.ask(query, {"t": moment}, as_=acme)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["invalid_query"]
