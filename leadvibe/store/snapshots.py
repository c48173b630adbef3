"""Score snapshots: what a lead's scores were, hour by hour. Written only where a score changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from asyncpg import Pool, Record
from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.store.queue import AnyConnection
from leadvibe.store.tables import ScoreSnapshot

# The reference's documentation: snapshots are kept for 90 days.
LIFE = timedelta(days=90)

# A lead is looked at when it changed since this long before the unit's last snapshot: longer than an hour,
# within which it may have been passed over, and than any transaction that writes leads.
_OVERLAP = timedelta(hours=2)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

# As many are looked at with one statement. The first one of an empty table is planned as if it stayed empty, and
# may read all that it writes once for each lead; the next ones know better.
_LEADS_AT_ONCE = 1_000

_CHANGED = """
    SELECT l.lead_id FROM leads l
    WHERE l.unit_id = $1 AND l.lead_id > $2 AND l.updated_at > $3 AND l.merged_into IS NULL AND NOT l.deleting
    ORDER BY l.lead_id LIMIT $4
"""
_TAKE = """
    INSERT INTO score_snapshots AS s (unit_id, lead_id, ruleset_id, snapshot_at, score)
    SELECT l.unit_id, l.lead_id, r.ruleset_id, $2, CAST(r.score AS bigint)
    FROM leads l
    CROSS JOIN LATERAL jsonb_each_text(l.scores) AS r (ruleset_id, score)
    LEFT JOIN LATERAL (
        SELECT p.score, p.snapshot_at FROM score_snapshots p
        WHERE p.unit_id = $1 AND p.lead_id = l.lead_id AND p.ruleset_id = r.ruleset_id
        ORDER BY p.snapshot_at DESC LIMIT 1
    ) latest ON true
    WHERE l.unit_id = $1 AND l.lead_id = ANY($3::text[]) AND l.merged_into IS NULL AND NOT l.deleting
      AND (latest.snapshot_at IS NULL OR (latest.snapshot_at < $4 AND latest.score <> CAST(r.score AS bigint)))
    ON CONFLICT (unit_id, lead_id, ruleset_id, snapshot_at) DO NOTHING
"""
# A snapshot from before the time is still needed as long as none from before it is newer.
_FORGET = """
    DELETE FROM score_snapshots AS s WHERE s.unit_id = $1 AND s.snapshot_at < $2 AND EXISTS (
        SELECT FROM score_snapshots n
        WHERE n.unit_id = $1 AND n.lead_id = s.lead_id AND n.ruleset_id = s.ruleset_id
          AND n.snapshot_at > s.snapshot_at AND n.snapshot_at <= $2
    )
"""


async def take(connection: AnyConnection, unit_id: str, now: datetime) -> int:
    """Writes the scores of the unit's leads that differ from their latest snapshot, none twice in a clock
    hour; the number written. In the caller's transaction: what is looked at next time depends on the whole being
    there."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    taken, after = 0, ""
    last = await connection.fetchval("SELECT max(snapshot_at) FROM score_snapshots WHERE unit_id = $1", unit_id)
    since = _LONG_AGO if last is None else last - _OVERLAP
    while rows := await connection.fetch(_CHANGED, unit_id, after, since, _LEADS_AT_ONCE):
        lead_ids = [row["lead_id"] for row in rows]
        taken += _count(await connection.execute(_TAKE, unit_id, now, lead_ids, hour))
        after = lead_ids[-1]
    return taken


async def forget(pool: Pool[Record], unit_id: str, now: datetime) -> int:
    """Deletes what is older than LIFE, except what tells the score at its beginning; the number deleted."""
    return _count(await pool.execute(_FORGET, unit_id, now - LIFE))


def _count(status: str) -> int:
    return int(status.split()[-1])


async def between(
    session: AsyncSession, unit_id: str, lead_id: str, ruleset_id: str, start: datetime, end: datetime
) -> list[tuple[datetime, int]]:
    """(time, score), oldest first: first the score as of `start`, if it is known, then each snapshot up to `end`."""
    own = (
        ScoreSnapshot.unit_id == unit_id,
        ScoreSnapshot.lead_id == lead_id,
        ScoreSnapshot.ruleset_id == ruleset_id,
    )
    at = col(ScoreSnapshot.snapshot_at)
    as_of = await session.exec(select(ScoreSnapshot.score).where(*own, at <= start).order_by(at.desc()).limit(1))
    query = select(ScoreSnapshot.snapshot_at, ScoreSnapshot.score).where(*own, at > start, at <= end).order_by(at)
    return [(start, score) for score in as_of] + [(time, score) for time, score in await session.exec(query)]


@dataclass(frozen=True, slots=True)
class Gain:
    """A lead's primary score, and by how much it rose; `last_event_at` is its latest event."""

    lead_id: str
    score: int
    score_gain: int
    last_event_at: datetime


# A lead without a snapshot from before the window had 0 then, unless it existed when the unit's snapshots had
# not begun: then its first one tells best.
_GAINS = text("""
    SELECT g.lead_id, g.score, g.score - g.base AS score_gain, g.last_event_at FROM (
        SELECT l.lead_id, l.score, l.last_event_at, coalesce(
            (SELECT s.score FROM score_snapshots s
             WHERE s.unit_id = :unit_id AND s.lead_id = l.lead_id AND s.ruleset_id = :ruleset_id
               AND s.snapshot_at <= :start
             ORDER BY s.snapshot_at DESC LIMIT 1),
            CASE WHEN l.created_at < :start
                  AND (SELECT min(f.snapshot_at) FROM score_snapshots f WHERE f.unit_id = :unit_id) > :start
                 THEN (SELECT s.score FROM score_snapshots s
                       WHERE s.unit_id = :unit_id AND s.lead_id = l.lead_id AND s.ruleset_id = :ruleset_id
                       ORDER BY s.snapshot_at LIMIT 1)
            END,
            0) AS base
        FROM leads l
        WHERE l.unit_id = :unit_id AND l.last_event_at >= :start AND l.merged_into IS NULL AND NOT l.deleting
    ) g
    WHERE g.score > g.base
    ORDER BY score_gain DESC, g.score DESC, g.lead_id LIMIT :most
""")


async def gains(session: AsyncSession, unit_id: str, ruleset_id: str, start: datetime, most: int) -> Sequence[Gain]:
    """The leads that were active since `start` and whose score rose most since then, the biggest gain first.
    `ruleset_id`: the primary engagement ruleset."""
    values = {"unit_id": unit_id, "ruleset_id": ruleset_id, "start": start, "most": most}
    rows = await (await session.connection()).execute(_GAINS, values)
    return [Gain(**row) for row in rows.mappings()]
