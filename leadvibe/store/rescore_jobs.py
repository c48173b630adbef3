"""What the table of jobs says of rescorings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from asyncpg import Record

from leadvibe.store.database import Database
from leadvibe.store.queue import AnyConnection

_KIND = "rescore"


async def add(database: Database, unit_id: str, job_id: str, actor: str | None, now: datetime) -> int:
    """Notes a rescoring of all leads that the unit has now; their number."""
    return int(
        await database.pool.fetchval(
            """
            INSERT INTO jobs AS j (unit_id, job_id, kind, subject, status, done, failed, total, problems, created_by,
                                   created_at, updated_at)
            SELECT $1, $2, $3, '', 'pending', 0, 0, l.lead_count, '[]', $4, $5, $5 FROM lanes l WHERE l.unit_id = $1
            ON CONFLICT (unit_id, job_id) DO NOTHING
            RETURNING total
            """,
            unit_id,
            job_id,
            _KIND,
            actor,
            now,
        )
    )


async def unfinished(connection: AnyConnection, unit_id: str, job_id: str) -> Record | None:
    """How many leads are done and which is the last of them, while the job has not ended."""
    return await connection.fetchrow(
        """
        SELECT done, last_subject FROM jobs
        WHERE unit_id = $1 AND job_id = $2 AND status IN ('pending', 'running') FOR UPDATE
        """,
        unit_id,
        job_id,
    )


async def advance(connection: AnyConnection, unit_id: str, job_id: str, leads: Sequence[str], now: datetime) -> None:
    """These leads are done, in their order; without any, all are."""
    await connection.execute(
        """
        UPDATE jobs SET status = CASE WHEN $3::text IS NULL THEN 'completed' ELSE 'running' END,
                        done = done + $4, last_subject = coalesce($3, last_subject), updated_at = $5
        WHERE unit_id = $1 AND job_id = $2
        """,
        unit_id,
        job_id,
        leads[-1] if leads else None,
        len(leads),
        now,
    )


async def cancel(database: Database, unit_id: str, job_id: str, now: datetime) -> bool:
    """Whether it was a rescoring that had not ended, and now is cancelled."""
    status = await database.pool.execute(
        """
        UPDATE jobs SET status = 'cancelled', updated_at = $4
        WHERE unit_id = $1 AND job_id = $2 AND kind = $3 AND status IN ('pending', 'running')
        """,
        unit_id,
        job_id,
        _KIND,
        now,
    )
    return status == "UPDATE 1"


async def stale(database: Database, before: datetime) -> Sequence[Record]:
    """The unfinished rescorings of all units that nobody has worked at since `before`, as (unit_id, job_id)."""
    return await database.pool.fetch(
        """
        SELECT unit_id, job_id FROM jobs
        WHERE kind = $1 AND status IN ('pending', 'running') AND updated_at < $2 ORDER BY unit_id, created_at
        """,
        _KIND,
        before,
    )
