"""Surge metrics of a unit: totals, peak, channels and a series without holes."""

from __future__ import annotations

from typing import Any

import pytest

from leadvibe.store.database import Database
from tests.rest_compat.conftest import Org, Scoring, add_unit, fields, refused
from tests.rest_compat.test_surge_events import surged, switch_on, trigger, view

PERIOD = {"start": "2026-09-15T13:30:00Z", "end": "2026-09-15T16:00:00Z"}


def path(ou_id: str) -> str:
    return f"/api/v1/ou/{ou_id}/surge/metrics"


async def test_the_surges_of_a_period(acme: Org, scoring: Scoring) -> None:
    await surged(acme, scoring)
    ou_id = acme.made.unit_id
    answer = (await acme.http.get(path(ou_id), params=PERIOD)).json()
    assert answer == {
        "ou_id": ou_id,
        **PERIOD,
        "interval": "1h",
        "totals": {"surges": 2, "leads": 2, "events": 4, "boost_points": 0},
        "peak": {"bucket_start": "2026-09-15T14:00:00Z", "surges": 2},
        "channels": [{"channel": "email", "surges": 1}, {"channel": "web", "surges": 1}],
        "series": [
            {"bucket_start": "2026-09-15T13:00:00Z", "surges": 0},
            {"bucket_start": "2026-09-15T14:00:00Z", "surges": 2},
            {"bucket_start": "2026-09-15T15:00:00Z", "surges": 0},
        ],
    }
    assert (await acme.http.get(f"/org-units/{ou_id}/surge-metrics", params=PERIOD)).json() == answer


async def test_intervals_and_channels(acme: Org, scoring: Scoring) -> None:
    await surged(acme, scoring)
    query = PERIOD | {"interval": "15m", "channel": "email"}
    answer = (await acme.http.get(path(acme.made.unit_id), params=query)).json()
    assert len(answer["series"]) == 10
    assert answer["peak"] == {"bucket_start": "2026-09-15T14:30:00Z", "surges": 1}
    assert answer["channels"] == [{"channel": "email", "surges": 1}]
    days = (await acme.http.get(path(acme.made.unit_id), params=PERIOD | {"interval": "1d"})).json()
    assert days["series"] == [{"bucket_start": "2026-09-15T00:00:00Z", "surges": 2}]


async def test_what_multipliers_added_is_told_without_any_surge(acme: Org, scoring: Scoring) -> None:
    await acme.rule("view", 10)
    await acme.ingest(*(view("ld_1", minute) for minute in range(4)))
    await scoring.finish()
    answer = (await acme.http.get(path(acme.made.unit_id), params=PERIOD)).json()
    assert answer["totals"] == {"surges": 0, "leads": 0, "events": 0, "boost_points": 6}
    assert (answer["peak"], answer["channels"]) == (None, [])
    mail = (await acme.http.get(path(acme.made.unit_id), params=PERIOD | {"channel": "email"})).json()
    assert mail["totals"]["boost_points"] == 0


async def test_the_period_ends_before_its_end(acme: Org, scoring: Scoring) -> None:
    await trigger(acme, threshold_count=1)
    await switch_on(acme)
    await acme.ingest(view("ld_1", 0))
    await scoring.finish()
    moment = "2026-09-15T14:00:00Z"
    for start, end, surges, buckets in (
        (moment, "2026-09-15T14:00:01Z", 1, 1),
        ("2026-09-15T13:00:00Z", moment, 0, 1),
        (moment, moment, 0, 0),
    ):
        answer = (await acme.http.get(path(acme.made.unit_id), params={"start": start, "end": end})).json()
        assert (answer["totals"]["surges"], len(answer["series"])) == (surges, buckets)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"end": PERIOD["end"]}, "start"),
        ({"start": PERIOD["start"]}, "end"),
        (PERIOD | {"start": "2026-09-15"}, "start"),
        (PERIOD | {"end": "soon"}, "end"),
        (PERIOD | {"start": "2026-09-16T00:00:00Z"}, "end"),
        (PERIOD | {"interval": "5m"}, "interval"),
        (PERIOD | {"interval": "15m", "start": "2026-08-01T00:00:00Z"}, "interval"),
        (PERIOD | {"start": "0001-01-01T00:00:00Z"}, "interval"),
        (PERIOD | {"channel": "a\0b"}, "channel"),
    ],
)
async def test_bad_queries_are_refused(anybody: Org, query: dict[str, Any], field: str) -> None:
    assert fields(refused(await anybody.http.get(path(anybody.made.unit_id), params=query), 400)) == {field}


async def test_only_members_of_the_unit_may_ask(acme: Org, rival: Org, database: Database) -> None:
    refused(await acme.http.get(path(rival.made.unit_id), params=PERIOD), 404)
    refused(await acme.http.get(path("nowhere"), params=PERIOD), 404)
    closed = await add_unit(database, acme.made, None)
    refused(await acme.http.get(path(closed), params=PERIOD), 403, "not_a_member")
    other = await add_unit(database, acme.made, "Viewer")
    assert (await acme.http.get(path(other), params=PERIOD)).json()["ou_id"] == other, "without any active unit"


async def test_graphql_tells_the_same(acme: Org, scoring: Scoring) -> None:
    await surged(acme, scoring)
    query = """
        query ($start: DateTime!, $end: DateTime!) {
          surgeMetrics(start: $start, end: $end, interval: DAY) {
            totals { surges leads events boostPoints } peak { surges } channels { channel surges }
            series { bucketStart surges }
          }
        }
    """
    answer = (await acme.http.post("/graphql", json={"query": query, "variables": PERIOD})).json()
    assert answer["data"]["surgeMetrics"] == {
        "totals": {"surges": 2, "leads": 2, "events": 4, "boostPoints": 0},
        "peak": {"surges": 2},
        "channels": [{"channel": "EMAIL", "surges": 1}, {"channel": "WEB", "surges": 1}],
        "series": [{"bucketStart": "2026-09-15T00:00:00Z", "surges": 2}],
    }
