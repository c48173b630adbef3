"""Merging leads over REST: what is answered, what is refused, and what subscribers hear."""

from __future__ import annotations

from typing import Any

import pytest

from leadvibe.store.database import Database
from leadvibe.store.tables import Account
from tests.rest_compat.conftest import Org, Scoring, add_unit, fields, refused
from tests.rest_compat.test_stream import stream

MERGE = {"targetLeadId": "ld_a", "sourceLeadIds": ["ld_b", "ld_c"]}
PATHS = pytest.mark.parametrize("path", ["/leads/merge", "/leads/merge/preview"])


def event(lead_id: str, minute: int, **more: Any) -> dict[str, Any]:
    return {"event_type": "demo", "lead_id": lead_id, "timestamp": f"2026-03-01T12:{minute:02}:00Z"} | more


@pytest.fixture
async def leads(acme: Org, scoring: Scoring) -> str:
    """ld_a with one event, ld_b with two and an alias, ld_c with one; the ruleset that gives 10 for each."""
    ruleset_id: str = (await acme.rule("demo", 10))["ruleset_id"]
    alias = {"alias_kind": "email", "raw_value": "b@example.com"}
    await acme.ingest(
        event("ld_a", 0), event("ld_b", 1, aliases=[alias]), event("ld_b", 50, event_id="late"), event("ld_c", 2)
    )
    await scoring.finish()
    return ruleset_id


async def test_a_merge_answers_with_the_target(acme: Org, leads: str) -> None:
    response = await acme.http.post("/leads/merge", json=MERGE)
    assert response.status_code == 200, response.text
    body = response.json()
    # Three events within half an hour count as a session, whose third is worth 1.25 times.
    assert body == {
        "target": (await acme.http.get("/lead/ld_a")).json()["lead"],
        "mergedSources": ["ld_b", "ld_c"],
        "movedEvents": 3,
        "truncatedEvents": 0,
        "rescore": {"status": "completed", "scores": {leads: body["target"]["score"]}},
    }
    assert body["target"]["score"] == await acme.score("ld_a") > 30
    for source in ("ld_b", "ld_c"):
        lead = (await acme.http.get(f"/lead/{source}")).json()["lead"]
        assert (lead["merged_into"], lead["score"]) == ("ld_a", 0)
    page = (await acme.http.get("/leads", params={"page": 1})).json()
    assert (page["total"], [lead["lead_id"] for lead in page["leads"]]) == (1, ["ld_a"])
    assert [row["value"] for row in (await acme.http.get("/lead/ld_a/aliases")).json()] == ["b@example.com"]
    assert [match["id"] for match in (await acme.http.get("/leads/search", params={"q": "b@exam"})).json()] == ["ld_a"]


async def test_the_timeline_tells_of_the_merge(acme: Org, leads: str) -> None:
    await acme.http.post("/leads/merge", json=MERGE)
    note, *events = await acme.events(lead_id="ld_a")
    assert (note["event_type"], note["channel"], note["score_delta"]) == ("lead_merged", "system", None)
    assert note["metadata"]["source_lead_ids"] == ["ld_b", "ld_c"]
    assert note["metadata"]["moved_events"] == 3
    assert note["metadata"]["merged_by"] == acme.made.org_member_id
    assert [event["original_lead_id"] for event in events] == ["ld_b", "ld_c", "ld_b", None]


async def test_events_of_a_source_go_on_to_the_target(acme: Org, leads: str, scoring: Scoring) -> None:
    await acme.http.post("/leads/merge", json=MERGE)
    before = await acme.score("ld_a")
    alias = {"alias_kind": "email", "raw_value": "B@Example.com"}
    await acme.ingest(event("ld_b", 55), {"event_type": "demo", "aliases": [alias]})
    await scoring.finish()
    assert await acme.score("ld_a") >= before + 20
    assert {row["lead_id"] for row in await acme.events()} == {"ld_a"}


async def test_subscribers_hear_of_the_merge(acme: Org, leads: str) -> None:
    async with stream(acme.http) as frames:
        await acme.http.post("/leads/merge", json=MERGE)
        frame = await frames.next()
    assert frame.fields["event"] == "new_event"
    assert "lead_merged" in str(frame.data) and "ld_a" in str(frame.data)


@pytest.mark.parametrize(
    ("truncate", "moved"),
    [
        (None, 3),
        ({}, 3),
        ({"policy": "none"}, 3),
        ({"policy": "keep_last_n", "limit": 1}, 1),
        ({"policy": "keep_last_n", "limit": 0}, 0),
        ({"policy": "before", "before": "2026-03-01T13:10:00+01:00"}, 1),
    ],
)
async def test_history_may_be_truncated(acme: Org, leads: str, truncate: Any, moved: int) -> None:
    body = (await acme.http.post("/leads/merge", json=MERGE | {"truncate": truncate})).json()
    assert (body["movedEvents"], body["truncatedEvents"]) == (moved, 3 - moved)
    assert len(await acme.events(lead_id="ld_a")) == 2 + moved


@PATHS
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"targetLeadId": None}, "targetLeadId"),
        ({"targetLeadId": ""}, "targetLeadId"),
        ({"targetLeadId": 1}, "targetLeadId"),
        ({"targetLeadId": "a\0"}, "targetLeadId"),
        ({"sourceLeadIds": None}, "sourceLeadIds"),
        ({"sourceLeadIds": []}, "sourceLeadIds"),
        ({"sourceLeadIds": "ld_b"}, "sourceLeadIds"),
        ({"sourceLeadIds": [1]}, "sourceLeadIds.0"),
        ({"sourceLeadIds": ["x"] * 101}, "sourceLeadIds"),
        ({"sourceLeadIds": ["ld_b", "ld_a"]}, "body"),
        ({"sourceLeadIds": ["ld_b", "ld_b"]}, "body"),
        ({"truncate": "none"}, "truncate"),
        ({"truncate": {"policy": "all"}}, "truncate.policy"),
        ({"truncate": {"policy": "keep_last_n"}}, "truncate"),
        ({"truncate": {"policy": "keep_last_n", "limit": -1}}, "truncate.limit"),
        ({"truncate": {"policy": "keep_last_n", "limit": "5"}}, "truncate.limit"),
        ({"truncate": {"policy": "keep_last_n", "limit": 2**63}}, "truncate.limit"),
        ({"truncate": {"policy": "before"}}, "truncate"),
        ({"truncate": {"policy": "before", "before": "yesterday"}}, "truncate.before"),
        ({"truncate": {"policy": "before", "before": "2026-03-01T12:00:00"}}, "truncate.before"),
        ({"truncate": {"policy": "before", "before": "2026"}}, "truncate.before"),
        ({"truncate": {"policy": "before", "before": 1772366400}}, "truncate.before"),
        ({"truncate": {"policy": "before", "before": "0001-01-01T00:00:00+14:00"}}, "truncate.before"),
    ],
)
async def test_a_bad_merge_is_refused(anybody: Org, path: str, change: dict[str, Any], field: str) -> None:
    body = refused(await anybody.http.post(path, json=MERGE | change), 400, "invalid_request")
    assert fields(body) == {field}
    assert "Value error" not in str(body)


@PATHS
async def test_an_unknown_lead_cannot_be_merged(
    acme: Org, rival: Org, leads: str, database: Database, path: str
) -> None:
    for change in ({"targetLeadId": "nobody"}, {"sourceLeadIds": ["ld_b", "nobody"]}):
        refused(await acme.http.post(path, json=MERGE | change), 404, "not_found")
    refused(await rival.http.post(path, json=MERGE), 404, "not_found")
    await rival.http.post("/leads", json={"id": "ld_rival"})
    refused(await acme.http.post(path, json=MERGE | {"sourceLeadIds": ["ld_rival"]}), 404, "not_found")
    other = await add_unit(database, acme.made, "Owner")
    refused(await acme.http.post(path, json=MERGE, headers={"X-Unit-Id": other}), 404, "not_found")
    mine = await acme.http.get("/lead/ld_b", headers={"X-Unit-Id": acme.made.unit_id})
    assert mine.json()["lead"]["merged_into"] is None, "a refused merge has changed nothing"


@PATHS
async def test_a_merged_lead_cannot_be_merged_again(acme: Org, leads: str, path: str) -> None:
    assert (await acme.http.post("/leads/merge", json=MERGE | {"sourceLeadIds": ["ld_b"]})).status_code == 200
    body = refused(await acme.http.post(path, json=MERGE), 400, "already_merged")
    assert fields(body) == {"sourceLeadIds"}
    body = refused(
        await acme.http.post(path, json={"targetLeadId": "ld_b", "sourceLeadIds": ["ld_c"]}), 400, "already_merged"
    )
    assert fields(body) == {"targetLeadId"}


async def test_a_preview_tells_and_changes_nothing(acme: Org, leads: str, database: Database) -> None:
    async with database.session() as session, session.begin():
        for account_id in ("acct_1", "acct_2"):
            key = {"unit_id": acme.made.unit_id, "account_id": account_id}
            session.add(Account(**key, org_id=acme.made.org_id, name=account_id.title()))
    await acme.http.put("/lead/ld_a", json={"account_id": "acct_1"})
    before = (await acme.http.get("/leads")).json(), await acme.events()
    preview = {
        "target_lead_id": "ld_a",
        "source_lead_ids": ["ld_b", "ld_c"],
        "target_events": 1,
        "total_events": 3,
        "total_aliases": 1,
        "total_sessions": 3,
        "duplicate_aliases": 0,
        "target_score": 10,
        "source_scores": {"ld_b": 20, "ld_c": 10},
        "account_conflict": False,
        "accounts": [{"account_id": "acct_1", "name": "Acct_1"}],
    }
    assert (await acme.http.post("/leads/merge/preview", json=MERGE)).json() == preview
    assert ((await acme.http.get("/leads")).json(), await acme.events()) == before
    await acme.http.put("/lead/ld_c", json={"account_id": "acct_2"})
    with_conflict = (await acme.http.post("/leads/merge/preview", json=MERGE)).json()
    assert with_conflict["account_conflict"] and len(with_conflict["accounts"]) == 2
    merged = (await acme.http.post("/leads/merge", json=MERGE)).json()
    assert merged["target"]["account_id"] == "acct_1"
