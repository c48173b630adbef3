"""Scores, leads, search and events: what is shown, in which order, by which filters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from leadvibe.store.database import Database
from tests.rest_compat.conftest import Org, Scoring, fields, refused

NOW = datetime.now(UTC)


def at(**ago: float) -> str:
    return (NOW - timedelta(**ago)).isoformat()


def view(lead_id: str, **more: Any) -> dict[str, Any]:
    return {"event_type": "page_view", "lead_id": lead_id} | more


@pytest.fixture
async def leads(acme: Org, scoring: Scoring) -> Org:
    """Acme with ld_0 … ld_4, of whom ld_n has n points per demo, and ld_old, last seen 20 days ago."""
    for n in range(5):
        await acme.rule(f"demo_{n}", 10 * n)
    await acme.ingest(
        view("ld_old", timestamp=at(days=20)),
        *[{"event_type": f"demo_{n}", "lead_id": f"ld_{n}", "timestamp": at(hours=n)} for n in range(5)],
    )
    await scoring.finish()
    return acme


async def listed(org: Org, **query: Any) -> list[str]:
    response = await org.http.get("/leads", params=query)
    assert response.status_code == 200, response.text
    return [lead["lead_id"] for lead in response.json()["leads"]]


async def test_a_score_names_its_rulesets(leads: Org) -> None:
    (ruleset,) = (await leads.http.get("/rulesets")).json()
    for path in ("/score/ld_3", "/leads/ld_3/score"):
        assert (await leads.http.get(path)).json() == {
            "lead_id": "ld_3",
            "score": 30,
            "ruleset_id": ruleset["ruleset_id"],
            "engagement_scores": {ruleset["ruleset_id"]: 30},
            "profile_scores": {},
        }
    assert await leads.score("ld_old") == 0, "a lead that never scored has 0"


async def test_a_score_is_the_highest_of_all_active_rulesets_unless_one_is_named(acme: Org, scoring: Scoring) -> None:
    rulesets = []
    for weight, active in ((5, True), (9, True), (50, False)):
        body = {"name": f"W{weight}", "active": True}
        ruleset = (await acme.http.post("/rulesets", json=body)).json()["ruleset_id"]
        rule = {"event_type": "page_view", "weight": weight, "ruleset_id": ruleset}
        assert (await acme.http.post("/rules", json=rule)).status_code == 201
        rulesets.append((ruleset, weight, active))
    await acme.ingest(view("ld_1"))
    await scoring.finish()
    assert (await acme.http.put(f"/rulesets/{rulesets[2][0]}", json={"active": False})).status_code == 200
    score = (await acme.http.get("/score/ld_1")).json()
    assert (score["score"], score["ruleset_id"]) == (9, rulesets[0][0])
    for ruleset, weight, _ in rulesets:
        assert (await acme.http.get("/score/ld_1", params={"ruleset_id": ruleset})).json()["score"] == weight
    refused(await acme.http.get("/score/ld_1", params={"ruleset_id": "rs_nobody"}), 404, "not_found")


async def test_the_highest_score_comes_first_then_the_latest_activity(leads: Org) -> None:
    assert await listed(leads) == ["ld_4", "ld_3", "ld_2", "ld_1", "ld_0", "ld_old"]


async def test_a_lead_shows_its_scores_by_ruleset_and_its_level(leads: Org) -> None:
    (ruleset,) = (await leads.http.get("/rulesets")).json()
    lead = (await leads.http.get("/leads")).json()["leads"][0]
    ruleset_id = ruleset["ruleset_id"]
    assert (
        lead.items()
        >= {
            "org_id": leads.made.org_id,
            "lead_id": "ld_4",
            "score": 40,
            "ruleset_id": ruleset_id,
            "engagement_level": "Warm",
            "engagement_scores": {ruleset_id: 40},
            "profile_scores": {},
            "ruleset_names": {ruleset_id: "Default"},
            "engagement_primary_ruleset_name": "Default",
            "owner_name": None,
            "metadata": {},
        }.items()
    )
    assert datetime.fromisoformat(lead["last_event_at"]) == NOW - timedelta(hours=4)


async def test_pages_cover_every_lead_once(leads: Org) -> None:
    everything = await listed(leads)
    pages = [(await leads.http.get("/leads", params={"page": n, "limit": 4})).json() for n in (1, 2, 3)]
    assert [[lead["lead_id"] for lead in page["leads"]] for page in pages] == [everything[:4], everything[4:], []]
    assert [(page["total"], page["page"], page["limit"]) for page in pages] == [(6, n, 4) for n in (1, 2, 3)]


async def test_a_lead_shows_its_sessions_of_the_range(acme: Org, scoring: Scoring) -> None:
    """Half an hour without a counted event ends a session, unless the unit says otherwise."""
    await acme.ingest(
        *[view("ld_1", timestamp=at(days=3, minutes=n)) for n in (0, 29, 60)],
        *[view("ld_1", timestamp=at(hours=1, minutes=n)) for n in (0, 30)],
        view("ld_1", event_type="DECAY", timestamp=at(days=9)),
        view("ld_2", timestamp=at(days=40)),
    )
    await scoring.finish()
    assert (await acme.http.post("/leads", json={"id": "ld_3"})).status_code == 201

    async def sessions(**query: Any) -> dict[str, int]:
        shown = (await acme.http.get("/leads", params=query)).json()["leads"]
        return {lead["lead_id"]: lead["session_count"] for lead in shown}

    assert await sessions() == await sessions(limit=9, range="all") == {"ld_1": 3, "ld_2": 1, "ld_3": 0}
    assert await sessions(limit=9, range="last_24h") == await sessions(range="last_24h") == {
        "ld_1": 1, "ld_2": 0, "ld_3": 0,
    }  # fmt: skip
    document = (
        '{ lead(id: "ld_1") { sessionCount lately: sessionCount(range: LAST_7D) last: sessionCount(range: LAST_24H) } }'
    )
    answer = (await acme.http.post("/graphql", json={"query": document})).json()
    assert answer["data"]["lead"] == {"sessionCount": 3, "lately": 3, "last": 1}
    assert (await acme.http.put("/settings/scoring", json={"session_timeout_minutes": 29})).status_code == 204
    assert (await sessions())["ld_1"] == 4


async def test_a_long_list_without_pages_is_written_as_it_is_read(acme: Org, database: Database) -> None:
    """More leads than are read at once."""
    await database.pool.execute(
        """
        INSERT INTO leads (unit_id, lead_id, metadata, score, scores, profile_score, profile_scores, session_count,
                           merged_into, deleting, created_at, updated_at)
        SELECT $1, 'ld_' || n, '{}', n / 2, '{}', 0, '{}', 0, CASE WHEN n = 7 THEN 'ld_8' END, n = 9, $2, $2
        FROM generate_series(1, 2500) n
        """,
        acme.made.unit_id,
        NOW,
    )
    response = await acme.http.get("/leads")
    assert "content-length" not in response.headers
    found = [(lead["score"], lead["lead_id"]) for lead in response.json()["leads"]]
    expected = [(n // 2, f"ld_{n}") for n in range(1, 2501) if n not in (7, 9)]
    assert found == sorted(expected, key=lambda each: (-each[0], each[1]))


async def test_the_counters_are_there_when_the_request_pages(leads: Org) -> None:
    assert set((await leads.http.get("/leads")).json()) == {"leads"}
    page, limited = [(await leads.http.get("/leads", params=query)).json() for query in ({"page": 1}, {"limit": 2})]
    assert (page["total"], page["page"], page["limit"]) == (6, 1, 50)
    assert (limited["total"], limited["page"], limited["limit"]) == (6, 1, 2)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"min_score": 20, "max_score": 30}, ["ld_3", "ld_2"]),
        ({"min_score": 41}, []),
        ({"max_score": 0}, ["ld_0", "ld_old"]),
        ({"min_score": -(2**63), "max_score": 2**63 - 1, "event_type": "demo_1"}, ["ld_1"]),
        ({"event_type": "Demo_1"}, []),
        ({"last_active": "7d", "max_score": 0}, ["ld_0"]),
        ({"last_active": "30d", "max_score": 0}, ["ld_0", "ld_old"]),
        ({"last_active": "any", "range": "all", "max_score": 0}, ["ld_0", "ld_old"]),
        ({"range": "last_7d", "min_score": 40}, ["ld_4"]),
        ({"range": "last_24h", "limit": 1}, ["ld_4"]),
        ({"min_score": 30, "page": 2, "limit": 1}, ["ld_3"]),
        ({"unknown": "parameter", "min_score": 40}, ["ld_4"]),
    ],
)
async def test_filters_narrow_the_leads(leads: Org, query: dict[str, Any], found: list[str]) -> None:
    assert await listed(leads, **query) == found


@pytest.mark.parametrize(("name", "ago"), [("last_24h", 1.5), ("last_7d", 8), ("last_30d", 31), ("last_90d", 91)])
async def test_a_range_is_about_the_creation_of_leads(leads: Org, database: Database, name: str, ago: float) -> None:
    statement = "UPDATE leads SET created_at = $2 WHERE unit_id = $1 AND lead_id <> 'ld_2'"
    await database.pool.execute(statement, leads.made.unit_id, NOW - timedelta(days=ago))
    assert await listed(leads, range=name) == ["ld_2"]
    assert len(await listed(leads, range="all")) == 6


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("", []),
        ("j", []),
        ("ja", [("Jane-1", "id"), ("ld_phone", "alias"), ("ld_mail", "alias")]),
        ("JANE", [("Jane-1", "id"), ("ld_phone", "alias"), ("ld_mail", "alias")]),
        ("EXAMPLE.COM", [("ld_mail", "alias")]),
        ("ane-", [("ld_phone", "alias")]),
        ("%%", []),
        ("__", []),
        ("\\\\", []),
        ("d_", []),
        ("ld_", [("ld_phone", "id"), ("ld_mail", "id")]),
        ("+4930", [("ld_phone", "alias")]),
        ("\0\0", []),
    ],
)
async def test_a_search_finds_ids_by_their_beginning_and_aliases_by_any_part(
    acme: Org, scoring: Scoring, q: str, found: list[tuple[str, str]]
) -> None:
    """Matches of a kind are in the order of their best alias: a phone's + comes before a letter."""

    def alias(kind: str, value: str) -> dict[str, str]:
        return {"alias_kind": kind, "raw_value": value}

    await acme.ingest(
        view("Jane-1"),
        view("ld_mail", aliases=[alias("email", "Jane.Doe@example.com")]),
        view("ld_phone", aliases=[alias("external_id", "x-jane-9"), alias("phone", "+4930 1234")]),
    )
    await scoring.finish()
    response = await acme.http.get("/leads/search", params={"q": q})
    if "\0" in q:
        refused(response, 400)
    else:
        assert [(match["id"], match["match_type"]) for match in response.json()] == found


async def test_a_match_shows_the_best_alias_and_the_level(acme: Org, scoring: Scoring) -> None:
    await acme.rule("demo", 60)
    aliases = [{"alias_kind": kind, "raw_value": value} for kind, value in (("cookie", "c-1"), ("phone", "+49301"))]
    await acme.ingest({"event_type": "demo", "lead_id": "ld_1", "aliases": aliases}, view("ld_2"))
    await scoring.finish()
    assert (await acme.http.get("/leads/search", params={"q": "ld_"})).json() == [
        {"id": "ld_1", "match_type": "id", "best_alias": "+49301", "engagement_level": "Hot", "profile_level": None},
        {"id": "ld_2", "match_type": "id", "best_alias": None, "engagement_level": "Cold", "profile_level": None},
    ]


async def test_a_search_without_q_finds_nothing_and_one_that_matches_much_shows_ten(
    acme: Org, scoring: Scoring
) -> None:
    await acme.ingest(*[view(f"ld_{n:02}") for n in range(15)])
    await scoring.finish()
    assert (await acme.http.get("/leads/search")).json() == []
    found = (await acme.http.get("/leads/search", params={"q": "ld_"})).json()
    assert [match["id"] for match in found] == [f"ld_{n:02}" for n in range(10)]


@pytest.fixture
async def events(acme: Org, scoring: Scoring) -> Org:
    """Acme with e0 … e9, from the oldest to the newest, one a day, of two leads on three pages."""
    await acme.ingest(
        *[
            {
                "event_type": "even" if n % 2 == 0 else "odd",
                "lead_id": f"ld_{n % 2}",
                "event_id": f"e{n}",
                "timestamp": at(days=9 - n, minutes=1),
                "metadata": {"page": f"p{n % 3}", "n": n, "deep": {"a": "b:c"}},
            }
            for n in range(10)
        ]
    )
    await scoring.finish()
    return acme


async def shown(org: Org, **query: Any) -> list[str]:
    return [event["id"] for event in await org.events(**query)]


async def test_an_event_shows_what_was_sent_and_what_became_of_it(acme: Org, scoring: Scoring) -> None:
    await acme.rule("page_view", 5)
    await acme.ingest(view("ld_1", event_id="mine", timestamp="2025-08-15T12:00:00Z", metadata={"channel": "EMail"}))
    await scoring.finish()
    assert await acme.events() == [
        {
            "id": "mine",
            "event_id": "mine",
            "lead_id": "ld_1",
            "event_type": "page_view",
            "channel": "email",
            "timestamp": "2025-08-15T12:00:00Z",
            "metadata": {"channel": "EMail"},
            "suppression_reason": None,
            "original_lead_id": None,
            "score_delta": 5,
            "created_at": "2025-08-15T12:00:00Z",
        }
    ]


async def test_suppressed_events_are_listed_with_their_reason(acme: Org, scoring: Scoring) -> None:
    body = {"event_type": "page_view", "count_threshold": 2, "time_window_ms": 60_000}
    assert (await acme.http.post("/filters", json=body)).status_code == 201
    await acme.rule("page_view", 5)
    await acme.ingest(*[view("ld_1") for _ in range(4)])
    await scoring.finish()
    assert [event["suppression_reason"] for event in await acme.events()] == ["inorganic", "inorganic", None, None]
    assert await acme.score("ld_1") == 10


async def test_the_newest_event_comes_first_and_pages_cover_all(events: Org) -> None:
    newest_first = [f"e{n}" for n in range(9, -1, -1)]
    assert await shown(events) == newest_first
    pages = [await events.http.get("/events", params={"page": n, "limit": 4}) for n in (1, 2, 3, 4)]
    assert [event["id"] for page in pages for event in page.json()] == newest_first
    assert [len(page.json()) for page in pages] == [4, 4, 2, 0]
    assert {page.headers["x-total-count"] for page in pages} == {"10"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"event_type": "odd"}, "97531"),
        ({"lead_id": "ld_0", "event_type": "odd"}, ""),
        ({"lead_id": "ld_0", "limit": 2, "page": 2}, "42"),
        ({"metadata": "page:p0"}, "9630"),
        ({"metadata": "n:7"}, "7"),
        ({"metadata": ["page:p0", "n:9"]}, "9"),
        ({"metadata": ["page:p0", "n:8"], "logic": "and"}, ""),
        ({"metadata": ["page:p0", "n:8"], "logic": "or"}, "98630"),
        ({"metadata": "absent:"}, ""),
        ({"metadata": "page:P0"}, ""),
        ({"metadata": 'deep:{"a": "b:c"}'}, "9876543210"),
        ({"range": "all", "event_type": "even"}, "86420"),
        ({"range": "last_24h"}, "9"),
        ({"range": "last_7d"}, "9876543"),
        ({"range": "last_90d"}, "9876543210"),
        ({"event_type": ""}, ""),
    ],
)
async def test_filters_narrow_the_events(events: Org, query: dict[str, Any], found: str) -> None:
    assert await shown(events, **query) == [f"e{n}" for n in found]


async def test_days_begin_at_midnight_utc(acme: Org, scoring: Scoring) -> None:
    midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    moments = {
        "early": midnight - timedelta(days=1, seconds=1),
        "first": midnight - timedelta(days=1),
        "last": midnight - timedelta(seconds=1),
        "today": midnight,
    }
    await acme.ingest(*[view("ld_1", event_id=name, timestamp=time.isoformat()) for name, time in moments.items()])
    await scoring.finish()
    assert await shown(acme, range="yesterday") == ["last", "first"]
    assert await shown(acme, range="today") == ["today"]


async def test_events_of_a_hidden_type_are_not_listed(events: Org, database: Database) -> None:
    statement = "UPDATE event_types SET hidden = true WHERE unit_id = $1 AND name = 'odd'"
    await database.pool.execute(statement, events.made.unit_id)
    assert await shown(events) == ["e8", "e6", "e4", "e2", "e0"]
    assert (await events.http.get("/events")).headers["x-total-count"] == "5"


PAGING = [("page", value) for value in ("0", "-1", "x", "1.5", "", str(2**31 + 1), "9" * 30, "NaN")]
PAGING += [("limit", value) for value in ("0", "-1", "501", "x", "", "9" * 30)]


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        *[(path, name, value) for path in ("/leads", "/events") for name, value in PAGING],
        *[("/leads", name, value) for name in ("min_score", "max_score") for value in ("x", "1.5", str(2**63), "")],
        *[(path, "range", value) for path in ("/leads", "/events") for value in ("forever", "", "custom", "LAST_7D")],
        ("/leads", "last_active", "90d"),
        ("/leads", "last_active", ""),
        ("/leads", "event_type", "a\0b"),
        ("/events", "logic", "xor"),
        ("/events", "logic", "OR"),
        ("/events", "metadata", "no colon"),
        ("/events", "metadata", ""),
        ("/events", "metadata", "a:\0"),
        ("/events", "event_type", "\0"),
        ("/events", "lead_id", "\0"),
        ("/score/ld_1", "ruleset_id", "\0"),
        ("/leads/search", "q", "a\0"),
        ("/stream", "ouId", "\0"),
    ],
)
async def test_a_parameter_outside_its_range_is_refused(anybody: Org, path: str, name: str, value: str) -> None:
    body = refused(await anybody.http.get(path, params={name: value}), 400, "invalid_request")
    assert {field.partition(".")[0] for field in fields(body)} == {name}


@pytest.mark.parametrize("query", ["page=2147483648", "limit=500", "limit=1", "min_score=-9223372036854775808"])
async def test_a_parameter_at_its_bound_is_accepted(anybody: Org, query: str) -> None:
    for path in ("/leads", "/events"):
        response: httpx.Response = await anybody.http.get(f"{path}?{query}")
        assert response.status_code == 200, response.text
