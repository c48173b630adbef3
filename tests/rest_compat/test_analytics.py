"""Analytics: totals, statistics, top leads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leadvibe.store.database import Database
from tests.rest_compat.conftest import Org, Scoring, fields, refused

NOW = datetime.now(UTC)
MIDNIGHT = NOW.replace(hour=0, minute=0, second=0, microsecond=0)


def event(event_type: str, lead_id: str, when: datetime) -> dict[str, Any]:
    return {"event_type": event_type, "lead_id": lead_id, "timestamp": when.isoformat()}


async def got(org: Org, path: str, **query: Any) -> Any:
    response = await org.http.get(path, params=query)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.fixture
async def busy(acme: Org, rival: Org, scoring: Scoring) -> Org:
    """Views by ld_1 and ld_2 now, by ld_1 yesterday and 20 days ago; a signup by ld_3 100 days ago."""
    await acme.ingest(
        event("page_view", "ld_1", NOW),
        event("page_view", "ld_2", NOW),
        event("page_view", "ld_1", MIDNIGHT - timedelta(minutes=1)),
        event("email_open", "ld_2", MIDNIGHT - timedelta(minutes=1)),
        event("page_view", "ld_1", NOW - timedelta(days=20)),
        event("signup", "ld_3", NOW - timedelta(days=100)),
    )
    await rival.ingest(event("page_view", "ld_1", NOW))
    await scoring.finish()
    return acme


async def test_analytics_of_all_time(busy: Org) -> None:
    found = await got(busy, "/events-analytics")
    days = [(NOW, 2), (MIDNIGHT - timedelta(days=1), 2), (NOW - timedelta(days=20), 1), (NOW - timedelta(days=100), 1)]
    assert found == {
        "totals": {"events": 6, "unique_leads": 3},
        "by_type": {"page_view": 4, "email_open": 1, "signup": 1},
        "daily_counts": [{"date": day.date().isoformat(), "count": count} for day, count in days],
    }
    assert list(found["by_type"]) == ["page_view", "email_open", "signup"], "the most frequent first"


@pytest.mark.parametrize(
    ("query", "totals", "by_type"),
    [
        ({"range": "today"}, (2, 2), {"page_view": 2}),
        ({"range": "yesterday"}, (2, 2), {"page_view": 1, "email_open": 1}),
        ({"range": "last_7d"}, (4, 2), {"page_view": 3, "email_open": 1}),
        ({"range": "last_30d"}, (5, 2), {"page_view": 4, "email_open": 1}),
        ({"range": "last_90d"}, (5, 2), {"page_view": 4, "email_open": 1}),
        ({"event_type": "page_view"}, (4, 2), {"page_view": 4}),
        ({"event_type": "signup", "range": "last_90d"}, (0, 0), {}),
        ({"event_type": "email_open", "range": "last_7d"}, (1, 1), {"email_open": 1}),
        ({"event_type": "never"}, (0, 0), {}),
    ],
)
async def test_analytics_of_a_range_or_type(
    busy: Org, query: dict[str, Any], totals: tuple[int, int], by_type: dict[str, int]
) -> None:
    found = await got(busy, "/events-analytics", **query)
    assert found["totals"] == {"events": totals[0], "unique_leads": totals[1]}
    assert found["by_type"] == by_type
    assert sum(day["count"] for day in found["daily_counts"]) == totals[0]


async def test_hidden_types_are_left_out(busy: Org, database: Database) -> None:
    await database.pool.execute(
        "UPDATE event_types SET hidden = true WHERE unit_id = $1 AND name = 'signup'", busy.made.unit_id
    )
    found = await got(busy, "/events-analytics")
    assert found["totals"] == {"events": 5, "unique_leads": 2}
    assert "signup" not in found["by_type"] and len(found["daily_counts"]) == 3
    assert [top["event_type"] for top in (await got(busy, "/event-stats"))["top_events"]] == ["page_view", "email_open"]


async def test_a_unit_without_events(acme: Org) -> None:
    assert await got(acme, "/events-analytics") == {
        "totals": {"events": 0, "unique_leads": 0},
        "by_type": {},
        "daily_counts": [],
    }
    assert await got(acme, "/event-stats") == {"last_24h": {"events": 0, "leads": 0}, "top_events": []}
    assert await got(acme, "/top-leads") == []


async def test_stats(acme: Org, rival: Org, scoring: Scoring) -> None:
    hours = {1: "ld_1", 2: "ld_1", 23: "ld_2", 25: "ld_3", 48: "ld_4"}
    await acme.ingest(*(event("page_view", lead_id, NOW - timedelta(hours=h)) for h, lead_id in hours.items()))
    await acme.ingest(*(event("old", "ld_5", NOW - timedelta(days=40)) for _ in range(7)))
    await rival.ingest(event("page_view", "ld_9", NOW))
    await scoring.finish()
    assert await got(acme, "/event-stats") == {
        "last_24h": {"events": 3, "leads": 2},
        "top_events": [{"event_type": "old", "count": 7}, {"event_type": "page_view", "count": 5}],
    }
    assert (await got(acme, "/event-stats", range="last_30d"))["top_events"] == [
        {"event_type": "page_view", "count": 5}
    ]


async def test_no_more_than_ten_types_are_top(acme: Org, scoring: Scoring) -> None:
    await acme.ingest(*(event(f"type_{n:02}", "ld_1", NOW) for n in range(12) for _ in range(n + 1)))
    await scoring.finish()
    top = (await got(acme, "/event-stats"))["top_events"]
    assert [(each["event_type"], each["count"]) for each in top] == [(f"type_{n:02}", n + 1) for n in range(11, 1, -1)]


async def test_top_leads(acme: Org, rival: Org, scoring: Scoring) -> None:
    await acme.rule("demo", 120)
    await acme.rule("view", 95)
    moments = {"ld_123": NOW, "ld_456": NOW - timedelta(hours=1), "ld_789": NOW - timedelta(hours=2)}
    await acme.ingest(
        event("view", "ld_789", moments["ld_789"]),
        event("view", "ld_456", moments["ld_456"]),
        event("demo", "ld_123", moments["ld_123"]),
    )
    await rival.ingest(event("demo", "ld_theirs", NOW))
    await scoring.finish()
    expected = [
        {"lead_id": lead_id, "score": score, "last_event_at": moments[lead_id].isoformat().replace("+00:00", "Z")}
        for lead_id, score in (("ld_123", 120), ("ld_456", 95), ("ld_789", 95))
    ]
    assert await got(acme, "/top-leads") == expected
    assert await got(acme, "/top-leads", limit=2) == expected[:2]


async def test_ten_leads_are_top_unless_told(acme: Org, scoring: Scoring) -> None:
    await acme.ingest(*(event("view", f"ld_{n}", NOW) for n in range(12)))
    await scoring.finish()
    assert len(await got(acme, "/top-leads")) == 10
    assert len(await got(acme, "/top-leads", limit=500)) == 12


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/events-analytics", {"range": "last_1d"}),
        ("/events-analytics", {"range": ""}),
        ("/event-stats", {"range": "week"}),
        ("/top-leads", {"limit": 0}),
        ("/top-leads", {"limit": -1}),
        ("/top-leads", {"limit": 501}),
        ("/top-leads", {"limit": "all"}),
    ],
)
async def test_bad_parameters_are_400(anybody: Org, path: str, query: dict[str, Any]) -> None:
    assert fields(refused(await anybody.http.get(path, params=query), 400)) == set(query)
