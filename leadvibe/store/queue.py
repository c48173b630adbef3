"""The ingest queue: accepted events wait here for their scoring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from asyncpg import Connection, Record
from asyncpg.pool import PoolConnectionProxy

AnyConnection: TypeAlias = "Connection[Record] | PoolConnectionProxy[Record]"

# What wakes the workers, and the name by which their connections are known.
WAKE_CHANNEL = "leadvibe_ingest"
WORKER_NAME = "leadvibe-worker"

_COLUMNS = (
    "unit_id",
    "event_id",
    "lead_id",
    "aliases",
    "event_type",
    "occurred_at",
    "received_at",
    "metadata",
    "skip_triggers",
)


class Queueable(Protocol):
    """An event as the queue takes it."""

    event_id: str
    lead_id: str | None
    aliases: list[list[str]]
    event_type: str
    occurred_at: datetime
    received_at: datetime
    metadata: dict[str, Any]
    skip_triggers: bool


class Keyed(Protocol):
    """An event that its sender named."""

    event_id: str
    received_at: datetime
    digest: bytes


async def enqueue(connection: AnyConnection, unit_id: str, events: Sequence[Queueable]) -> None:
    """Appends the events in their order. No row can violate a constraint, as COPY asks."""
    rows = [
        (
            unit_id,
            event.event_id,
            event.lead_id,
            event.aliases,
            event.event_type,
            event.occurred_at,
            event.received_at,
            event.metadata,
            event.skip_triggers,
        )
        for event in events
    ]
    await connection.copy_records_to_table("ingest_queue", records=rows, columns=_COLUMNS)


async def claim_keys(connection: AnyConnection, unit_id: str, keyed: dict[str, Keyed]) -> dict[str, tuple[bytes, str]]:
    """Writes the keys that are new; returns digest and event id of those that were known.

    Sorted, so that two processes with the same keys wait for each other and never deadlock.
    """
    keys = sorted(keyed)
    rows = [keyed[key] for key in keys]
    fresh = await connection.fetch(
        """
        INSERT INTO ingest_keys AS k (unit_id, key, digest, event_id, received_at)
        SELECT $1, t.key, t.digest, t.event_id, t.received_at
        FROM unnest($2::text[], $3::bytea[], $4::text[], $5::timestamptz[])
             AS t (key, digest, event_id, received_at)
        ON CONFLICT (unit_id, key) DO NOTHING
        RETURNING k.key
        """,
        unit_id,
        keys,
        [row.digest for row in rows],
        [row.event_id for row in rows],
        [row.received_at for row in rows],
    )
    if len(fresh) == len(keys):
        return {}
    known = list(set(keys) - {row["key"] for row in fresh})
    found = await connection.fetch(
        "SELECT key, digest, event_id FROM ingest_keys WHERE unit_id = $1 AND key = ANY($2::text[])", unit_id, known
    )
    return {row["key"]: (row["digest"], row["event_id"]) for row in found}


async def units_with_work(connection: AnyConnection) -> list[str]:
    rows = await connection.fetch(
        """
        SELECT l.unit_id FROM lanes l
        WHERE EXISTS (SELECT FROM ingest_queue q WHERE q.unit_id = l.unit_id)
        """
    )
    return [row["unit_id"] for row in rows]


_WAIT_FOR_LANE = "SELECT last_seq, config_version FROM lanes WHERE unit_id = $1 FOR UPDATE"
_TRY_LANE = _WAIT_FOR_LANE + " SKIP LOCKED"


@dataclass(frozen=True, slots=True)
class LaneState:
    """A lane as its lock found it."""

    last_seq: int
    config_version: int


async def lock_lane(connection: AnyConnection, unit_id: str, wait: bool = False) -> LaneState | None:
    """Makes this transaction the lane's owner; None when another one is, unless told to wait."""
    row = await connection.fetchrow(_WAIT_FOR_LANE if wait else _TRY_LANE, unit_id)
    return None if row is None else LaneState(row["last_seq"], row["config_version"])


async def claim(connection: AnyConnection, unit_id: str, most: int) -> list[Record]:
    """Takes the oldest events off the queue; they come back if the transaction fails.

    Up to a position, not by a set of them: where the planner believes that the queue is empty, it would look
    through the set anew for each event that waits.
    """
    rows = await connection.fetch(
        """
        DELETE FROM ingest_queue
        WHERE unit_id = $1 AND position <= (
            SELECT max(oldest.position) FROM (
                SELECT position FROM ingest_queue WHERE unit_id = $1 ORDER BY position LIMIT $2
            ) oldest
        )
        RETURNING position, event_id, lead_id, aliases, event_type, occurred_at, received_at, metadata,
                  skip_triggers
        """,
        unit_id,
        most,
    )
    rows.sort(key=lambda row: row["position"])
    return rows


async def advance_lane(connection: AnyConnection, unit_id: str, last_seq: int, new_leads: int) -> None:
    await connection.execute(
        "UPDATE lanes SET last_seq = $2, lead_count = lead_count + $3 WHERE unit_id = $1", unit_id, last_seq, new_leads
    )


@dataclass(frozen=True, slots=True)
class Health:
    """How many seconds the oldest event has waited, how many workers are connected."""

    oldest_age_seconds: float
    workers: int


async def pipeline_health(connection: AnyConnection, now: datetime) -> Health:
    oldest = await connection.fetchval(
        """
        SELECT min(first.received_at) FROM lanes l CROSS JOIN LATERAL (
            SELECT q.received_at FROM ingest_queue q WHERE q.unit_id = l.unit_id ORDER BY q.position LIMIT 1
        ) first
        """
    )
    workers = await connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()",
        WORKER_NAME,
    )
    return Health((now - oldest).total_seconds() if oldest else 0.0, workers)


async def depth(connection: AnyConnection) -> int:
    """How many events wait, of all units."""
    count: int = await connection.fetchval("SELECT count(*) FROM ingest_queue")
    return count
