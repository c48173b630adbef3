"""A lead's activity: events and orders, filters, and pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from leadvibe.store.database import Database
from leadvibe.store.tables import Order
from tests.rest_compat.conftest import Org, Scoring, fields, refused

NOW = datetime.now(UTC).replace(microsecond=0)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def event(event_id: str, event_type: str = "page_view", when: datetime = NOW, **more: Any) -> dict[str, Any]:
    return {"event_id": event_id, "event_type": event_type, "lead_id": "ld_1", "timestamp": when.isoformat()} | more


async def order(database: Database, org: Org, order_id: str, when: datetime, lead_id: str = "ld_1") -> None:
    async with database.session() as session, session.begin():
        session.add(
            Order(
                unit_id=org.made.unit_id,
                id=f"ord_{order_id}",
                order_id=order_id,
                lead_id=lead_id,
                amount=Decimal("99.00"),
                currency="USD",
                status="paid",
                ordered_at=when,
            )
        )


@pytest.fixture
async def busy(acme: Org, rival: Org, scoring: Scoring, database: Database) -> Org:
    """ld_1: e0 … e3, an hour apart, e3 the oldest; ord_1 between e0 and e1; e9 and ord_9 20 days ago.

    Only email_open counts: e2, then e0. e9 came by Slack. Neighbours have events and orders of their own.
    """
    await acme.rule("email_open", 5)
    await acme.ingest(
        event("e9", "ping", ago(days=20), metadata={"channel": "slack"}),
        event("e3", when=ago(hours=3)),
        event("e2", "email_open", ago(hours=2)),
        event("e1", when=ago(hours=1)),
        event("e0", "email_open"),
        event("other", lead_id="ld_2"),
    )
    await rival.ingest(event("theirs"))
    await scoring.finish()
    await order(database, acme, "1", ago(minutes=30))
    await order(database, acme, "9", ago(days=20, hours=1))
    await order(database, acme, "2", ago(minutes=10), lead_id="ld_2")
    await order(database, rival, "1", ago(minutes=20))
    return acme


async def activity(org: Org, path: str = "/lead/ld_1/activity", **query: Any) -> dict[str, Any]:
    response = await org.http.get(path, params=query)
    assert response.status_code == 200, response.text
    return response.json()


def ids(entries: list[dict[str, Any]]) -> list[str]:
    return [(entry.get("event") or entry.get("order") or entry)["id"] for entry in entries]


@pytest.mark.parametrize("path", ["/lead/ld_1/activity", "/leads/ld_1/activity"])
async def test_events_and_orders_are_merged_oldest_first(busy: Org, path: str) -> None:
    found = await activity(busy, path)
    assert set(found) == {"events", "orders", "timeline", "next_before"}
    assert ids(found["timeline"]) == ["e3", "e2", "e1", "ord_1", "e0"]
    assert ids(found["events"]) == ["e3", "e2", "e1", "e0"]
    assert ids(found["orders"]) == ["ord_1"]
    assert found["next_before"] is None


async def test_an_event_and_an_order_look_like_the_reference(busy: Org) -> None:
    found = await activity(busy)
    newest = dict(found["events"][-1])
    latency = newest.pop("latency_ms")
    assert isinstance(latency, int) and latency >= 0
    assert newest == {
        "id": "e0",
        "lead_id": "ld_1",
        "event_type": "email_open",
        "channel": "email",
        "timestamp": NOW.isoformat().replace("+00:00", "Z"),
        "metadata": {},
        "suppression_reason": None,
        "original_lead_id": None,
        "score": 10,
        "score_delta": 5,
    }
    (shown,) = found["orders"]
    assert shown == {
        "type": "order",
        "id": "ord_1",
        "order_id": "1",
        "lead_id": "ld_1",
        "timestamp": ago(minutes=30).isoformat().replace("+00:00", "Z"),
        "amount": 99.0,
        "currency": "USD",
        "status": "paid",
        "metadata": {},
    }
    last, before_last = found["timeline"][-1], found["timeline"][-2]
    assert last == {"type": "event", "timestamp": newest["timestamp"], "event": found["events"][-1]}
    assert before_last == {"type": "order", "timestamp": shown["timestamp"], "order": shown}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["e3", "e2", "e1", "ord_1", "e0"]),
        ({"range": "all"}, ["ord_9", "e9", "e3", "e2", "e1", "ord_1", "e0"]),
        ({"range": "last_24h"}, ["e3", "e2", "e1", "ord_1", "e0"]),
        ({"range": "last_30d"}, ["ord_9", "e9", "e3", "e2", "e1", "ord_1", "e0"]),
        ({"channel": "email"}, ["e2", "ord_1", "e0"]),
        ({"channel": "all"}, ["e3", "e2", "e1", "ord_1", "e0"]),
        ({"channel": "crm"}, ["ord_1"]),
        ({"channel": "slack", "range": "last_90d"}, ["ord_9", "e9", "ord_1"]),
        ({"minScore": 0}, ["e2", "ord_1", "e0"]),
        ({"minScore": 6}, ["ord_1", "e0"]),
        ({"minScore": 11}, ["ord_1"]),
        ({"hasDelta": "1"}, ["e2", "ord_1", "e0"]),
        ({"hasDelta": "true"}, ["e2", "ord_1", "e0"]),
        ({"hasDelta": "0"}, ["e3", "e2", "e1", "ord_1", "e0"]),
        ({"hasDelta": "false"}, ["e3", "e2", "e1", "ord_1", "e0"]),
        ({"maxLatency": 2**63 - 1}, ["e3", "e2", "e1", "ord_1", "e0"]),
        (
            {"range": "custom", "start": ago(hours=2).isoformat(), "end": ago(minutes=30).isoformat()},
            ["e2", "e1"],
        ),
        ({"range": "custom", "start": ago(days=21).isoformat(), "end": ago(days=20).isoformat()}, ["ord_9"]),
        ({"range": "custom", "start": NOW.isoformat(), "end": NOW.isoformat()}, []),
    ],
)
async def test_filters(busy: Org, query: dict[str, Any], expected: list[str]) -> None:
    assert ids((await activity(busy, **query))["timeline"]) == expected


async def test_the_range_of_yesterday_and_today(acme: Org, scoring: Scoring) -> None:
    midnight = NOW.replace(hour=0, minute=0, second=0)
    await acme.ingest(event("today", when=midnight), event("yesterday", when=midnight - timedelta(seconds=1)))
    await scoring.finish()
    for name in ("today", "yesterday"):
        assert ids((await activity(acme, range=name))["events"]) == [name]


async def test_max_latency_leaves_out_what_took_longer(acme: Org, scoring: Scoring, database: Database) -> None:
    await acme.ingest(event("quick"), event("slow", when=ago(minutes=1)))
    await scoring.finish()
    for event_id, latency in (("quick", timedelta(milliseconds=180, microseconds=900)), ("slow", timedelta(seconds=2))):
        await database.pool.execute(
            "UPDATE engagement_events SET processed_at = received_at + $3 WHERE unit_id = $1 AND event_id = $2",
            acme.made.unit_id,
            event_id,
            latency,
        )
    assert [each["latency_ms"] for each in (await activity(acme))["events"]] == [2000, 180]
    for most, expected in ((2000, ["slow", "quick"]), (1999, ["quick"]), (180, ["quick"]), (179, [])):
        assert ids((await activity(acme, maxLatency=most))["events"]) == expected


async def test_hidden_types_are_left_out(busy: Org, database: Database) -> None:
    await database.pool.execute(
        "UPDATE event_types SET hidden = true WHERE unit_id = $1 AND name = 'email_open'", busy.made.unit_id
    )
    assert ids((await activity(busy))["timeline"]) == ["e3", "e1", "ord_1"]


async def test_pages_follow_one_another_back_in_time(acme: Org, scoring: Scoring, database: Database) -> None:
    """Also where events and orders have the same time."""
    times = [ago(hours=h) for h in (0, 1, 1, 1, 2, 2, 3)]
    await acme.ingest(*(event(f"e{n}", when=when) for n, when in enumerate(times)))
    await scoring.finish()
    for n, when in enumerate([ago(hours=1), ago(hours=1), ago(hours=2), ago(hours=5)]):
        await order(database, acme, str(n), when)
    whole = ids((await activity(acme))["timeline"])
    assert len(whole) == 11
    for limit in (1, 2, 3, 10, 11, 12):
        pages, before = [], None
        while True:
            found = await activity(acme, limit=limit, **({} if before is None else {"before": before}))
            assert len(found["timeline"]) <= limit
            pages.append(ids(found["timeline"]))
            if (before := found["next_before"]) is None:
                break
        assert [entry for page in reversed(pages) for entry in page] == whole, limit


async def test_a_unit_without_a_primary_ruleset_has_no_scores(acme: Org, scoring: Scoring) -> None:
    await acme.ingest(event("e0"))
    await scoring.finish()
    (shown,) = (await activity(acme))["events"]
    assert (shown["score"], shown["score_delta"]) == (None, None)
    assert (await activity(acme, minScore=0, hasDelta=1))["events"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"range": "last_1d"}, "range"),
        ({"range": ""}, "range"),
        ({"range": "custom", "start": NOW.isoformat()}, "end"),
        ({"range": "custom", "end": NOW.isoformat()}, "start"),
        ({"range": "custom", "start": NOW.isoformat(), "end": ago(hours=1).isoformat()}, "end"),
        ({"range": "custom", "start": "2025-01-01", "end": NOW.isoformat()}, "start"),
        ({"range": "custom", "start": "1700000000", "end": NOW.isoformat()}, "start"),
        ({"range": "custom", "start": "2025-01-01T00:00:00", "end": NOW.isoformat()}, "start"),
        ({"range": "custom", "start": "0001-01-01T00:00:00+14:00", "end": NOW.isoformat()}, "start"),
        ({"end": "tomorrow"}, "end"),
        ({"channel": "fax"}, "channel"),
        ({"minScore": -1}, "minScore"),
        ({"minScore": "x"}, "minScore"),
        ({"minScore": 2**63}, "minScore"),
        ({"maxLatency": 0}, "maxLatency"),
        ({"maxLatency": "1.5"}, "maxLatency"),
        ({"hasDelta": "yes"}, "hasDelta"),
        ({"limit": 0}, "limit"),
        ({"limit": 501}, "limit"),
    ],
)
async def test_a_bad_value_is_400(busy: Org, query: dict[str, Any], field: str) -> None:
    assert field in fields(refused(await busy.http.get("/lead/ld_1/activity", params=query), 400))


@pytest.mark.parametrize("before", ["x", "", "bnVsbA", "WzEsMiwzXQ"])
async def test_a_cursor_of_another_make_is_400(busy: Org, before: str) -> None:
    refused(await busy.http.get("/lead/ld_1/activity", params={"before": before}), 400)


async def test_an_unknown_lead_is_404(busy: Org, rival: Org) -> None:
    refused(await busy.http.get("/lead/nobody/activity"), 404, "not_found")
    refused(await rival.http.get("/leads/ld_2/activity"), 404, "not_found")
