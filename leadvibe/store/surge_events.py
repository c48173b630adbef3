"""Surge events: what their detection reads before a batch, what it writes after it, and their list."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.ids import new_id
from leadvibe.scoring.surge_detection import Moment
from leadvibe.store.paging import EVERYTHING, Page, Reading, SortKey, read_page
from leadvibe.store.queue import AnyConnection
from leadvibe.store.tables import SurgeEvent

LeadAndType = tuple[str, str | None]

# What counts for a surge; DECAY is no activity, and the server's notes are observed.
_COUNTED = """
    e.unit_id = $1 AND e.lead_id = p.lead_id AND (p.event_type IS NULL OR e.event_type = p.event_type)
    AND e.event_type <> 'DECAY' AND NOT e.observed AND e.suppression_reason IS NULL
"""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a unit's triggers look back from an event: a time, and a number of events (None: all)."""

    window: timedelta
    most: int | None


async def load_counted(
    connection: AnyConnection,
    unit_id: str,
    spans: Mapping[LeadAndType, tuple[datetime, datetime]],
    reach: Mapping[str | None, Reach],
) -> dict[LeadAndType, list[Moment]]:
    """The counted events inside the batch's span of time and, as far as triggers reach, before it; sorted."""
    if not spans:
        return {}
    rows = await connection.fetch(
        f"""
        WITH pair AS (
            SELECT * FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[],
                                 $7::bigint[]) AS t (lead_id, event_type, since, first_at, last_at, most)
        )
        SELECT p.lead_id, p.event_type, c.occurred_at, c.seq
        FROM pair p CROSS JOIN LATERAL (
            (SELECT e.occurred_at, e.seq FROM engagement_events e
             WHERE {_COUNTED} AND e.occurred_at > p.since AND e.occurred_at < p.first_at
             ORDER BY e.occurred_at DESC, e.seq DESC LIMIT p.most)
            UNION ALL
            (SELECT e.occurred_at, e.seq FROM engagement_events e
             WHERE {_COUNTED} AND e.occurred_at BETWEEN p.first_at AND p.last_at)
        ) c
        """,  # noqa: S608  (constants only)
        unit_id,
        [lead_id for lead_id, _ in spans],
        [event_type for _, event_type in spans],
        [first - reach[event_type].window for (_, event_type), (first, _) in spans.items()],
        [first for first, _ in spans.values()],
        [last for _, last in spans.values()],
        [reach[event_type].most for _, event_type in spans],
    )
    counted: dict[LeadAndType, list[Moment]] = {pair: [] for pair in spans}
    for row in rows:
        counted[row["lead_id"], row["event_type"]].append((row["occurred_at"], row["seq"]))
    for moments in counted.values():
        moments.sort()
    return counted


async def last_detections(
    connection: AnyConnection, unit_id: str, lead_ids: Collection[str], since: datetime
) -> dict[tuple[str, str], datetime]:
    """When each trigger last went off for each of these leads: (lead, trigger) → a time behind `since`."""
    rows = await connection.fetch(
        """
        SELECT s.lead_id, s.trigger_id, s.last_at FROM unnest($2::text[]) AS t (lead_id) CROSS JOIN LATERAL (
            SELECT lead_id, trigger_id, max(detected_at) AS last_at FROM surge_events
            WHERE unit_id = $1 AND lead_id = t.lead_id AND detected_at > $3 GROUP BY lead_id, trigger_id
        ) s
        """,
        unit_id,
        list(lead_ids),
        since,
    )
    return {(row["lead_id"], row["trigger_id"]): row["last_at"] for row in rows}


@dataclass(frozen=True, slots=True)
class Surge:
    """A trigger went off for a lead at an event. `event_type`: what the trigger counts, None is any."""

    trigger_id: str
    lead_id: str
    event_type: str | None
    window: timedelta
    at: datetime
    seq: int
    snapshot: dict[str, Any]


async def save(
    connection: AnyConnection, unit_id: str, surges: Sequence[Surge], taken_back: Mapping[int, int]
) -> list[str]:
    """Writes the batch's surges, each with the number of events in its window; their ids. The batch's events are in the
    log, where those that it took back (seq → seq of the event that did) are not yet marked."""
    counts = await connection.fetch(
        f"""
        WITH surge AS (
            SELECT * FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::bigint[])
                WITH ORDINALITY AS t (lead_id, event_type, since, at, seq, place)
        ), taken AS (SELECT * FROM unnest($7::bigint[], $8::bigint[]) AS t (seq, by_seq))
        SELECT (SELECT count(*) FROM engagement_events e
                WHERE {_COUNTED} AND e.occurred_at > p.since AND e.occurred_at <= p.at AND e.seq <= p.seq
                  AND NOT EXISTS (SELECT FROM taken t WHERE t.seq = e.seq AND t.by_seq <= p.seq)) AS events
        FROM surge p ORDER BY p.place
        """,  # noqa: S608  (constants only)
        unit_id,
        [surge.lead_id for surge in surges],
        [surge.event_type for surge in surges],
        [surge.at - surge.window for surge in surges],
        [surge.at for surge in surges],
        [surge.seq for surge in surges],
        list(taken_back),
        list(taken_back.values()),
    )
    columns = "unit_id surge_event_id seq trigger_id lead_id event_type event_count window_seconds detected_at snapshot"
    records = [
        (
            unit_id,
            new_id("se"),
            surge.seq,
            surge.trigger_id,
            surge.lead_id,
            surge.event_type,
            row["events"],
            surge.window // timedelta(seconds=1),
            surge.at,
            surge.snapshot,
        )
        for surge, row in zip(surges, counts, strict=True)
    ]
    await connection.copy_records_to_table("surge_events", records=records, columns=columns.split())
    return [record[1] for record in records]


KEYS = [SortKey(col(SurgeEvent.detected_at)), SortKey(col(SurgeEvent.surge_event_id))]


@dataclass(frozen=True, slots=True)
class SurgeFilter:
    """Which surge events a list shows: those of [start, end) whose snapshot has the channel as its channel
    or source; None does not filter."""

    start: datetime | None = None
    end: datetime | None = None
    channel: str | None = None

    def conditions(self, unit_id: str) -> list[ColumnElement[bool]]:
        conditions = [col(SurgeEvent.unit_id) == unit_id]
        if self.start is not None:
            conditions.append(col(SurgeEvent.detected_at) >= self.start)
        if self.end is not None:
            conditions.append(col(SurgeEvent.detected_at) < self.end)
        if self.channel is not None:
            snapshot: Any = col(SurgeEvent.snapshot)
            conditions.append(or_(*(snapshot[key].astext == self.channel for key in ("channel", "source"))))
        return conditions


async def page(
    session: AsyncSession,
    unit_id: str,
    wanted: SurgeFilter,
    limit: int,
    after: str | None = None,
    offset: int = 0,
    read: Reading = EVERYTHING,
) -> Page[SurgeEvent]:
    """`limit` surge events, newest first, behind the cursor `after`, or from `offset` on (the REST pages)."""
    conditions = wanted.conditions(unit_id)

    async def count() -> int:
        return (await session.exec(select(func.count()).select_from(SurgeEvent).where(*conditions))).one()

    return await read_page(session, select(SurgeEvent).where(*conditions), KEYS, limit, after, offset, read, count)
