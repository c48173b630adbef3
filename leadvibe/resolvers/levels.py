"""Levels: named ranges of a primary score, for engagement, profile and account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.errors import bad_request
from leadvibe.resolvers.caller import Caller
from leadvibe.resolvers.family import Family
from leadvibe.scoring.model import Level
from leadvibe.store.config_tables import AccountLevel, EngagementLevel, ProfileLevel

# Any of the three; they differ in the name of their id.
AnyLevel = EngagementLevel | ProfileLevel | AccountLevel


async def _others(session: AsyncSession, row: Any) -> Sequence[Any]:
    kind = type(row)
    query = select(kind).where(kind.unit_id == row.unit_id, col(getattr(kind, kind.key)) != getattr(row, kind.key))
    return (await session.exec(query)).all()


def _overlap(a: AnyLevel, b: AnyLevel) -> bool:
    return (a.max_score is None or b.min_score <= a.max_score) and (b.max_score is None or a.min_score <= b.max_score)


async def _accept(session: AsyncSession, caller: Caller, row: Any) -> None:
    if row.max_score is not None and row.min_score > row.max_score:
        raise bad_request("The range is empty.", max_score="must not be below min_score")
    for other in await _others(session, row):
        if _overlap(row, other):
            raise bad_request(f"The range overlaps the level {other.name}.", min_score=f"overlaps {other.name}")


async def _release(session: AsyncSession, caller: Caller, row: Any) -> None:
    if not await _others(session, row):
        raise bad_request("The last level cannot be deleted.", code="last_level")


def _family(noun: str, row: type[Any]) -> Family[Any]:
    return Family(noun, row, ("name", "min_score", "max_score"), order="min_score", accept=_accept, release=_release)


LEVELS = _family("engagement_level", EngagementLevel)
PROFILE_LEVELS = _family("profile_level", ProfileLevel)
ACCOUNT_LEVELS = _family("account_level", AccountLevel)


def as_levels(rows: Sequence[AnyLevel]) -> list[Level]:
    """The rows as the scoring core knows them."""
    return [Level(getattr(row, row.key), row.name, row.min_score, row.max_score) for row in rows]
