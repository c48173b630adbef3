"""What the table of jobs says of work that goes through a unit step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from asyncpg import Record

from leadvibe.store.database import Database
from leadvibe.store.queue import AnyConnection


async def add(
    database: Database,
    unit_id: str,
    job_id: str,
    kind: str,
    of_events: bool,
    actor: str | None,
    now: datetime,
    subject: str = "",
    total: int | None = None,
) -> int:
    """Notes a job about what the unit has now: `total` of a subject, else all leads or all events; how many."""
    return int(
        await database.pool.fetchval(
            """
            INSERT INTO jobs AS j (unit_id, job_id, kind, subject, status, done, failed, total, up_to_seq, problems,
                                   counts, created_by, created_at, updated_at)
            SELECT $1, $2, $3, $7, 'pending', 0, 0,
                   coalesce($8::bigint, CASE WHEN $4 THEN l.last_seq ELSE l.lead_count END), l.last_seq,
                   '[]', '{}', $5, $6, $6
            FROM lanes l WHERE l.unit_id = $1
            ON CONFLICT (unit_id, job_id) DO NOTHING
            RETURNING total
            """,
            unit_id,
            job_id,
            kind,
            of_events,
            actor,
            now,
            subject,
            total,
        )
    )


async def unfinished(connection: AnyConnection, unit_id: str, job_id: str) -> Record | None:
    """`done`, `subject`, `last_subject`, `up_to_seq` and `counts` of a job that has not ended; its row is then the
    caller's until the transaction ends."""
    return await connection.fetchrow(
        """
        SELECT done, subject, last_subject, up_to_seq, counts FROM jobs
        WHERE unit_id = $1 AND job_id = $2 AND status IN ('pending', 'running') FOR UPDATE
        """,
        unit_id,
        job_id,
    )


async def advance(
    connection: AnyConnection,
    unit_id: str,
    job_id: str,
    last_subject: str | None,
    done: int,
    counts: Mapping[str, int],
    now: datetime,
) -> None:
    """So much is done in all, up to `last_subject`, and counted; without a `last_subject` all is."""
    await connection.execute(
        """
        UPDATE jobs SET status = CASE WHEN $3::text IS NULL THEN 'completed' ELSE 'running' END,
                        last_subject = coalesce($3, last_subject), done = $4, counts = $5, updated_at = $6
        WHERE unit_id = $1 AND job_id = $2
        """,
        unit_id,
        job_id,
        last_subject,
        done,
        counts,
        now,
    )


async def cancel(database: Database, unit_id: str, job_id: str, kinds: Sequence[str], now: datetime) -> bool:
    """Whether it was a job of these kinds that had not ended, and now is cancelled."""
    status = await database.pool.execute(
        """
        UPDATE jobs SET status = 'cancelled', updated_at = $4
        WHERE unit_id = $1 AND job_id = $2 AND kind = ANY($3::text[]) AND status IN ('pending', 'running')
        """,
        unit_id,
        job_id,
        kinds,
        now,
    )
    return status == "UPDATE 1"


async def stale(database: Database, kinds: Sequence[str], before: datetime) -> Sequence[Record]:
    """The unfinished jobs of all units that nobody has worked at since `before`, as (unit_id, job_id, kind)."""
    return await database.pool.fetch(
        """
        SELECT unit_id, job_id, kind FROM jobs
        WHERE kind = ANY($1::text[]) AND status IN ('pending', 'running') AND updated_at < $2
        ORDER BY unit_id, created_at
        """,
        kinds,
        before,
    )
