"""How far decay has come with each lead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from leadvibe.scoring.decay import Decay
from leadvibe.scoring.model import LeadState
from leadvibe.store.lead_state import BatchLead
from leadvibe.store.queue import AnyConnection


@dataclass(slots=True)
class Inactive:
    """A lead with a cycle that is due. `cycles`: decay id → cycles applied since `last_activity`."""

    lead: BatchLead
    last_activity: datetime
    cycles: dict[str, int]


async def inactive_leads(
    connection: AnyConnection, unit_id: str, decays: Sequence[Decay], now: datetime, after: str, most: int
) -> list[Inactive]:
    """The leads behind `after`, by id, for which a cycle of some decay may be due and not yet applied.

    What a lead has behind it is kept in its row, and holds for the activity it was counted from: a new
    event makes it void without having to touch it. Where that activity was deleted, the log tells what was
    applied since the one before it.
    """
    if not decays:
        return []
    rows = await connection.fetch(
        """
        SELECT l.lead_id, l.scores, l.session_count, l.session_at, l.last_event_at, l.last_event_type,
               CASE WHEN l.decay_from = l.last_event_at THEN l.decay_cycles END AS cycles,
               coalesce(l.decay_from > l.last_event_at, false) AS receded
        FROM leads l
        WHERE l.unit_id = $1 AND l.lead_id > $2 AND l.merged_into IS NULL AND NOT l.deleting
          AND l.last_event_at <= $6
          AND EXISTS (
            SELECT FROM unnest($4::text[], $5::double precision[]) AS d (decay_id, seconds)
            WHERE floor(extract(epoch FROM $3::timestamptz - l.last_event_at) / d.seconds)
                  > coalesce(CASE WHEN l.decay_from = l.last_event_at
                                  THEN (l.decay_cycles ->> d.decay_id)::bigint END, 0)
          )
        ORDER BY l.lead_id LIMIT $7
        """,
        unit_id,
        after,
        now,
        [decay.decay_id for decay in decays],
        [decay.period.total_seconds() for decay in decays],
        now - min(decay.period for decay in decays),
        most,
    )
    logged = await _logged(
        connection, unit_id, {row["lead_id"]: row["last_event_at"] for row in rows if row["receded"]}
    )
    return [
        Inactive(BatchLead(lead_id, LeadState(*state)), state[3], dict(cycles or logged.get(lead_id, {})))
        for lead_id, *state, cycles, _ in rows
    ]


async def _logged(connection: AnyConnection, unit_id: str, since: Mapping[str, datetime]) -> dict[str, dict[str, int]]:
    """How often each decay was applied to these leads behind a time: lead → decay id → cycles."""
    if not since:
        return {}
    rows = await connection.fetch(
        """
        SELECT e.lead_id, e.metadata ->> 'decay_id' AS decay_id, count(*) AS cycles
        FROM unnest($2::text[], $3::timestamptz[]) AS t (lead_id, since)
        JOIN engagement_events e ON e.unit_id = $1 AND e.lead_id = t.lead_id AND e.occurred_at > t.since
        WHERE e.event_type = 'DECAY' AND e.scores IS NOT NULL GROUP BY 1, 2
        """,
        unit_id,
        list(since),
        list(since.values()),
    )
    cycles: dict[str, dict[str, int]] = {}
    for row in rows:
        cycles.setdefault(row["lead_id"], {})[row["decay_id"]] = row["cycles"]
    return cycles


async def save(connection: AnyConnection, unit_id: str, leads: Sequence[Inactive]) -> None:
    await connection.execute(
        """
        UPDATE leads l SET decay_from = t.last_activity, decay_cycles = t.cycles
        FROM unnest($2::text[], $3::timestamptz[], $4::jsonb[]) AS t (lead_id, last_activity, cycles)
        WHERE l.unit_id = $1 AND l.lead_id = t.lead_id
        """,
        unit_id,
        [inactive.lead.lead_id for inactive in leads],
        [inactive.last_activity for inactive in leads],
        [inactive.cycles for inactive in leads],
    )


async def inherit(connection: AnyConnection, unit_id: str, target: str, sources: Sequence[str]) -> None:
    """After a merge the target's latest activity may be a source's: what was applied since then, and has
    moved with it, is not due again."""
    await connection.execute(
        """
        UPDATE leads t SET decay_from = s.decay_from, decay_cycles = s.decay_cycles
        FROM leads s
        WHERE t.unit_id = $1 AND t.lead_id = $2 AND s.unit_id = $1 AND s.lead_id = ANY($3::text[])
          AND s.decay_from = t.last_event_at AND t.decay_from IS DISTINCT FROM t.last_event_at
        """,
        unit_id,
        target,
        sources,
    )
