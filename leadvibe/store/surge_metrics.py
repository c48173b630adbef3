"""Counting surges and the points that surge multipliers added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

_COUNTS = text("""
    SELECT s.bucket, s.channel, count(*) AS surges, count(DISTINCT s.lead_id) AS leads,
           CAST(coalesce(sum(s.event_count), 0) AS bigint) AS events
    FROM (
        SELECT date_bin(:interval, detected_at, CAST('1970-01-01 00:00Z' AS timestamptz)) AS bucket,
               snapshot ->> 'channel' AS channel, lead_id, event_count
        FROM surge_events
        WHERE unit_id = :unit_id AND detected_at >= :start AND detected_at < :end
          AND (CAST(:channel AS text) IS NULL OR :channel IN (snapshot ->> 'channel', snapshot ->> 'source'))
    ) s
    GROUP BY GROUPING SETS ((s.bucket), (s.channel), ())
""")
_BOOSTS = text("""
    SELECT CAST(coalesce(sum(CAST(b.value ->> 3 AS bigint)), 0) AS bigint)
    FROM engagement_events e CROSS JOIN LATERAL jsonb_each(e.scores) b
    WHERE e.unit_id = :unit_id AND e.occurred_at >= :start AND e.occurred_at < :end
      AND e.suppression_reason IS NULL AND e.scores IS NOT NULL
      AND (CAST(:channel AS text) IS NULL OR :channel IN (e.channel, e.metadata ->> 'source'))
""")


@dataclass(frozen=True, slots=True)
class SurgeCounts:
    """The surges of a period: how many, of how many leads, with how many events; by the beginning of their
    interval and by channel."""

    surges: int
    leads: int
    events: int
    by_bucket: Mapping[datetime, int]
    by_channel: Mapping[str, int]


async def counts(
    session: AsyncSession, unit_id: str, start: datetime, end: datetime, interval: timedelta, channel: str | None
) -> SurgeCounts:
    values: dict[str, Any] = {"unit_id": unit_id, "start": start, "end": end, "channel": channel}
    rows = (await (await session.connection()).execute(_COUNTS, values | {"interval": interval})).all()
    (total,) = [row for row in rows if row.bucket is None and row.channel is None]
    return SurgeCounts(
        total.surges,
        total.leads,
        total.events,
        {row.bucket: row.surges for row in rows if row.bucket is not None},
        {row.channel: row.surges for row in rows if row.channel is not None},
    )


async def boost_points(session: AsyncSession, unit_id: str, start: datetime, end: datetime, channel: str | None) -> int:
    """The points that surge multipliers added to the period's events, over all rulesets."""
    values = {"unit_id": unit_id, "start": start, "end": end, "channel": channel}
    return int((await (await session.connection()).execute(_BOOSTS, values)).scalar_one())
