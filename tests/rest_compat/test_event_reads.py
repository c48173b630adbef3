"""Event types, channels, a lead's events, what an event did, and the export."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from leadvibe.store.database import Database
from tests.rest_compat.conftest import Org, Scoring, fields, refused

TYPES = ["page_view", "signup", "email_open", "demo_request"]


def event(event_type: str, lead_id: str = "ld_1", **more: Any) -> dict[str, Any]:
    return {"event_type": event_type, "lead_id": lead_id} | more


async def hide(database: Database, org: Org, name: str) -> None:
    await database.pool.execute(
        "UPDATE event_types SET hidden = true WHERE unit_id = $1 AND name = $2", org.made.unit_id, name
    )


async def got(org: Org, path: str, **query: Any) -> Any:
    response = await org.http.get(path, params=query)
    assert response.status_code == 200, response.text
    return response.json()


async def test_types_are_those_seen_and_not_hidden(acme: Org, rival: Org, scoring: Scoring, database: Database) -> None:
    assert await got(acme, "/event-types") == []
    await acme.ingest(*(event(name) for name in [*TYPES, "secret"]))
    await rival.ingest(event("other"))
    await scoring.finish()
    await hide(database, acme, "secret")
    assert await got(acme, "/event-types") == sorted(TYPES)


async def test_properties_are_the_top_level_keys_of_a_type(acme: Org, scoring: Scoring) -> None:
    await acme.ingest(
        event("page_view", metadata={"path": "/", "utm_source": "x"}),
        event("page_view", metadata={"campaign": {"inner": 1}, "referrer": None}),
        event("page view", metadata={"other": 1}),
        event("plain"),
    )
    await scoring.finish()
    assert await got(acme, "/event-types/page_view/properties") == {
        "event_type": "page_view",
        "properties": ["campaign", "path", "referrer", "utm_source"],
    }
    assert (await got(acme, "/event-types/page%20view/properties"))["properties"] == ["other"]
    assert (await got(acme, "/event-types/plain/properties"))["properties"] == []


async def test_properties_of_an_unknown_type_are_404(acme: Org, rival: Org, scoring: Scoring) -> None:
    await rival.ingest(event("theirs", metadata={"a": 1}))
    await scoring.finish()
    for name in ("theirs", "never_seen", "a%00b"):
        refused(await acme.http.get(f"/event-types/{name}/properties"), 404, "not_found")


async def test_channels_are_those_that_events_came_by(acme: Org, rival: Org, scoring: Scoring) -> None:
    assert await got(acme, "/channels") == []
    await acme.ingest(
        event("page_view"), event("email_open"), event("x", metadata={"channel": "Slack"}), event("page_view")
    )
    await rival.ingest(event("webinar_joined"))
    await scoring.finish()
    assert await got(acme, "/channels") == ["email", "slack", "web"]


async def test_a_leads_events_are_its_own_newest_first(
    acme: Org, rival: Org, scoring: Scoring, database: Database
) -> None:
    now = datetime.now(UTC)
    await acme.ingest(
        *(event(f"e{n}", timestamp=(now - timedelta(hours=n)).isoformat()) for n in (2, 0, 1)),
        event("e0", "ld_2"),
        event("secret"),
    )
    await rival.ingest(event("e9"))
    await scoring.finish()
    await hide(database, acme, "secret")
    rows = await got(acme, "/events/ld_1")
    assert [row["event_type"] for row in rows] == ["e0", "e1", "e2"]
    assert {row["lead_id"] for row in rows} == {"ld_1"}
    response = await acme.http.get("/events/ld_1", params={"page": 2, "limit": 2})
    assert [row["event_type"] for row in response.json()] == ["e2"]
    assert response.headers["x-total-count"] == "3"
    assert [row["event_type"] for row in await got(acme, "/events/ld_1", event_type="e1")] == ["e1"]


@pytest.mark.parametrize("query", [{"page": 0}, {"page": "x"}, {"limit": 0}, {"limit": 501}, {"page": 2**40}])
async def test_a_bad_page_of_a_leads_events_is_400(anybody: Org, query: dict[str, Any]) -> None:
    assert fields(refused(await anybody.http.get("/events/ld_1", params=query), 400)) == set(query)


async def test_events_of_an_unknown_lead_are_404(acme: Org, rival: Org, scoring: Scoring) -> None:
    await rival.ingest(event("e", "ld_theirs"))
    await scoring.finish()
    for lead_id in ("ld_theirs", "nobody", "batch"):
        refused(await acme.http.get(f"/events/{lead_id}"), 404, "not_found")


async def test_a_lead_without_events_has_an_empty_list(acme: Org) -> None:
    assert (await acme.http.post("/leads", json={"id": "ld_quiet"})).status_code == 201
    assert await got(acme, "/events/ld_quiet") == []


async def test_an_event_tells_what_it_did_to_each_ruleset(acme: Org, scoring: Scoring) -> None:
    rule = await acme.rule("demo", 40)
    other = (await acme.http.post("/rulesets", json={"name": "Fit"})).json()
    body = {"event_type": "page_view", "weight": 3, "ruleset_id": other["ruleset_id"]}
    assert (await acme.http.post("/rules", json=body)).status_code == 201
    await acme.rule("page_view", 5)
    moment = "2025-08-24T14:15:22Z"
    await acme.ingest(event("demo", timestamp=moment), event("page_view", event_id="evt-123", timestamp=moment))
    await scoring.finish()
    for path in ("/events/evt-123/score-explain", "/event/evt-123/score-explain"):
        found = await got(acme, path)
        effects = found.pop("rulesets")
        assert found == {
            "event_id": "evt-123",
            "lead_id": "ld_1",
            "event_type": "page_view",
            "occurred_at": "2025-08-24T14:15:22Z",
        }
        assert [(e["ruleset_id"], e["ruleset_name"], e["delta"], e["before"], e["after"]) for e in effects] == [
            (rule["ruleset_id"], "Default", 5, 40, 45),
            (other["ruleset_id"], "Fit", 3, 0, 3),
        ]


async def test_an_event_that_nothing_counted_has_no_effects(acme: Org, scoring: Scoring) -> None:
    await acme.ingest(event("page_view", event_id="evt-1"))
    await scoring.finish()
    assert (await got(acme, "/events/evt-1/score-explain"))["rulesets"] == []


async def test_an_unknown_event_is_404(acme: Org, rival: Org, scoring: Scoring) -> None:
    await rival.ingest(event("e", event_id="evt-theirs"))
    await scoring.finish()
    for event_id in ("evt-theirs", "nothing"):
        refused(await acme.http.get(f"/events/{event_id}/score-explain"), 404, "not_found")


@pytest.mark.parametrize("path", ["/events/export", "/export"])
async def test_the_export_is_csv(acme: Org, scoring: Scoring, path: str) -> None:
    sample = event("page_view", "ld_123", event_id="ev_001", timestamp="2025-08-15T12:00:00Z")
    await acme.ingest(sample, sample | {"event_id": "ev_002", "timestamp": "2025-08-15T14:00:01+02:00"})
    await scoring.finish()
    response = await acme.http.get(path)
    assert response.text == (
        "id,lead_id,event_type,timestamp\n"
        "ev_002,ld_123,page_view,2025-08-15T12:00:01Z\n"
        "ev_001,ld_123,page_view,2025-08-15T12:00:00Z\n"
    )
    assert response.headers["content-type"].startswith("text/csv")
    assert response.headers["content-disposition"] == 'attachment; filename="events.csv"'


async def test_an_export_without_events_is_a_header(acme: Org) -> None:
    assert (await acme.http.get("/export")).text == "id,lead_id,event_type,timestamp\n"


async def test_no_cell_of_the_export_is_a_formula(acme: Org, scoring: Scoring) -> None:
    evil = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1", "＋1", "－1", "＠x", 'a"b,c\nd']
    await acme.ingest(*(event(text, text, event_id=text) for text in evil))
    await scoring.finish()
    rows = list(csv.reader(io.StringIO((await acme.http.get("/export")).text, newline="")))[1:]
    expected = [text if text.startswith("a") else "'" + text for text in reversed(evil)]
    assert [row[:3] for row in rows] == [[text] * 3 for text in expected]


async def test_the_export_has_every_visible_event_of_the_unit_once(
    acme: Org, rival: Org, scoring: Scoring, database: Database
) -> None:
    """More than are read at once, many of them at the same time."""
    await acme.ingest(event("seen"), event("secret"))
    await rival.ingest(event("theirs"))
    await scoring.finish()
    await hide(database, acme, "secret")
    await database.pool.execute(
        """
        INSERT INTO engagement_events (unit_id, occurred_at, seq, event_id, lead_id, event_type, channel, metadata,
                                       observed, received_at, processed_at)
        SELECT $1, $2::timestamptz - (n / 3000) * interval '1 second', n, 'ev_' || n,
               CASE WHEN n % 2 = 0 THEN 'ld_1' END, CASE WHEN n % 10 = 0 THEN 'secret' ELSE 'seen' END,
               'web', '{}', false, $2, $2
        FROM generate_series(1001, 13000) n
        """,
        acme.made.unit_id,
        datetime.now(UTC),
    )
    async with acme.http.stream("GET", "/export") as response:
        rows = [line.split(",") async for line in response.aiter_lines()][1:]
    numbers = [int(row[0].removeprefix("ev_")) for row in rows if row[0].startswith("ev_") and row[0][3:].isdigit()]
    assert sorted(numbers) == [n for n in range(1001, 13001) if n % 10]
    assert len(rows) == len(numbers) + 1
    assert {row[1] for row in rows} == {"ld_1", ""}


async def test_the_total_of_a_list_is_true_for_every_filter(
    acme: Org, scoring: Scoring, database: Database, http: httpx.AsyncClient
) -> None:
    now = datetime.now(UTC)
    hours = [0, 1, 5, 12, 23, 25, 30, 47, 49, 24 * 6, 24 * 7 - 1, 24 * 7 + 1, 24 * 29, 24 * 31, 24 * 100]
    await acme.ingest(
        *(
            event(("a", "b", "secret")[n % 3], f"ld_{n % 2}", timestamp=(now - timedelta(hours=h)).isoformat())
            for n, h in enumerate(hours)
        )
    )
    await scoring.finish()
    await hide(database, acme, "secret")
    for period in (None, "all", "today", "yesterday", "last_24h", "last_7d", "last_30d", "last_90d"):
        for event_type in (None, "a", "secret", "unknown"):
            for lead_id in (None, "ld_1"):
                query = {"range": period, "event_type": event_type, "lead_id": lead_id, "limit": 500}
                given = {name: value for name, value in query.items() if value is not None}
                response = await acme.http.get("/events", params=given)
                assert response.headers["x-total-count"] == str(len(response.json())), given
