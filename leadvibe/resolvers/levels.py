"""Engagement levels: named ranges of the primary score."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.errors import bad_request
from leadvibe.resolvers.caller import Caller
from leadvibe.resolvers.family import Family
from leadvibe.scoring.model import Level
from leadvibe.store.tables import EngagementLevel


async def _others(session: AsyncSession, row: EngagementLevel) -> Sequence[EngagementLevel]:
    query = select(EngagementLevel).where(
        EngagementLevel.unit_id == row.unit_id, EngagementLevel.stage_id != row.stage_id
    )
    return (await session.exec(query)).all()


def _overlap(a: EngagementLevel, b: EngagementLevel) -> bool:
    return (a.max_score is None or b.min_score <= a.max_score) and (b.max_score is None or a.min_score <= b.max_score)


async def _accept(session: AsyncSession, caller: Caller, row: EngagementLevel) -> None:
    if row.max_score is not None and row.min_score > row.max_score:
        raise bad_request("The range is empty.", max_score="must not be below min_score")
    for other in await _others(session, row):
        if _overlap(row, other):
            raise bad_request(f"The range overlaps the level {other.name}.", min_score=f"overlaps {other.name}")


async def _release(session: AsyncSession, caller: Caller, row: EngagementLevel) -> None:
    if not await _others(session, row):
        raise bad_request("The last level cannot be deleted.", code="last_level")


LEVELS = Family(
    "engagement_level",
    EngagementLevel,
    writable=("name", "min_score", "max_score"),
    order="min_score",
    accept=_accept,
    release=_release,
)


def as_levels(rows: Sequence[EngagementLevel]) -> list[Level]:
    """The rows as the scoring core knows them."""
    return [Level(row.stage_id, row.name, row.min_score, row.max_score) for row in rows]
