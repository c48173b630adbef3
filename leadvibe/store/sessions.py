"""Counting sessions: runs of a lead's counted events whose gaps are no longer than the unit's idle time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from leadvibe.store.queue import AnyConnection


async def counts(
    connection: AnyConnection,
    unit_id: str,
    lead_ids: Sequence[str],
    start: datetime | None = None,
    end: datetime | None = None,
    newest: int | None = None,
) -> dict[str, int]:
    """How many sessions each lead has in [start, end), None being open; of its `newest` events there, if given."""
    rows = await connection.fetch(
        """
        WITH idle AS (
            SELECT make_interval(secs => coalesce(p.idle_reset_seconds, 60 * u.session_timeout_minutes)) AS time
            FROM org_units u LEFT JOIN surge_policies p ON p.unit_id = $1 WHERE u.unit_id = $1
        )
        SELECT t.lead_id, (
            SELECT count(*) FILTER (WHERE e.gap IS NULL OR e.gap > (SELECT time FROM idle)) FROM (
                SELECT n.occurred_at - lag(n.occurred_at) OVER (ORDER BY n.occurred_at, n.seq) AS gap FROM (
                    SELECT occurred_at, seq FROM engagement_events
                    WHERE unit_id = $1 AND lead_id = t.lead_id AND NOT observed AND suppression_reason IS NULL
                      AND event_type <> 'DECAY' AND occurred_at >= coalesce($3::timestamptz, '-infinity')
                      AND occurred_at < coalesce($4::timestamptz, 'infinity')
                    ORDER BY occurred_at DESC, seq DESC LIMIT $5
                ) n
            ) e
        ) AS sessions
        FROM unnest($2::text[]) AS t (lead_id)
        """,
        unit_id,
        lead_ids,
        start,
        end,
        newest,
    )
    return {row["lead_id"]: row["sessions"] for row in rows}
