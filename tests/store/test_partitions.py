"""Monthly partitions of the event log."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from leadvibe.store.database import Database
from leadvibe.store.partitions import Month, existing_months, make_partitions, month_of, months_ahead

MONTHS: list[Month] = [(1970, 1), (1999, 12), (2000, 1), (2024, 2), (2026, 12)]


async def make(database: Database, months: list[Month]) -> None:
    async with database.pool.acquire() as connection:
        await make_partitions(connection, months)


async def bounds(database: Database) -> dict[str, str]:
    rows = await database.pool.fetch(
        """
        SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) AS bound
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'engagement_events'::regclass
        """
    )
    return {row["relname"]: row["bound"] for row in rows}


async def test_partitions_are_made_once(database: Database) -> None:
    await make(database, MONTHS)
    made = await bounds(database)
    assert set(MONTHS) <= await existing_months(database.pool)
    await make(database, MONTHS)
    await make(database, [*MONTHS, *MONTHS])
    assert await bounds(database) == made


async def test_many_may_make_the_same_partitions_at_once(database: Database) -> None:
    await asyncio.gather(*(make(database, MONTHS[i:] + MONTHS[:i]) for i in range(5) for _ in range(4)))
    assert set(MONTHS) <= await existing_months(database.pool)


async def test_a_failure_leaves_no_lock_behind(database: Database) -> None:
    with pytest.raises(ValueError, match="month must be"):
        await make(database, [(2024, 13)])
    async with asyncio.timeout(10):
        await make(database, [(2024, 12)])


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
async def test_a_month_is_a_month_of_utc_whatever_the_servers_time_zone_is(database: Database, zone: str) -> None:
    async with database.pool.acquire() as connection:
        await connection.execute(f"SET TIME ZONE '{zone}'")
        await make_partitions(connection, [(2024, 2), (2024, 12)])
        await connection.execute("RESET TIME ZONE")
        rows = [(datetime(2024, 2, 1, tzinfo=UTC), 1), (datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC), 2)]
        rows += [(datetime(2024, 12, 31, 23, 59, 59, tzinfo=UTC), 3)]
        for at, seq in rows:
            await connection.execute(
                """
                INSERT INTO engagement_events (unit_id, occurred_at, seq, event_id, event_type, channel, metadata,
                                               observed, received_at, processed_at)
                VALUES ('u', $1, $2, 'e', 'view', 'web', '{}', false, $1, $1)
                """,
                at,
                seq,
            )
        found = await connection.fetch("SELECT seq, tableoid::regclass::text AS part FROM engagement_events")
    assert {row["seq"]: row["part"] for row in found} == {
        1: "engagement_events_2024_02",
        2: "engagement_events_2024_02",
        3: "engagement_events_2024_12",
    }


def test_months_ahead_go_over_the_end_of_the_year() -> None:
    assert months_ahead(datetime(2026, 11, 30, tzinfo=UTC), 3) == [(2026, 11), (2026, 12), (2027, 1), (2027, 2)]
    assert months_ahead(datetime(2026, 1, 1, tzinfo=UTC), 0) == [(2026, 1)]
    assert month_of(datetime(2026, 12, 31, 23, tzinfo=UTC)) == (2026, 12)
