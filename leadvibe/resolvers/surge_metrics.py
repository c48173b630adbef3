"""How many surges a unit had, and when (contract: scoring.md, section 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from leadvibe.errors import bad_request
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.store import surge_metrics

Interval = Literal["15m", "1h", "1d"]

# A month of quarters of an hour.
MOST_BUCKETS = 3_000

_LENGTHS = {"15m": timedelta(minutes=15), "1h": timedelta(hours=1), "1d": timedelta(days=1)}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SurgeTotals:
    """`events`: the events in the surges' windows; `boost_points`: what surge multipliers added."""

    surges: int
    leads: int
    events: int
    boost_points: int


@dataclass(frozen=True, slots=True)
class SurgeBucket:
    """The surges of the interval that begins at `bucket_start`."""

    bucket_start: datetime
    surges: int


@dataclass(frozen=True, slots=True)
class ChannelSurges:
    channel: str
    surges: int


@dataclass(frozen=True, slots=True)
class SurgeMetrics:
    """The surges of [start, end). `series`: every interval, also without surges, oldest first. `peak`: the
    first interval with the most, null without any. `channels`: the most frequent first."""

    ou_id: str
    start: datetime
    end: datetime
    interval: Interval
    totals: SurgeTotals
    peak: SurgeBucket | None
    channels: Sequence[ChannelSurges]
    series: Sequence[SurgeBucket]


@operation(Permission.READ)
async def get_surge_metrics(
    context: Context, start: datetime, end: datetime, interval: Interval = "1h", channel: str | None = None
) -> SurgeMetrics:
    """400 for a period that ends before it starts, or has more than MOST_BUCKETS intervals."""
    start, end, length = start.astimezone(UTC), end.astimezone(UTC), _LENGTHS[interval]
    if start > end:
        raise bad_request("The period ends before it starts.", end="must not be before start")
    first = _EPOCH + (start - _EPOCH) // length * length
    buckets = -((first - end) // length)
    if buckets > MOST_BUCKETS:
        text = f"The period has {buckets} intervals; {MOST_BUCKETS} is the most."
        raise bad_request(text, interval="must be longer, or the period shorter")
    unit_id = context.caller.unit_id
    async with context.services.database.session() as session:
        found = await surge_metrics.counts(session, unit_id, start, end, length, channel)
        boost = await surge_metrics.boost_points(session, unit_id, start, end, channel)
    starts = [first + number * length for number in range(buckets)]
    series = [SurgeBucket(at, found.by_bucket.get(at, 0)) for at in starts]
    peak = max(series, key=lambda bucket: bucket.surges, default=None)
    channels = sorted(found.by_channel.items(), key=lambda item: (-item[1], item[0]))
    return SurgeMetrics(
        unit_id,
        start,
        end,
        interval,
        SurgeTotals(found.surges, found.leads, found.events, boost),
        peak if peak is not None and peak.surges else None,
        [ChannelSurges(name, surges) for name, surges in channels],
        series,
    )
