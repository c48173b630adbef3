"""DELETE of all events of a type: counts, scores, what stays, and who is refused."""

from __future__ import annotations

from typing import Any

import pytest

from leadvibe.pipeline import event_type_deletion
from leadvibe.store import type_deletion
from leadvibe.store.database import Database
from tests.pipeline.units import Unit, true_counts
from tests.rest_compat.conftest import Org, Scoring, refused


def path(event_type: str, dry: bool = False) -> str:
    return f"/settings/ou/event-types/{event_type}/events{'/dry-run' if dry else ''}"


@pytest.fixture
async def events(acme: Org, scoring: Scoring) -> Org:
    """ld_0 … ld_4 have a demo each and two visits."""
    await acme.rule("demo", 10)
    await acme.rule("visit", 3)
    for lead in range(5):
        names = ("visit", "demo", "visit")
        await acme.ingest(*({"event_type": name, "lead_id": f"ld_{lead}"} for name in names))
    await scoring.finish()
    return acme


async def test_a_dry_run_counts_and_changes_nothing(events: Org) -> None:
    for _ in range(2):
        answer = await events.http.get(path("visit", dry=True))
        assert (answer.status_code, answer.json()) == (200, {"events_count": 10, "event_scores_count": 10})
    assert len(await events.events()) == 15


async def test_the_events_go_and_the_leads_stay(events: Org, database: Database) -> None:
    before = await events.score("ld_1")
    answer = await events.http.delete(path("visit"))
    assert (answer.status_code, answer.json()) == (200, {"events_deleted": 10, "event_scores_deleted": 10})
    assert {row["event_type"] for row in await events.events()} == {"demo"}
    assert 0 < await events.score("ld_1") < before
    assert len((await events.http.get("/leads")).json()["leads"]) == 5
    assert "visit" in (await events.http.get("/event-types")).json(), "a type stays known"
    unit = Unit(database, events.made.unit_id)
    await true_counts(unit)
    replayed = await unit.replayed()
    for lead_id, lead in (await unit.leads()).items():
        assert lead["scores"] == replayed[lead_id].lead.scores
    assert (await events.http.delete(path("visit"))).json() == {"events_deleted": 0, "event_scores_deleted": 0}


async def test_usage_is_not_lowered(events: Org) -> None:
    await events.http.delete(path("visit"))
    assert (await events.http.get("/usage")).json()["monthly_events"] == 15


async def test_many_leads_go_in_steps(events: Org, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_type_deletion, "LEADS_AT_ONCE", 2)
    monkeypatch.setattr(type_deletion, "_EVENTS_AT_ONCE", 3)
    assert (await events.http.delete(path("visit"))).json()["events_deleted"] == 10


async def test_events_without_a_lead_go_too(events: Org, database: Database) -> None:
    nobody = "UPDATE engagement_events SET lead_id = NULL, scores = NULL WHERE unit_id = $1 AND lead_id = 'ld_1'"
    await database.pool.execute(nobody, events.made.unit_id)
    answer = (await events.http.delete(path("visit"))).json()
    assert answer == {"events_deleted": 10, "event_scores_deleted": 8}
    assert {row["event_type"] for row in await events.events()} == {"demo"}


@pytest.mark.parametrize("event_type", ["DECAY", "lead_merged"])
async def test_protected_types_are_refused(acme: Org, database: Database, event_type: str) -> None:
    await database.pool.execute(
        """
        INSERT INTO event_types (unit_id, name, hidden, max_processing_scope, created_at)
        VALUES ($1, $2, false, 'activate', '2026-01-01T00:00:00Z')
        """,
        acme.made.unit_id,
        event_type,
    )
    refused(await acme.http.delete(path(event_type)), 409, "protected_event_type")
    assert (await acme.http.get(path(event_type, dry=True))).status_code == 200


async def test_unknown_and_foreign_types_are_404(events: Org, rival: Org) -> None:
    for org, event_type in ((events, "nonsense"), (rival, "visit")):
        refused(await org.http.delete(path(event_type)), 404)
        refused(await org.http.get(path(event_type, dry=True)), 404)
    assert len(await events.events()) == 15


async def test_graphql_does_it_as_a_job(events: Org) -> None:
    async def ask(query: str) -> Any:
        return (await events.http.post("/graphql", json={"query": query})).json()["data"]

    preview = await ask('{ eventTypeDeletionPreview(eventType: "visit") { events eventScores } }')
    assert preview["eventTypeDeletionPreview"] == {"events": 10, "eventScores": 10}
    job = (await ask('mutation { deleteEventTypeEvents(eventType: "visit") { id kind subject total } }'))[
        "deleteEventTypeEvents"
    ]
    assert (job["kind"], job["subject"], job["total"]) == ("event_type_deletion", "visit", 10)
    while (state := (await ask(f'{{ job(id: "{job["id"]}") {{ status counts {{ name count }} }} }}'))["job"])[
        "status"
    ] != "COMPLETED":
        pass
    assert {each["name"]: each["count"] for each in state["counts"]}["events_deleted"] == 10
