"""Deleting events: they leave the log and the counts, and their leads are scored as if they had never been."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from leadvibe.pipeline.rescore import LEADS_AT_ONCE, rescore_leads
from leadvibe.store import event_log, queue
from leadvibe.store.database import Database
from leadvibe.store.queue import AnyConnection


@dataclass(frozen=True, slots=True)
class DeletedEvents:
    """How many events were deleted, and of how many leads the scores were rebuilt."""

    deleted: int
    leads_rescored: int


async def delete_events(database: Database, unit_id: str, event_ids: Sequence[str]) -> DeletedEvents:
    """Deletes the events of the unit with these ids, for good; ids that it does not have are ignored.

    One transaction under the unit's lane: no one sees the events gone and the scores still there.
    """
    async with database.pool.acquire() as connection, connection.transaction():
        await queue.lock_lane(connection, unit_id, wait=True)
        rows = await connection.fetch(
            """
            DELETE FROM engagement_events WHERE unit_id = $1 AND event_id = ANY($2::text[])
            RETURNING occurred_at, event_type, channel, lead_id
            """,
            unit_id,
            event_ids,
        )
        gone = Counter((row["occurred_at"].date(), row["event_type"], row["channel"]) for row in rows)
        await event_log.count_events(connection, unit_id, {key: -count for key, count in gone.items()})
        lead_ids = await living(connection, unit_id, {row["lead_id"] for row in rows} - {None})
        for first in range(0, len(lead_ids), LEADS_AT_ONCE):
            await rescore_leads(connection, unit_id, lead_ids[first : first + LEADS_AT_ONCE])
    return DeletedEvents(len(rows), len(lead_ids))


async def living(connection: AnyConnection, unit_id: str, lead_ids: set[str]) -> list[str]:
    """Those that are neither merged away nor being deleted."""
    rows = await connection.fetch(
        """
        SELECT lead_id FROM leads
        WHERE unit_id = $1 AND lead_id = ANY($2::text[]) AND merged_into IS NULL AND NOT deleting
        ORDER BY lead_id
        """,
        unit_id,
        list(lead_ids),
    )
    return [row["lead_id"] for row in rows]
