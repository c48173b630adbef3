"""What the database tells an operator about itself, over all units."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg
from asyncpg import Record

from leadvibe.store.queue import WORKER_NAME, AnyConnection

# A worker looks at the queue every second, and the longest batch takes some.
_SILENT_WORKER_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Server:
    """The server's version (as 180001), its settings by their names, and how many of its connections are in use."""

    version: int
    settings: dict[str, str]
    connections: int
    size_bytes: int


async def server(connection: AnyConnection) -> Server:
    names = ["server_version_num", "max_connections", "fsync", "synchronous_commit", "full_page_writes", "autovacuum"]
    rows = await connection.fetch("SELECT name, setting FROM pg_settings WHERE name = ANY($1::text[])", names)
    settings = {row["name"]: row["setting"] for row in rows}
    used = await connection.fetchval("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
    size = await connection.fetchval("SELECT pg_database_size(current_database())")
    return Server(int(settings.pop("server_version_num")), settings, used, size)


async def revision(connection: AnyConnection) -> str | None:
    """The migration that the database is at; None before the first."""
    try:
        found: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return None
    return found


async def clock_ahead(connection: AnyConnection) -> float:
    """By how many seconds the database's clock is ahead of ours; the half of the round trip is taken off."""
    before = datetime.now(UTC)
    theirs: datetime = await connection.fetchval("SELECT clock_timestamp()")
    after = datetime.now(UTC)
    return (theirs - (before + (after - before) / 2)).total_seconds()


async def silent_workers(connection: AnyConnection) -> list[int]:
    """The server's process ids of scoring workers that are connected and do nothing."""
    rows: list[Record] = await connection.fetch(
        """
        SELECT pid FROM pg_stat_activity
        WHERE application_name = $1 AND datname = current_database()
          AND state_change < clock_timestamp() - make_interval(secs => $2) AND state <> 'active'
        ORDER BY pid
        """,
        WORKER_NAME,
        _SILENT_WORKER_SECONDS,
    )
    return [row["pid"] for row in rows]


async def units_without_primary(connection: AnyConnection) -> list[str]:
    """Units with rulesets that score, none of which is the primary one."""
    rows: list[Record] = await connection.fetch(
        """
        SELECT unit_id FROM rulesets WHERE active
        GROUP BY unit_id HAVING NOT bool_or(is_primary) ORDER BY unit_id
        """
    )
    return [row["unit_id"] for row in rows]


async def slack_workspaces(connection: AnyConnection) -> int:
    """How many units are connected to Slack."""
    count: int = await connection.fetchval("SELECT count(*) FROM slack_connections")
    return count


async def units_without_lane(connection: AnyConnection) -> list[str]:
    """Units whose events nobody would score."""
    rows: list[Record] = await connection.fetch(
        """
        SELECT u.unit_id FROM org_units u
        WHERE NOT EXISTS (SELECT FROM lanes l WHERE l.unit_id = u.unit_id) ORDER BY u.unit_id
        """
    )
    return [row["unit_id"] for row in rows]
