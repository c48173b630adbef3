"""The outbox as the delivery processes see it: claim what is due, write down how it went, put back the rest.

A claim is a lease: `due_at` moves to its end. What a killed process had in hand is due again then, and
`attempts` tells the try that still counts from one that was overtaken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from asyncpg import Record

from leadvibe.store.queue import AnyConnection

DELIVERER_NAME = "leadvibe-deliverer"

_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Result:
    """How a try ended. `outcome`: delivered, failed or refused; `retry_at`: when to try again, None is never.

    `counts` is false for a try that the process itself broke off.
    """

    delivery_id: str
    attempt: int
    outcome: str
    status_code: int | None
    error: str | None
    started_at: datetime
    seconds: float
    retry_at: datetime | None
    counts: bool = True

    @property
    def status(self) -> str:
        if self.outcome == "delivered":
            return "delivered"
        return "dead" if self.retry_at is None else "waiting"


async def units_with_due(connection: AnyConnection, now: datetime) -> list[str]:
    rows = await connection.fetch(
        """
        SELECT l.unit_id FROM lanes l
        WHERE EXISTS (SELECT FROM deliveries d WHERE d.unit_id = l.unit_id AND d.due_at <= $1)
        """,
        now,
    )
    return [row["unit_id"] for row in rows]


async def due_destinations(connection: AnyConnection, unit_id: str, now: datetime) -> list[str]:
    """Which queues of the unit have something due. It reads two index entries of each, however long they are."""
    rows = await connection.fetch(
        """
        WITH RECURSIVE queue AS (
            (SELECT destination FROM deliveries WHERE unit_id = $1 AND due_at IS NOT NULL
             ORDER BY destination LIMIT 1)
            UNION ALL
            SELECT (SELECT d.destination FROM deliveries d
                    WHERE d.unit_id = $1 AND d.due_at IS NOT NULL AND d.destination > q.destination
                    ORDER BY d.destination LIMIT 1)
            FROM queue q WHERE q.destination IS NOT NULL
        )
        SELECT q.destination FROM queue q
        WHERE EXISTS (
            SELECT FROM deliveries d WHERE d.unit_id = $1 AND d.destination = q.destination AND d.due_at <= $2
        )
        """,
        unit_id,
        now,
    )
    return [row["destination"] for row in rows]


async def claim(
    connection: AnyConnection, unit_id: str, destination: str, now: datetime, lease: timedelta, most: int
) -> list[Record]:
    """Takes the deliveries of a queue that are longest due; they are this process's until the lease ends."""
    return await connection.fetch(
        """
        WITH due AS MATERIALIZED (
            SELECT delivery_id FROM deliveries WHERE unit_id = $1 AND destination = $2 AND due_at <= $3
            ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED
        )
        UPDATE deliveries d SET status = 'sending', attempts = d.attempts + 1, due_at = $5
        FROM due WHERE d.unit_id = $1 AND d.delivery_id = due.delivery_id
        RETURNING d.delivery_id, d.firing_id, d.trigger_type, d.channel, d.destination, d.target, d.payload,
                  d.attempts, d.tries_left, d.received_at
        """,
        unit_id,
        destination,
        now,
        most,
        now + lease,
    )


async def finish(connection: AnyConnection, unit_id: str, results: Sequence[Result], now: datetime) -> None:
    """Writes the results and the log of tries. A delivery that somebody else took meanwhile stays theirs."""
    keys = [result.delivery_id for result in results], [result.attempt for result in results]
    codes, errors = [result.status_code for result in results], [result.error for result in results]
    async with connection.transaction():
        await connection.execute(
            """
            UPDATE deliveries d SET status = t.status, due_at = t.due_at, status_code = t.status_code,
                error = t.error, tries_left = d.tries_left - t.tries, finished_at = t.finished_at
            FROM unnest($2::text[], $3::integer[], $4::text[], $5::timestamptz[], $6::integer[], $7::text[],
                        $8::integer[], $9::timestamptz[])
                 AS t (delivery_id, attempt, status, due_at, status_code, error, tries, finished_at)
            WHERE d.unit_id = $1 AND d.delivery_id = t.delivery_id AND d.attempts = t.attempt
                AND d.status = 'sending'
            """,
            unit_id,
            *keys,
            [result.status for result in results],
            [result.retry_at for result in results],
            codes,
            errors,
            [int(result.counts) for result in results],
            [now if result.retry_at is None else None for result in results],
        )
        await connection.execute(
            """
            INSERT INTO delivery_attempts AS a
                (unit_id, delivery_id, number, started_at, seconds, outcome, status_code, error)
            SELECT $1, t.delivery_id, t.number, t.started_at, t.seconds, t.outcome, t.status_code, t.error
            FROM unnest($2::text[], $3::integer[], $4::timestamptz[], $5::float8[], $6::text[], $7::integer[],
                        $8::text[])
                 AS t (delivery_id, number, started_at, seconds, outcome, status_code, error)
            ON CONFLICT (unit_id, delivery_id, number) DO NOTHING
            """,
            unit_id,
            *keys,
            [result.started_at for result in results],
            [result.seconds for result in results],
            [result.outcome for result in results],
            codes,
            errors,
        )


async def waiting(connection: AnyConnection) -> dict[str, int]:
    """How many deliveries are not finished, by channel."""
    rows = await connection.fetch("SELECT channel, count(*) FROM deliveries WHERE due_at IS NOT NULL GROUP BY channel")
    return {row["channel"]: row["count"] for row in rows}


async def give_up(connection: AnyConnection, unit_id: str, before: datetime, now: datetime) -> int:
    """Declares dead what was asked for before a time and still waits; how many."""
    status = await connection.execute(
        """
        UPDATE deliveries SET status = 'dead', due_at = NULL, finished_at = $3,
            error = coalesce(error, 'The receiver was not reached in time.')
        WHERE unit_id = $1 AND status = 'waiting' AND created_at < $2 AND queued_at < $2
        """,
        unit_id,
        before,
        now,
    )
    return int(status.split()[-1])


async def purge(connection: AnyConnection, unit_id: str, before: datetime) -> int:
    """Forgets finished deliveries made before a time, with their tries; how many, some thousand at most."""
    async with connection.transaction():
        rows = await connection.fetch(
            """
            DELETE FROM deliveries WHERE unit_id = $1 AND delivery_id IN (
                SELECT delivery_id FROM deliveries WHERE unit_id = $1 AND created_at < $2 AND due_at IS NULL
                ORDER BY created_at LIMIT $3
            ) RETURNING delivery_id
            """,
            unit_id,
            before,
            _AT_ONCE,
        )
        await connection.execute(
            "DELETE FROM delivery_attempts WHERE unit_id = $1 AND delivery_id = ANY($2::text[])",
            unit_id,
            [row["delivery_id"] for row in rows],
        )
    return len(rows)
