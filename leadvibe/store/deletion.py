"""What the deletion of a lead removes. The caller holds the unit's lane."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from asyncpg import Record

from leadvibe.store.event_log import DayCount
from leadvibe.store.merging import day_counts
from leadvibe.store.queue import AnyConnection

_BELONGINGS = (
    "DELETE FROM lead_aliases WHERE unit_id = $1 AND lead_id = $2",
    "DELETE FROM orders WHERE unit_id = $1 AND lead_id = $2",
    "DELETE FROM score_snapshots WHERE unit_id = $1 AND lead_id = $2",
    "DELETE FROM surge_events WHERE unit_id = $1 AND lead_id = $2",
    "DELETE FROM trigger_firings WHERE unit_id = $1 AND lead_id = $2",
)


async def mark_deleting(connection: AnyConnection, unit_id: str, lead_id: str, now: datetime) -> Record | None:
    """Hides the lead and forgets what is known of it; its `merged_into`, or None when there is no such lead."""
    return await connection.fetchrow(
        """
        UPDATE leads SET deleting = true, updated_at = $3, metadata = '{}', account_id = NULL, owner_id = NULL,
                         owner_name = NULL, score = 0, scores = '{}', session_count = 0, session_at = NULL,
                         last_event_at = NULL, last_event_type = NULL, decay_from = NULL, decay_cycles = NULL,
                         profile_score = 0, profile_scores = '{}'
        WHERE unit_id = $1 AND lead_id = $2 AND NOT deleting
        RETURNING merged_into
        """,
        unit_id,
        lead_id,
        now,
    )


async def remove_merged(connection: AnyConnection, unit_id: str, lead_id: str) -> None:
    """Removes the leads that were merged into this one, and what their triggers fired: they are the same person."""
    for statement in (
        "DELETE FROM trigger_firings WHERE unit_id = $1"
        " AND lead_id IN (SELECT lead_id FROM leads WHERE unit_id = $1 AND merged_into = $2)",
        "DELETE FROM leads WHERE unit_id = $1 AND merged_into = $2",
    ):
        await connection.execute(statement, unit_id, lead_id)


async def remove_belongings(connection: AnyConnection, unit_id: str, lead_id: str) -> None:
    for statement in _BELONGINGS:
        await connection.execute(statement, unit_id, lead_id)


async def add_job(
    connection: AnyConnection, unit_id: str, job_id: str, lead_id: str, up_to_seq: int, actor: str, now: datetime
) -> None:
    await connection.execute(
        """
        INSERT INTO jobs (unit_id, job_id, kind, subject, status, done, failed, up_to_seq, problems, created_by,
                          created_at, updated_at)
        VALUES ($1, $2, 'lead_deletion', $3, 'pending', 0, 0, $4, '[]', $5, $6, $6)
        """,
        unit_id,
        job_id,
        lead_id,
        up_to_seq,
        actor,
        now,
    )


async def unfinished(connection: AnyConnection, unit_id: str, job_id: str) -> Record | None:
    """The lead and the last event of a deletion, unless it is completed."""
    return await connection.fetchrow(
        "SELECT subject, up_to_seq FROM jobs WHERE unit_id = $1 AND job_id = $2 AND status <> 'completed'",
        unit_id,
        job_id,
    )


async def stale(connection: AnyConnection, before: datetime) -> Sequence[Record]:
    """The unfinished deletions of all units that nobody has worked at since `before`, as (unit_id, job_id)."""
    return await connection.fetch(
        """
        SELECT unit_id, job_id FROM jobs
        WHERE kind = 'lead_deletion' AND status <> 'completed' AND updated_at < $1 ORDER BY unit_id, created_at
        """,
        before,
    )


async def advance_job(
    connection: AnyConnection,
    unit_id: str,
    job_id: str,
    status: str,
    done: int,
    now: datetime,
    error: str | None = None,
) -> None:
    await connection.execute(
        """
        UPDATE jobs SET status = $3, done = done + $4, updated_at = $5, error = $6
        WHERE unit_id = $1 AND job_id = $2 AND status <> 'completed'
        """,
        unit_id,
        job_id,
        status,
        done,
        now,
        error,
    )


async def remove_events(
    connection: AnyConnection, unit_id: str, lead_id: str, up_to_seq: int, most: int
) -> Counter[DayCount]:
    """Removes the oldest of the lead's events that arrived up to `up_to_seq`: `most` of them, or a few more
    if they are of one moment. What is to be taken off the unit's counts."""
    rows = await connection.fetch(
        """
        WITH removed AS (
            DELETE FROM engagement_events
            WHERE unit_id = $1 AND lead_id = $2 AND seq <= $3 AND occurred_at <= coalesce((
                SELECT occurred_at FROM engagement_events
                WHERE unit_id = $1 AND lead_id = $2 AND seq <= $3 ORDER BY occurred_at OFFSET $4 LIMIT 1
            ), 'infinity')
            RETURNING occurred_at, event_type, channel
        )
        SELECT (occurred_at AT TIME ZONE 'UTC')::date AS day, event_type, channel, count(*) AS events
        FROM removed GROUP BY 1, 2, 3
        """,
        unit_id,
        lead_id,
        up_to_seq,
        most - 1,
    )
    return day_counts(rows)


async def has_events(connection: AnyConnection, unit_id: str, lead_id: str) -> bool:
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM engagement_events WHERE unit_id = $1 AND lead_id = $2)", unit_id, lead_id
        )
    )


async def remove_lead(connection: AnyConnection, unit_id: str, lead_id: str) -> None:
    await connection.execute("DELETE FROM leads WHERE unit_id = $1 AND lead_id = $2 AND deleting", unit_id, lead_id)


async def revive_lead(connection: AnyConnection, unit_id: str, lead_id: str, now: datetime) -> None:
    """The lead begins anew with the events that it still has."""
    await connection.execute(
        """
        UPDATE leads SET deleting = false, merged_into = NULL, created_at = $3, updated_at = $3
        WHERE unit_id = $1 AND lead_id = $2
        """,
        unit_id,
        lead_id,
        now,
    )
