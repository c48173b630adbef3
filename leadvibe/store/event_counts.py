"""Counting events: whole days come from `event_counts`, the rest of a window from the log itself.

However long the log is, a count reads the days of its window and the events of at most two days, which
are those that the window cuts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.store.tables import EngagementEvent, EventCount, EventType, Lead

# No event is older (pipeline/events.py), and none is ever this far ahead.
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)

_CUT_DAY = """
    SELECT CAST(e.occurred_at AT TIME ZONE 'UTC' AS date) AS day, e.event_type, 1 AS events
    FROM engagement_events e WHERE e.unit_id = :unit_id
"""
# Of the events in the window, without those of hidden types.
_COUNTED = f"""
    FROM (
        SELECT d.day, d.event_type, d.events FROM event_counts d
        WHERE d.unit_id = :unit_id AND d.day >= :first_day AND d.day < :end_day
        UNION ALL {_CUT_DAY} AND e.occurred_at >= :head_from AND e.occurred_at < :head_to
        UNION ALL {_CUT_DAY} AND e.occurred_at >= :tail_from AND e.occurred_at < :tail_to
    ) c
    WHERE (CAST(:event_type AS text) IS NULL OR c.event_type = CAST(:event_type AS text))
      AND NOT EXISTS (SELECT FROM event_types t WHERE t.unit_id = :unit_id AND t.name = c.event_type AND t.hidden)
"""  # noqa: S608  (constants only)
_TOTAL = text(f"SELECT CAST(coalesce(sum(c.events), 0) AS bigint) {_COUNTED}")
_BY_DAY_AND_BY_TYPE = text(f"""
    SELECT c.day, c.event_type, CAST(sum(c.events) AS bigint) AS events {_COUNTED}
    GROUP BY GROUPING SETS ((c.day), (c.event_type)) HAVING sum(c.events) > 0
""")


@dataclass(frozen=True, slots=True)
class Window:
    """The events of [start, end), of all types or of one; None is open."""

    start: datetime | None = None
    end: datetime | None = None
    event_type: str | None = None

    def values(self, unit_id: str) -> Mapping[str, Any]:
        """The window as _COUNTED takes it: a cut day at its head, whole days, a cut day at its tail."""
        start = min(max(self.start or _EARLIEST, _EARLIEST), _LATEST).astimezone(UTC)
        end = max(min(self.end or _LATEST, _LATEST), start).astimezone(UTC)
        first, last = _midnight(start + timedelta(days=1) - timedelta.resolution), _midnight(end)
        if first > last:  # within one day
            first = last = end
        return {
            "unit_id": unit_id,
            "event_type": self.event_type,
            "first_day": first.date(),
            "end_day": last.date(),
            "head_from": start,
            "head_to": first,
            "tail_from": last,
            "tail_to": end,
        }


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many events each day (newest first) and each type (most first) has."""

    by_day: dict[date, int]
    by_type: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.by_type.values())


async def total(session: AsyncSession, unit_id: str, window: Window) -> int:
    rows = await (await session.connection()).execute(_TOTAL, window.values(unit_id))
    return int(rows.scalar_one())


async def counts(session: AsyncSession, unit_id: str, window: Window) -> Counts:
    rows = (await (await session.connection()).execute(_BY_DAY_AND_BY_TYPE, window.values(unit_id))).all()
    by_day = {day: events for day, _, events in rows if day is not None}
    by_type = {event_type: events for _, event_type, events in rows if event_type is not None}
    return Counts(
        dict(sorted(by_day.items(), reverse=True)),
        dict(sorted(by_type.items(), key=lambda item: (-item[1], item[0]))),
    )


async def unique_leads(session: AsyncSession, unit_id: str, window: Window) -> int:
    """How many leads have events in the window. A window up to now of all types, in a unit that hides none,
    is answered from the leads' latest events; others read the window's events."""
    hiding = await session.exec(select(EventType).where(EventType.unit_id == unit_id, EventType.hidden).limit(1))
    if window.end is None and window.event_type is None and hiding.first() is None:
        since = col(Lead.last_event_at) >= (window.start or _EARLIEST)
        visible = (col(Lead.merged_into).is_(None), ~col(Lead.deleting))
        leads = select(func.count()).select_from(Lead).where(Lead.unit_id == unit_id, since, *visible)
        return (await session.exec(leads)).one()
    event = EngagementEvent
    hidden = select(EventType.name).where(EventType.unit_id == unit_id, EventType.hidden)
    query = select(func.count(col(event.lead_id).distinct())).where(
        event.unit_id == unit_id,
        event.occurred_at >= (window.start or _EARLIEST),
        event.occurred_at < (window.end or _LATEST),
        col(event.event_type).not_in(hidden),
    )
    if window.event_type is not None:
        query = query.where(event.event_type == window.event_type)
    return (await session.exec(query)).one()


async def channels(session: AsyncSession, unit_id: str) -> list[str]:
    """The channels that the unit's events came by, in alphabetical order."""
    query = select(EventCount.channel).where(EventCount.unit_id == unit_id, EventCount.events > 0).distinct()
    return sorted((await session.exec(query)).all())
