"""The events of a type: how many there are, and their deletion."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from asyncpg import Record
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.store.queue import AnyConnection

_EVENTS_AT_ONCE = 2_000

# An event score is what one event did in one ruleset.
_SCORES = """
    CAST(coalesce(sum((SELECT count(*) FROM jsonb_object_keys(e.scores))), 0) AS bigint)
"""
_COUNT = text(f"""
    SELECT count(*) AS events, {_SCORES} AS scores FROM engagement_events e
    WHERE e.unit_id = :unit_id AND e.event_type = :event_type
""")  # noqa: S608  (constants only)
_BY_DAY = f"""
    SELECT CAST(e.occurred_at AT TIME ZONE 'UTC' AS date) AS day, e.channel, count(*) AS events, {_SCORES} AS scores
    FROM gone e GROUP BY 1, 2
"""  # noqa: S608  (constants only)


async def counted(session: AsyncSession, unit_id: str, event_type: str) -> tuple[int, int]:
    """How many events and event scores of the type there are."""
    values = {"unit_id": unit_id, "event_type": event_type}
    row = (await (await session.connection()).execute(_COUNT, values)).one()
    return row.events, row.scores


async def next_events(connection: AnyConnection, unit_id: str, event_type: str, up_to_seq: int) -> Sequence[Record]:
    """Some of the type's events, as (occurred_at, seq, lead_id)."""
    return await connection.fetch(
        """
        SELECT occurred_at, seq, lead_id FROM engagement_events
        WHERE unit_id = $1 AND event_type = $2 AND seq <= $3 ORDER BY occurred_at, seq LIMIT $4
        """,
        unit_id,
        event_type,
        up_to_seq,
        _EVENTS_AT_ONCE,
    )


async def delete_of_leads(
    connection: AnyConnection, unit_id: str, event_type: str, up_to_seq: int, lead_ids: Sequence[str]
) -> Sequence[Record]:
    """Deletes these leads' events of the type; how many `events` and `scores` were of which day and channel."""
    return await connection.fetch(
        f"""
        WITH gone AS (
            DELETE FROM engagement_events
            WHERE unit_id = $1 AND event_type = $2 AND seq <= $3 AND lead_id = ANY($4::text[])
            RETURNING occurred_at, channel, scores
        ) {_BY_DAY}
        """,  # noqa: S608  (constants only)
        unit_id,
        event_type,
        up_to_seq,
        lead_ids,
    )


async def delete_of_nobody(
    connection: AnyConnection, unit_id: str, places: Sequence[tuple[datetime, int]]
) -> Sequence[Record]:
    """Deletes events by their places in the log; the same answer."""
    return await connection.fetch(
        f"""
        WITH gone AS (
            DELETE FROM engagement_events AS d
            USING unnest($2::timestamptz[], $3::bigint[]) AS t (occurred_at, seq)
            WHERE d.unit_id = $1 AND d.occurred_at = t.occurred_at AND d.seq = t.seq
            RETURNING d.occurred_at, d.channel, d.scores
        ) {_BY_DAY}
        """,  # noqa: S608  (constants only)
        unit_id,
        [at for at, _ in places],
        [seq for _, seq in places],
    )
