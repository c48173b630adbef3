"""What a merge moves from its sources to its target, set-based. The caller holds the unit's lane."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from asyncpg import Record

from leadvibe.store.event_log import DayCount
from leadvibe.store.queue import AnyConnection


async def lock_leads(connection: AnyConnection, unit_id: str, lead_ids: Sequence[str]) -> dict[str, Record]:
    """The leads that exist and are not being deleted, which nobody changes until the transaction ends."""
    rows = await connection.fetch(
        """
        SELECT lead_id, account_id, owner_id, owner_name, metadata, merged_into, score FROM leads
        WHERE unit_id = $1 AND lead_id = ANY($2::text[]) AND NOT deleting ORDER BY lead_id FOR UPDATE
        """,
        unit_id,
        lead_ids,
    )
    return {row["lead_id"]: row for row in rows}


async def last_but(
    connection: AnyConnection, unit_id: str, lead_ids: Sequence[str], count: int
) -> tuple[datetime, int] | None:
    """Time and seq of the latest event of these leads behind their `count` latest; None when there is none."""
    row = await connection.fetchrow(
        """
        SELECT occurred_at, seq FROM engagement_events WHERE unit_id = $1 AND lead_id = ANY($2::text[])
        ORDER BY occurred_at DESC, seq DESC OFFSET $3 LIMIT 1
        """,
        unit_id,
        lead_ids,
        count,
    )
    return None if row is None else (row["occurred_at"], row["seq"])


async def drop_events(
    connection: AnyConnection, unit_id: str, lead_ids: Sequence[str], before: tuple[datetime, int]
) -> Counter[DayCount]:
    """Removes the leads' events before a (time, seq); what is to be taken off the unit's counts."""
    rows = await connection.fetch(
        """
        WITH dropped AS (
            DELETE FROM engagement_events
            WHERE unit_id = $1 AND lead_id = ANY($2::text[]) AND (occurred_at, seq) < ($3, $4)
            RETURNING occurred_at, event_type, channel
        )
        SELECT (occurred_at AT TIME ZONE 'UTC')::date AS day, event_type, channel, count(*) AS events
        FROM dropped GROUP BY 1, 2, 3
        """,
        unit_id,
        lead_ids,
        *before,
    )
    return day_counts(rows)


def day_counts(rows: Iterable[Record]) -> Counter[DayCount]:
    return Counter({(row["day"], row["event_type"], row["channel"]): row["events"] for row in rows})


async def move_events(connection: AnyConnection, unit_id: str, sources: Sequence[str], target: str) -> int:
    """Gives the sources' events to the target and tells how many there were; each remembers its first lead."""
    status = await connection.execute(
        """
        UPDATE engagement_events SET lead_id = $3, original_lead_id = coalesce(original_lead_id, lead_id)
        WHERE unit_id = $1 AND lead_id = ANY($2::text[])
        """,
        unit_id,
        sources,
        target,
    )
    return int(status.split()[-1])


async def move_belongings(connection: AnyConnection, unit_id: str, sources: Sequence[str], target: str) -> None:
    """Aliases, orders and surges move. No alias can be twice: it belongs to one lead of the unit. The snapshots of
    the sources' scores go: these scores are nobody's any more."""
    for statement in (
        "UPDATE lead_aliases SET lead_id = $3 WHERE unit_id = $1 AND lead_id = ANY($2::text[])",
        "UPDATE orders SET lead_id = $3 WHERE unit_id = $1 AND lead_id = ANY($2::text[])",
        "UPDATE surge_events SET lead_id = $3 WHERE unit_id = $1 AND lead_id = ANY($2::text[])",
    ):
        await connection.execute(statement, unit_id, sources, target)
    await connection.execute(
        "DELETE FROM score_snapshots WHERE unit_id = $1 AND lead_id = ANY($2::text[])", unit_id, sources
    )


async def mark_merged(
    connection: AnyConnection, unit_id: str, sources: Sequence[str], target: str, now: datetime
) -> None:
    """The sources, and the leads once merged into them, now lead straight to the target."""
    await connection.execute(
        """
        UPDATE leads SET merged_into = $3, updated_at = $4, score = 0, scores = '{}', session_count = 0,
                         session_at = NULL, last_event_at = NULL, last_event_type = NULL
        WHERE unit_id = $1 AND (lead_id = ANY($2::text[]) OR merged_into = ANY($2::text[]))
        """,
        unit_id,
        sources,
        target,
        now,
    )


async def fill_target(
    connection: AnyConnection, unit_id: str, target: str, belonging: dict[str, Any], now: datetime
) -> None:
    """Writes what the target has taken over: account_id, owner_id, owner_name and metadata."""
    await connection.execute(
        """
        UPDATE leads SET account_id = $3, owner_id = $4, owner_name = $5, metadata = $6, updated_at = $7
        WHERE unit_id = $1 AND lead_id = $2
        """,
        unit_id,
        target,
        belonging["account_id"],
        belonging["owner_id"],
        belonging["owner_name"],
        belonging["metadata"],
        now,
    )


async def extent(connection: AnyConnection, unit_id: str, lead_ids: Sequence[str]) -> Record:
    """How many events and aliases these leads have together."""
    row = await connection.fetchrow(
        """
        SELECT
            (SELECT count(*) FROM engagement_events WHERE unit_id = $1 AND lead_id = ANY($2::text[])) AS events,
            (SELECT count(*) FROM lead_aliases WHERE unit_id = $1 AND lead_id = ANY($2::text[])) AS aliases
        """,
        unit_id,
        lead_ids,
    )
    assert row is not None
    return row
