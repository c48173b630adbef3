"""Analytics through GraphQL."""

from __future__ import annotations

import pytest

from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.store.database import Database
from tests.pipeline.units import Unit, body
from tests.schema.conftest import Server


async def test_analytics_stats_and_top_leads(server: Server, database: Database, acme: Bootstrapped) -> None:
    unit = Unit(database, acme.unit_id)
    await unit.score(body("view"), body("view", "ld_2"), body("signup", "ld_2", second=86_400 - 1), body("view"))
    query = """{
        eventsAnalytics { totals { events uniqueLeads } byType { eventType count } dailyCounts { date count } }
        signups: eventsAnalytics(eventType: "signup") { totals { events uniqueLeads } }
        today: eventsAnalytics(range: TODAY) { totals { events } }
        eventStats { last24h { events uniqueLeads } topEvents { eventType count } }
        topLeads(limit: 1) { leadId score lastEventAt }
    }"""
    answer = await server.ask(query, as_=acme)
    counts = [{"eventType": "view", "count": 3}, {"eventType": "signup", "count": 1}]
    assert answer == {
        "data": {
            "eventsAnalytics": {
                "totals": {"events": 4, "uniqueLeads": 2},
                "byType": counts,
                "dailyCounts": [{"date": "2026-03-01", "count": 4}],
            },
            "signups": {"totals": {"events": 1, "uniqueLeads": 1}},
            "today": {"totals": {"events": 0}},
            "eventStats": {"last24h": {"events": 0, "uniqueLeads": 0}, "topEvents": counts},
            "topLeads": [{"leadId": "ld_2", "score": 0, "lastEventAt": "2026-03-01T23:59:59Z"}],
        }
    }


@pytest.mark.parametrize("limit", [0, 501])
async def test_a_bad_limit_is_refused(server: Server, acme: Bootstrapped, limit: int) -> None:
    answer = await server.ask(f"{{ topLeads(limit: {limit}) {{ leadId }} }}", as_=acme)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["invalid_request"]
