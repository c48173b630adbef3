"""Reading which rulesets there are."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import BigInteger, func, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.store.config_tables import Ruleset
from leadvibe.store.tables import Lead


async def primary(session: AsyncSession, unit_id: str) -> str | None:
    """The id of the primary engagement ruleset, if the unit has one."""
    query = select(Ruleset.ruleset_id).where(Ruleset.unit_id == unit_id, col(Ruleset.is_primary))
    return (await session.exec(query)).first()


async def some(session: AsyncSession, unit_id: str, ruleset_ids: Collection[str]) -> dict[str, Ruleset]:
    """The rulesets that exist, by id."""
    query = select(Ruleset).where(Ruleset.unit_id == unit_id, col(Ruleset.ruleset_id).in_(ruleset_ids))
    return {row.ruleset_id: row for row in (await session.exec(query)).all()}


async def show_scores(session: AsyncSession, unit_id: str, ruleset_id: str | None) -> None:
    """Makes the score of this ruleset the one that every lead shows; 0 for leads without one, and for None.
    The caller holds the lane."""
    score = 0 if ruleset_id is None else func.coalesce(col(Lead.scores)[ruleset_id].astext.cast(BigInteger), 0)
    shown = update(Lead).where(col(Lead.unit_id) == unit_id, col(Lead.score) != score).values(score=score)
    await session.exec(shown.execution_options(synchronize_session=False))
