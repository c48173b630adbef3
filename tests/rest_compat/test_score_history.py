"""Scores over time: a lead's history and the leads that gained most."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leadvibe.pipeline.scheduler import JOBS
from leadvibe.store.database import Database
from tests.rest_compat.conftest import Org, Scoring, fields, refused

NOW = datetime.now(UTC)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


async def got(org: Org, path: str, **query: Any) -> Any:
    response = await org.http.get(path, params=query)
    assert response.status_code == 200, response.text
    return response.json()


async def lead(
    database: Database,
    org: Org,
    lead_id: str,
    score: int,
    last_event_at: datetime | None = NOW,
    created_at: datetime | None = None,
) -> None:
    await database.pool.execute(
        """
        INSERT INTO leads (unit_id, lead_id, score, scores, session_count, deleting, metadata, last_event_at,
                           created_at, updated_at)
        VALUES ($1, $2, $3, '{}', 0, false, '{}', $4, $5, $5)
        """,
        org.made.unit_id,
        lead_id,
        score,
        last_event_at,
        created_at or ago(days=100),
    )


async def snapshot(
    database: Database, org: Org, lead_id: str, when: datetime, score: int, ruleset_id: str = ""
) -> None:
    await database.pool.execute(
        "INSERT INTO score_snapshots VALUES ($1, $2, $3, $4, $5)",
        org.made.unit_id,
        lead_id,
        ruleset_id or await primary(org),
        when,
        score,
    )


async def primary(org: Org) -> str:
    """The primary ruleset, made by a first rule."""
    rulesets = await got(org, "/rulesets")
    if not rulesets:
        await org.rule("demo", 10)
        rulesets = await got(org, "/rulesets")
    return str(rulesets[0]["ruleset_id"])


async def test_the_history_of_a_lead(acme: Org, scoring: Scoring, database: Database) -> None:
    """From the event to the history: two snapshots of what the worker scored."""
    rule = await acme.rule("demo", 10)
    event = {"event_type": "demo", "lead_id": "ld_1", "timestamp": ago(hours=3).isoformat()}
    await acme.ingest(event)
    await scoring.finish()
    await JOBS["snapshots"].run(database, ago(hours=2))
    await acme.ingest(event)
    await scoring.finish()
    await JOBS["snapshots"].run(database, ago(hours=1))
    found = await got(acme, "/lead/ld_1/score-history")
    assert set(found) == {"lead_id", "snapshots", "count", "period"}
    assert (found["lead_id"], found["count"]) == ("ld_1", 2)
    assert found["snapshots"] == [
        {"snapshot_at": shown(ago(hours=h)), "score": score, "ruleset_id": rule["ruleset_id"]}
        for h, score in ((2, 10), (1, 20))
    ]
    period = [datetime.fromisoformat(found["period"][name]) for name in ("start", "end")]
    assert period[1] - period[0] == timedelta(days=30)


def shown(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


@pytest.fixture
async def history(acme: Org, database: Database) -> Org:
    """ld_1 had 40 points 40 days ago, 20 20 days ago, and 2 two days ago; in another ruleset 7 a day ago."""
    await lead(database, acme, "ld_1", 2)
    for day in (40, 20, 2):
        await snapshot(database, acme, "ld_1", ago(days=day), day)
    other = (await acme.http.post("/rulesets", json={"name": "Other"})).json()["ruleset_id"]
    await snapshot(database, acme, "ld_1", ago(days=1), 7, other)
    await snapshot(database, acme, "ld_2", ago(days=1), 99)
    return acme


@pytest.mark.parametrize(
    ("query", "scores"),
    [
        ({}, [40, 20, 2]),
        ({"days": 90}, [40, 20, 2]),
        ({"days": 1}, [2]),
        ({"start_date": shown(ago(days=21)), "end_date": shown(ago(days=3))}, [40, 20]),
        ({"start_date": ago(days=50).date(), "end_date": ago(days=20).date()}, [40, 20]),
        ({"start_date": ago(days=50).date(), "end_date": ago(days=45).date()}, []),
        ({"start_date": ago(days=10).isoformat()[:19], "end_date": ago(days=9).isoformat()[:19]}, [20]),
    ],
)
async def test_the_period(history: Org, query: dict[str, Any], scores: list[int]) -> None:
    found = await got(history, "/lead/ld_1/score-history", **query)
    assert [point["score"] for point in found["snapshots"]] == scores
    times = [point["snapshot_at"] for point in found["snapshots"]]
    assert times == sorted(times) and all(found["period"]["start"] <= time for time in times)


async def test_the_first_point_is_the_score_when_the_period_began(history: Org) -> None:
    found = await got(history, "/lead/ld_1/score-history", days=10)
    assert found["snapshots"][0]["snapshot_at"] == found["period"]["start"]
    assert [point["score"] for point in found["snapshots"]] == [20, 2]


async def test_another_ruleset(history: Org) -> None:
    other = (await got(history, "/rulesets"))[1]["ruleset_id"]
    found = await got(history, "/lead/ld_1/score-history", ruleset_id=other)
    assert [(point["score"], point["ruleset_id"]) for point in found["snapshots"]] == [(7, other)]


async def test_a_unit_without_rulesets_has_no_history(acme: Org, database: Database) -> None:
    await lead(database, acme, "ld_1", 0)
    assert (await got(acme, "/lead/ld_1/score-history"))["snapshots"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"days": 0}, "days"),
        ({"days": 91}, "days"),
        ({"days": "x"}, "days"),
        ({"start_date": "2026-01-01"}, "end_date"),
        ({"end_date": "2026-01-01"}, "start_date"),
        ({"start_date": "2026-01-03", "end_date": "2026-01-01"}, "end_date"),
        ({"start_date": "soon", "end_date": "2026-01-01"}, "start_date"),
        ({"start_date": "2026-13-01", "end_date": "2026-12-01"}, "start_date"),
        ({"start_date": "2026-01-01", "end_date": "9999-12-31"}, "end_date"),
    ],
)
async def test_a_bad_period_is_400(history: Org, query: dict[str, Any], field: str) -> None:
    assert field in fields(refused(await history.http.get("/lead/ld_1/score-history", params=query), 400))


async def test_what_is_not_there_is_404(history: Org, rival: Org) -> None:
    refused(await history.http.get("/lead/nobody/score-history"), 404)
    refused(await rival.http.get("/lead/ld_1/score-history"), 404)
    theirs = await primary(rival)
    refused(await history.http.get("/lead/ld_1/score-history", params={"ruleset_id": theirs}), 404)


@pytest.mark.parametrize("path", ["/score-gains", "/recent-score-gains"])
async def test_gains_are_what_rose_in_the_window(acme: Org, database: Database, path: str) -> None:
    await primary(acme)  # it takes over the scores of leads that are there before it
    for lead_id, score, earlier in (("ld_456", 62, 34), ("ld_123", 85, 45), ("down", 5, 9), ("same", 7, 7)):
        await lead(database, acme, lead_id, score)
        await snapshot(database, acme, lead_id, ago(days=20), 1)
        await snapshot(database, acme, lead_id, ago(days=8), earlier)
        await snapshot(database, acme, lead_id, ago(days=6), score + 100)
    await lead(database, acme, "asleep", 99, last_event_at=ago(days=9))
    await lead(database, acme, "never", 99, last_event_at=None)
    assert await got(acme, path) == [
        {"lead_id": "ld_123", "score": 85, "score_gain": 40, "last_event_at": shown(NOW)},
        {"lead_id": "ld_456", "score": 62, "score_gain": 28, "last_event_at": shown(NOW)},
    ]
    assert [gain["lead_id"] for gain in await got(acme, path, limit=1)] == ["ld_123"]
    monthly = {gain["lead_id"]: gain["score_gain"] for gain in await got(acme, path, range="last_30d")}
    assert monthly == {"asleep": 99, "ld_123": 84, "ld_456": 61, "same": 6, "down": 4}


async def test_a_new_lead_gained_all_it_has(acme: Org, database: Database) -> None:
    await primary(acme)  # it takes over the scores of leads that are there before it
    await lead(database, acme, "new", 30, created_at=ago(days=1))
    await snapshot(database, acme, "other", ago(days=30), 1)
    await snapshot(database, acme, "new", ago(hours=20), 20)
    assert [gain["score_gain"] for gain in await got(acme, "/score-gains")] == [30]


async def test_before_snapshots_began_nothing_is_known_to_be_gained(acme: Org, database: Database) -> None:
    """A lead that is older than the unit's first snapshot gained what it has more than at that time."""
    await primary(acme)
    await lead(database, acme, "old", 30)
    await snapshot(database, acme, "old", ago(days=2), 25)
    await snapshot(database, acme, "old", ago(days=1), 28)
    assert [gain["score_gain"] for gain in await got(acme, "/score-gains")] == [5]


async def test_gains_without_a_ruleset_are_none(acme: Org, database: Database) -> None:
    await lead(database, acme, "ld_1", 30)
    assert await got(acme, "/score-gains") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"range": "last_90d"}, "range"),
        ({"range": "all"}, "range"),
        ({"limit": 0}, "limit"),
        ({"limit": 501}, "limit"),
        ({"limit": "ten"}, "limit"),
    ],
)
async def test_bad_parameters_of_gains_are_400(anybody: Org, query: dict[str, Any], field: str) -> None:
    assert fields(refused(await anybody.http.get("/score-gains", params=query), 400)) == {field}
