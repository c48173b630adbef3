"""Writing the event log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from leadvibe.scoring.model import Contribution
from leadvibe.store.queue import AnyConnection

_ROWS_BETWEEN_SENDS = 500

_COLUMNS = (
    "unit_id",
    "occurred_at",
    "seq",
    "event_id",
    "lead_id",
    "event_type",
    "channel",
    "metadata",
    "suppression_reason",
    "observed",
    "scores",
    "received_at",
    "processed_at",
)


async def append(connection: AnyConnection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Adds processed events, as tuples in the order of _COLUMNS. The database inserts the first ones
    while `rows` makes the next."""

    async def paced() -> AsyncIterator[tuple[Any, ...]]:
        for number, row in enumerate(rows, 1):
            yield row
            if number % _ROWS_BETWEEN_SENDS == 0:
                await asyncio.sleep(0)  # lets the connection send what it has

    await connection.copy_records_to_table("engagement_events", records=paced(), columns=_COLUMNS)


def stored_scores(contributions: Mapping[str, Contribution]) -> dict[str, list[Any]] | None:
    """ruleset id → [delta, before, after, boost, rule_id], with `earned` behind it where it differs."""
    if not contributions:
        return None
    stored = {}
    for ruleset_id, c in contributions.items():
        entry = [c.delta, c.before, c.after, c.boost, c.rule_id]
        stored[ruleset_id] = entry if c.earned == c.delta else [*entry, c.earned]
    return stored


async def mark_taken_back(connection: AnyConnection, unit_id: str, taken: Sequence[tuple[datetime, int]]) -> None:
    """Events (time, seq) of a burst that no longer count: they keep what they once gave."""
    await connection.execute(
        """
        UPDATE engagement_events AS e SET suppression_reason = 'inorganic_grouped'
        FROM unnest($2::timestamptz[], $3::bigint[]) AS t (at, seq)
        WHERE e.unit_id = $1 AND e.occurred_at = t.at AND e.seq = t.seq
        """,
        unit_id,
        [at for at, _ in taken],
        [seq for _, seq in taken],
    )


async def name_event_types(connection: AnyConnection, unit_id: str, names: Sequence[str], now: datetime) -> None:
    """Event types come into being with their first event."""
    await connection.execute(
        """
        INSERT INTO event_types AS e (unit_id, name, hidden, max_processing_scope, created_at)
        SELECT $1, t.name, false, 'activate', $3 FROM unnest($2::text[]) AS t (name)
        ON CONFLICT (unit_id, name) DO NOTHING
        """,
        unit_id,
        sorted(names),
        now,
    )


DayCount = tuple[date, str, str]  # day (UTC), event type, channel


async def count_events(connection: AnyConnection, unit_id: str, counts: Mapping[DayCount, int]) -> None:
    """Adds to the unit's counts, which may be negative; the caller holds the lane."""
    keys = sorted(counts)
    await connection.execute(
        """
        INSERT INTO event_counts AS c (unit_id, day, event_type, channel, events)
        SELECT $1, t.day, t.event_type, t.channel, t.events
        FROM unnest($2::date[], $3::text[], $4::text[], $5::bigint[]) AS t (day, event_type, channel, events)
        ON CONFLICT (unit_id, day, event_type, channel) DO UPDATE SET events = c.events + excluded.events
        """,
        unit_id,
        [day for day, _, _ in keys],
        [event_type for _, event_type, _ in keys],
        [channel for _, _, channel in keys],
        [counts[key] for key in keys],
    )
