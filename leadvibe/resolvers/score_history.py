"""A lead's score over time, and who gained most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from leadvibe.errors import bad_request, not_found
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.resolvers.leads import get_lead
from leadvibe.store import ruleset_queries, snapshots
from leadvibe.store.snapshots import Gain
from leadvibe.store.time_ranges import TimeRange, bounds

# The documentation: 30 days unless told, 90 at most.
DAYS, MOST_DAYS = 30, 90
GAIN_RANGES: tuple[TimeRange, ...] = ("today", "last_7d", "last_30d")
LEADS_SHOWN, MOST_LEADS_SHOWN = 10, 500


@dataclass(frozen=True, slots=True)
class ScorePoint:
    """The score at a time; it held until the next point."""

    snapshot_at: datetime
    score: int
    ruleset_id: str


@dataclass(frozen=True, slots=True)
class Period:
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class ScoreHistory:
    """A lead's score in one ruleset, oldest first: as it was when the period began, if that is known, and at the
    end of each hour in which it changed."""

    lead_id: str
    snapshots: Sequence[ScorePoint]
    count: int
    period: Period


@operation(Permission.READ)
async def get_score_history(
    context: Context,
    lead_id: str,
    days: int = DAYS,
    start: datetime | None = None,
    end: datetime | None = None,
    ruleset_id: str | None = None,
) -> ScoreHistory:
    """The last `days` days (1 to MOST_DAYS), or from `start` to `end`, in the ruleset, else the primary one.
    400 when only one of the two is given; 404 for an unknown lead or ruleset."""
    period = _period(days, start, end)
    await get_lead(context, lead_id)
    unit_id = context.caller.unit_id
    async with context.services.database.session() as session:
        if ruleset_id is None:
            ruleset_id = await ruleset_queries.primary(session, unit_id)
        elif not await ruleset_queries.some(session, unit_id, [ruleset_id]):
            raise not_found(f"Ruleset {ruleset_id}")
        if ruleset_id is None:
            return ScoreHistory(lead_id, [], 0, period)
        found = await snapshots.between(session, unit_id, lead_id, ruleset_id, period.start, period.end)
    points = [ScorePoint(at, score, ruleset_id) for at, score in found]
    return ScoreHistory(lead_id, points, len(points), period)


def _period(days: int, start: datetime | None, end: datetime | None) -> Period:
    if not 1 <= days <= MOST_DAYS:
        raise bad_request(f"The history has 1 to {MOST_DAYS} days.", days=f"must be 1 to {MOST_DAYS}")
    if start is None and end is None:
        now = datetime.now(UTC)
        return Period(now - timedelta(days=days), now)
    if start is None or end is None:
        missing = "start_date" if start is None else "end_date"
        raise bad_request("A period has a start and an end.", **{missing: "is required"})
    if start > end:
        raise bad_request("The period ends before it starts.", end_date="must not be before start_date")
    return Period(start, end)


@operation(Permission.READ)
async def list_score_gains(context: Context, range: TimeRange = "last_7d", limit: int = LEADS_SHOWN) -> Sequence[Gain]:
    """The leads active in the range (one of GAIN_RANGES) whose primary score rose most in it, the biggest gain
    first. What the score was comes from the snapshots, which are an hour apart."""
    if range not in GAIN_RANGES:
        raise bad_request("There are no gains of this range.", range=f"must be one of {', '.join(GAIN_RANGES)}")
    check_limit(limit)
    start, _ = bounds(range, datetime.now(UTC))
    assert start is not None, "none of GAIN_RANGES is open"
    async with context.services.database.session() as session:
        primary = await ruleset_queries.primary(session, context.caller.unit_id)
        return await snapshots.gains(session, context.caller.unit_id, primary, start, limit) if primary else []


def check_limit(limit: int) -> None:
    """400 unless a list of leads may have this many."""
    if not 1 <= limit <= MOST_LEADS_SHOWN:
        raise bad_request(f"A list has 1 to {MOST_LEADS_SHOWN} leads.", limit=f"must be 1 to {MOST_LEADS_SHOWN}")
