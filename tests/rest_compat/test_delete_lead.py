"""Deleting a lead over REST: asked for, followed, gone."""

from __future__ import annotations

import asyncio
from typing import Any

from leadvibe.store.database import Database
from tests.rest_compat.conftest import Org, Scoring, add_unit, refused

EMAIL = {"alias_kind": "email", "raw_value": "jane@example.com"}
DEMO = {"event_type": "demo", "lead_id": "ld_1"}


async def finished(org: Org, lead_id: str = "ld_1") -> dict[str, Any]:
    """The status of a deletion when it is over; it is asked for again and again, as a client does."""
    async with asyncio.timeout(30):
        while True:
            response = await org.http.get(f"/lead/{lead_id}/deletion-status")
            assert response.status_code == 200, response.text
            body: dict[str, Any] = response.json()
            assert body["status"] in ("pending", "running", "completed")
            if body["status"] == "completed":
                return body


async def test_a_lead_is_deleted(acme: Org, scoring: Scoring, database: Database) -> None:
    await acme.rule("demo", 10)
    await acme.ingest(DEMO | {"aliases": [EMAIL]}, DEMO, {"event_type": "demo", "lead_id": "ld_2"})
    await scoring.finish()
    response = await acme.http.delete("/lead/ld_1")
    assert response.status_code == 200
    assert response.json() == {"message": "Lead deletion initiated", "lead_id": "ld_1"}
    for path in ("/lead/ld_1", "/leads/ld_1", "/score/ld_1", "/lead/ld_1/aliases"):
        refused(await acme.http.get(path), 404, "not_found")
    refused(await acme.http.delete("/lead/ld_1"), 404, "not_found")
    status = await finished(acme)
    assert (status["lead_id"], status["deleted_events"], status["error"]) == ("ld_1", 2, None)
    assert {event["lead_id"] for event in await acme.events()} == {"ld_2"}
    assert [lead["lead_id"] for lead in (await acme.http.get("/leads")).json()["leads"]] == ["ld_2"]
    for q in ("ld_1", "jane"):
        assert (await acme.http.get("/leads/search", params={"q": q})).json() == []
    lane = await database.pool.fetchrow("SELECT lead_count FROM lanes WHERE unit_id = $1", acme.made.unit_id)
    assert lane is not None and lane["lead_count"] == 1


async def test_the_id_and_the_alias_are_free_again(acme: Org, scoring: Scoring) -> None:
    await acme.rule("demo", 10)
    await acme.ingest(DEMO | {"aliases": [EMAIL]})
    await scoring.finish()
    await acme.http.delete("/lead/ld_1")
    await finished(acme)
    assert (await acme.http.post("/leads", json={"id": "ld_1"})).status_code == 201
    await acme.ingest({"event_type": "demo", "lead_id": "ld_2", "aliases": [EMAIL]})
    await scoring.finish()
    assert (await acme.score("ld_1"), await acme.score("ld_2")) == (0, 10)
    assert [row["value"] for row in (await acme.http.get("/lead/ld_2/aliases")).json()] == ["jane@example.com"]
    assert (await finished(acme))["status"] == "completed", "it keeps answering"


async def test_a_deletion_that_nobody_asked_for_has_no_status(acme: Org, rival: Org, database: Database) -> None:
    await acme.http.post("/leads", json={"id": "ld_1"})
    refused(await acme.http.get("/lead/ld_1/deletion-status"), 404, "not_found")
    refused(await acme.http.get("/lead/nobody/deletion-status"), 404, "not_found")
    refused(await acme.http.delete("/lead/nobody"), 404, "not_found")
    refused(await rival.http.delete("/lead/ld_1"), 404, "not_found")
    other = await add_unit(database, acme.made, "Owner")
    refused(await acme.http.delete("/lead/ld_1", headers={"X-Unit-Id": other}), 404, "not_found")
    mine = {"X-Unit-Id": acme.made.unit_id}
    assert (await acme.http.delete("/lead/ld_1", headers=mine)).status_code == 200
    refused(await rival.http.get("/lead/ld_1/deletion-status"), 404, "not_found")
    refused(await acme.http.get("/lead/ld_1/deletion-status", headers={"X-Unit-Id": other}), 404, "not_found")
    assert (await acme.http.delete("/leads/ld_1", headers=mine)).status_code == 405
