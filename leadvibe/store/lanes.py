"""The lane row of a unit: its lock orders all that changes the unit's configuration or scores."""

from __future__ import annotations

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.scoring.fit import Surface
from leadvibe.store.tables import Lane


async def hold_lane(session: AsyncSession, unit_id: str) -> None:
    """Locks the unit's lane until the transaction ends and raises its configuration's version.

    Changes of configuration take turns here, so a check of neighbours (how many are active, which
    is primary) still holds when the change is written. Workers reload when the version moved.
    """
    statement = update(Lane).where(col(Lane.unit_id) == unit_id).values(config_version=Lane.config_version + 1)
    await session.exec(statement)


async def lock_lane(session: AsyncSession, unit_id: str) -> Lane:
    """Locks the unit's lane until the transaction ends: no event is scored, no lead comes or goes meanwhile."""
    return (await session.exec(select(Lane).where(Lane.unit_id == unit_id).with_for_update())).one()


async def outdate_fit(session: AsyncSession, unit_id: str, *surfaces: Surface) -> None:
    """Says that the unit's profile or account scores must be made anew; a scheduled job does it."""
    versions = [f"{surface}_version" for surface in surfaces]
    raised = {version: getattr(Lane, version) + 1 for version in versions}
    await session.exec(update(Lane).where(col(Lane.unit_id) == unit_id).values(**raised))
