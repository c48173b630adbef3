"""Monthly partitions of the event log."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from leadvibe.store.queue import AnyConnection

Month = tuple[int, int]

# Any number, the same for all: two sessions that make the same partition at once fail with 42P07.
_LOCK = 7_205_759_404

# Rescoring changes some events of nearly every page. With room for them five of six stay in their page, and
# none of the five indexes is written to; what they were before makes room for the next ones.
_ROOM = "WITH (fillfactor = 90)"


def month_of(moment: datetime) -> Month:
    return moment.year, moment.month


def months_ahead(now: datetime, count: int) -> list[Month]:
    """The month of `now` and the `count` months behind it."""
    first = now.year * 12 + now.month - 1
    return [((first + i) // 12, (first + i) % 12 + 1) for i in range(count + 1)]


async def existing_months(connection: AnyConnection) -> set[Month]:
    rows = await connection.fetch(
        """
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'engagement_events'::regclass
        """
    )
    return {(int(year), int(month)) for _, year, month in (row["relname"].rsplit("_", 2) for row in rows)}


async def make_partitions(connection: AnyConnection, months: Iterable[Month]) -> None:
    """Makes the partitions that are missing; never inside another transaction, which it would hold up."""
    await connection.execute(f"SELECT pg_advisory_lock({_LOCK})")
    try:
        for year, month in sorted(set(months) - await existing_months(connection)):
            start = datetime(year, month, 1, tzinfo=UTC)
            end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
            await connection.execute(
                f"CREATE TABLE IF NOT EXISTS engagement_events_{year:04}_{month:02} PARTITION OF engagement_events "
                f"FOR VALUES FROM ('{start.isoformat()}') TO ('{end.isoformat()}') {_ROOM}"
            )
    finally:
        await connection.execute(f"SELECT pg_advisory_unlock({_LOCK})")
