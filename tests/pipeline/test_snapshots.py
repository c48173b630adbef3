"""Score snapshots: written when a score changed, once an hour at most, kept for 90 days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from leadvibe.pipeline.scheduler import JOBS
from leadvibe.store.database import Database
from tests.pipeline.units import Unit, new_unit
from tests.scoring.streams import config

NOW = datetime(2026, 10, 1, 12, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
async def unit(database: Database) -> Unit:
    return await new_unit(database, config())


async def score(unit: Unit, lead_id: str, scores: dict[str, int], updated_at: datetime) -> None:
    await unit.database.pool.execute(
        """
        INSERT INTO leads (unit_id, lead_id, score, scores, session_count, deleting, metadata, created_at, updated_at)
        VALUES ($1, $2, 0, $3, 0, false, '{}', $4, $4)
        ON CONFLICT (unit_id, lead_id) DO UPDATE SET scores = excluded.scores, updated_at = excluded.updated_at
        """,
        unit.unit_id,
        lead_id,
        scores,
        updated_at,
    )


async def run(unit: Unit, now: datetime) -> str:
    return await JOBS["snapshots"].run(unit.database, now)


async def taken(unit: Unit) -> list[tuple[str, str, datetime, int]]:
    rows = await unit.rows(
        """
        SELECT lead_id, ruleset_id, snapshot_at, score FROM score_snapshots WHERE unit_id = $1
        ORDER BY snapshot_at, lead_id, ruleset_id
        """
    )
    return [tuple(row) for row in rows]  # type: ignore[misc]


async def test_every_ruleset_of_every_lead_is_remembered(unit: Unit) -> None:
    await score(unit, "ld_1", {"rs_a": 5, "rs_b": -3}, NOW)
    await score(unit, "ld_2", {"rs_a": 7}, NOW)
    await score(unit, "ld_3", {}, NOW)
    other = await new_unit(unit.database, config())
    await score(other, "ld_1", {"rs_a": 99}, NOW)
    assert (await run(unit, NOW)).startswith("4 scores")
    assert await taken(unit) == [("ld_1", "rs_a", NOW, 5), ("ld_1", "rs_b", NOW, -3), ("ld_2", "rs_a", NOW, 7)]
    assert await taken(other) == [("ld_1", "rs_a", NOW, 99)]


async def test_only_what_changed_is_written(unit: Unit) -> None:
    await score(unit, "ld_1", {"rs_a": 5, "rs_b": 1}, NOW)
    await score(unit, "ld_2", {"rs_a": 7}, NOW)
    await run(unit, NOW)
    await score(unit, "ld_1", {"rs_a": 6, "rs_b": 1}, NOW + timedelta(minutes=50))
    await run(unit, NOW + HOUR)
    await run(unit, NOW + 2 * HOUR)
    assert (await taken(unit))[3:] == [("ld_1", "rs_a", NOW + HOUR, 6)]


async def test_within_an_hour_a_score_is_written_once(unit: Unit) -> None:
    """What changes meanwhile comes with the next hour."""
    await score(unit, "ld_1", {"rs_a": 5}, NOW)
    await run(unit, NOW)
    await score(unit, "ld_1", {"rs_a": 6}, NOW + timedelta(minutes=5))
    await score(unit, "ld_2", {"rs_a": 1}, NOW + timedelta(minutes=5))
    half = NOW + timedelta(minutes=30)
    for _ in range(2):
        await run(unit, half)
    assert await taken(unit) == [("ld_1", "rs_a", NOW, 5), ("ld_2", "rs_a", half, 1)]
    await run(unit, NOW + HOUR)
    assert (await taken(unit))[2:] == [("ld_1", "rs_a", NOW + HOUR, 6)]


async def test_a_lead_that_committed_late_is_still_seen(unit: Unit) -> None:
    await score(unit, "ld_1", {"rs_a": 5}, NOW)
    await run(unit, NOW)
    await score(unit, "ld_2", {"rs_a": 2}, NOW - timedelta(minutes=1))
    await run(unit, NOW + HOUR)
    assert (await taken(unit))[1:] == [("ld_2", "rs_a", NOW + HOUR, 2)]


async def test_leads_merged_away_or_being_deleted_are_left_out(unit: Unit) -> None:
    for n, change in enumerate(("merged_into = 'ld_9'", "deleting = true")):
        await score(unit, f"ld_{n}", {"rs_a": 5}, NOW)
        await unit.database.pool.execute(f"UPDATE leads SET {change} WHERE lead_id = 'ld_{n}'")
    await run(unit, NOW)
    assert await taken(unit) == []


async def test_old_snapshots_go_except_what_tells_the_score_90_days_ago(unit: Unit) -> None:
    for day in (300, 200, 100, 91, 90, 89, 1):
        moment = NOW - timedelta(days=day)
        await score(unit, "ld_2" if day == 300 else "ld_1", {"rs_a": day}, moment)
        await run(unit, moment)
    await run(unit, NOW)
    kept = [(lead_id, (NOW - at).days) for lead_id, _, at, _ in await taken(unit)]
    assert kept == [("ld_2", 300), ("ld_1", 90), ("ld_1", 89), ("ld_1", 1)]
    await run(unit, NOW + timedelta(days=400))
    assert [lead_id for lead_id, *_ in await taken(unit)] == ["ld_2", "ld_1"], "a lead's latest one stays"
