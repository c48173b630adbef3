"""The audit trail keeps within its bounds, loses nothing that the database takes late, and tells what it lost."""

from __future__ import annotations

import time
from typing import Any

import pytest

from leadvibe import metrics
from leadvibe.pipeline.audit_trail import MOST_ALIKE, AuditTrail, Kind, Note
from leadvibe.pipeline.audit_words import sentence, verb_of
from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.store.database import Database


def note(made: Bootstrapped, number: int, **fields: Any) -> Note:
    kind = Kind(
        made.org_id, made.unit_id, made.org_member_id, "ada@acme.example", "GET", f"/n/{number}", 200, None, "::1"
    )
    return Note(kind._replace(**fields), time.time(), 0.001 * number, f"req_{number}")


async def paths(database: Database) -> list[str]:
    rows = await database.pool.fetch("SELECT path FROM audit_log ORDER BY latency_ms")
    return [row["path"] for row in rows]


async def test_what_does_not_fit_is_counted_and_told(
    database: Database, acme: Bootstrapped, caplog: pytest.LogCaptureFixture
) -> None:
    trail, before = AuditTrail(database, capacity=3), metrics.audit_dropped._value.get()
    for number in range(5):
        trail.add(note(acme, number))
    await trail.stop()
    assert await paths(database) == ["/n/0", "/n/1", "/n/2"]
    assert metrics.audit_dropped._value.get() - before == 2
    assert "2 requests are missing" in caplog.text


async def test_a_database_that_comes_back_gets_all(database: Database, acme: Bootstrapped) -> None:
    trail = AuditTrail(database)
    trail.add(note(acme, 0))
    await database.pool.execute("ALTER TABLE audit_log RENAME TO away")
    await trail.flush()
    trail.add(note(acme, 1))
    await database.pool.execute("ALTER TABLE away RENAME TO audit_log")
    await trail.flush()
    assert await paths(database) == ["/n/0", "/n/1"]


async def test_a_request_without_a_unit_stands_with_the_default_one(database: Database, acme: Bootstrapped) -> None:
    trail = AuditTrail(database)
    trail.add(note(acme, 0, unit_id=None))
    trail.add(note(acme, 1, unit_id=None, org_id="org_gone"))
    await trail.flush()
    rows = await database.pool.fetch("SELECT unit_id, user_email FROM audit_log")
    assert [tuple(row) for row in rows] == [(acme.unit_id, "ada@acme.example")]


async def test_whatever_a_client_sends_can_be_written(database: Database, acme: Bootstrapped) -> None:
    trail = AuditTrail(database)
    trail.add(note(acme, 0, path="/\0" + "ä" * 5_000))
    await trail.flush()
    assert await paths(database) == ["/\ufffd" + "ä" * 498]


async def test_a_flood_of_like_requests_is_one_entry_of_the_slowest(database: Database, acme: Bootstrapped) -> None:
    trail = AuditTrail(database)
    for number in range(MOST_ALIKE + 1):
        trail.add(note(acme, number, path="/flood"))
        trail.add(note(acme, number, path="/flood", status=503))
    for number in range(MOST_ALIKE):
        trail.add(note(acme, number, path="/calm"))
    await trail.flush()
    rows = await database.pool.fetch("SELECT path, status, requests, latency_ms, request_id FROM audit_log")
    floods = sorted(tuple(row) for row in rows if row["path"] == "/flood")
    assert floods == [("/flood", status, 21, 20, "req_20") for status in (200, 503)]
    assert sum(row["path"] == "/calm" and row["requests"] == 1 for row in rows) == MOST_ALIKE


@pytest.mark.parametrize(
    ("method", "path", "mutates", "fields", "verb", "told"),
    [
        ("GET", "/leads", False, (), "Viewed", "ada viewed leads"),
        ("POST", "/rules", False, (), "Created", "ada created scoring rule"),
        ("PUT", "/rules/rl_1", False, (), "Updated", "ada updated scoring rule rl_1"),
        ("DELETE", "/stages/st_1", False, (), "Deleted", "ada deleted engagement level st_1"),
        ("POST", "/leads/merge", False, (), "Merged", "ada merged leads"),
        ("GET", "/events/export", False, (), "Exported", "ada exported events"),
        ("POST", "/leads/merge/preview", False, (), "Viewed", "ada viewed leads"),
        ("POST", "/graphql", False, ("leads", "usage"), "Viewed", "ada viewed leads, usage"),
        ("POST", "/graphql", True, ("createRule",), "Created", "ada created rule"),
        ("POST", "/graphql", True, ("mergeLeads",), "Merged", "ada merged leads"),
        ("POST", "/graphql", True, ("setActiveUnit",), "Updated", "ada updated active unit"),
    ],
)
def test_words(method: str, path: str, mutates: bool, fields: tuple[str, ...], verb: str, told: str) -> None:
    assert verb_of(method, path, mutates, fields) == verb
    assert sentence("ada", verb, path, fields, 200) == told
