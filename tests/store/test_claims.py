"""Taking from a queue costs what is taken, whatever the planner believes of the queue."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from leadvibe.store import queue, segment_members
from leadvibe.store.database import BY_KEY_ONLY, Database, connect
from tests.pipeline.units import body, new_unit
from tests.scoring.streams import config, ruleset

WAITING, MOST = 10_000, 4_000
WORLD = config(ruleset("rs_a", view=1))


async def _touch(connection: Any, unit_id: str, lead_ids: Sequence[str]) -> None:
    await connection.execute(
        "INSERT INTO segment_touched (unit_id, lead_id) SELECT $1, unnest($2::text[])", unit_id, lead_ids
    )


@pytest.fixture
async def believer(database: Database) -> AsyncIterator[Any]:
    """A worker's connection, to a database that looked at its queues when another unit's rows were in them."""
    other = await new_unit(database, WORLD)
    await other.accept(*(body() for _ in range(100)))
    await _touch(database.pool, other.unit_id, [f"ld_{i}" for i in range(100)])
    await database.pool.execute("ANALYZE ingest_queue, segment_touched")
    connection = await connect(database.url, planner=BY_KEY_ONLY | {"statement_timeout": "2s"})
    yield connection
    await connection.close()


async def test_the_oldest_events_of_a_burst_are_taken_at_once(database: Database, believer: Any) -> None:
    unit = await new_unit(database, WORLD)
    await unit.accept(*(body(event_id=f"e{i}") for i in range(WAITING)))
    taken = await queue.claim(believer, unit.unit_id, MOST)
    assert [row["event_id"] for row in taken] == [f"e{i}" for i in range(MOST)]
    assert len(await queue.claim(believer, unit.unit_id, WAITING)) == WAITING - MOST
    assert await queue.claim(believer, unit.unit_id, MOST) == []


async def test_touched_leads_are_taken_at_once(database: Database, believer: Any) -> None:
    unit = await new_unit(database, WORLD)
    names = [f"ld_{i:05}" for i in range(WAITING)]
    await _touch(believer, unit.unit_id, names)
    assert sorted(await segment_members.claim_touched(believer, unit.unit_id, MOST)) == names[:MOST]
    assert len(await segment_members.claim_touched(believer, unit.unit_id, WAITING)) == WAITING - MOST
    assert await segment_members.claim_touched(believer, unit.unit_id, MOST) == []
