"""What the table of jobs says of imports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from leadvibe.store.database import Database

KIND = "import"

_INTERRUPTED = "The import was interrupted after %s rows; import the file again: rows with an event_id are not doubled."


async def add(database: Database, unit_id: str, job_id: str, subject: str, actor: str | None, now: datetime) -> None:
    await database.pool.execute(
        """
        INSERT INTO jobs (unit_id, job_id, kind, subject, status, done, failed, problems, created_by,
                          created_at, updated_at)
        VALUES ($1, $2, $3, $4, 'pending', 0, 0, '[]', $5, $6, $6)
        """,
        unit_id,
        job_id,
        KIND,
        subject,
        actor,
        now,
    )


async def advance(
    database: Database, unit_id: str, job_id: str, done: int, failed: int, problems: Sequence[Any], now: datetime
) -> None:
    """Tells how far a running import is; one that has ended stays as it is."""
    await database.pool.execute(
        """
        UPDATE jobs SET status = 'running', done = $3, failed = $4, problems = $5, updated_at = $6
        WHERE unit_id = $1 AND job_id = $2 AND status IN ('pending', 'running')
        """,
        unit_id,
        job_id,
        done,
        failed,
        problems,
        now,
    )


async def end(
    database: Database,
    unit_id: str,
    job_id: str,
    done: int,
    failed: int,
    problems: Sequence[Any],
    error: str | None,
    now: datetime,
) -> None:
    """The last word on an import: completed, or failed when there is an error."""
    await database.pool.execute(
        """
        UPDATE jobs SET status = CASE WHEN $6::text IS NULL THEN 'completed' ELSE 'failed' END,
                        done = $3, failed = $4, problems = $5, error = $6, updated_at = $7
        WHERE unit_id = $1 AND job_id = $2
        """,
        unit_id,
        job_id,
        done,
        failed,
        problems,
        error,
        now,
    )


async def fail_stale(database: Database, before: datetime, now: datetime) -> int:
    """Marks the imports of all units that gave no sign of life since `before` as failed; how many."""
    stale = await database.pool.fetch(
        """
        SELECT unit_id, job_id, done FROM jobs
        WHERE kind = $1 AND status IN ('pending', 'running') AND updated_at < $2
        """,
        KIND,
        before,
    )
    for job in stale:
        await database.pool.execute(
            """
            UPDATE jobs SET status = 'failed', error = $3, updated_at = $4
            WHERE unit_id = $1 AND job_id = $2 AND status IN ('pending', 'running') AND updated_at < $5
            """,
            job["unit_id"],
            job["job_id"],
            _INTERRUPTED % job["done"],
            now,
            before,
        )
    return len(stale)
