"""What every new organisational unit begins with."""

from __future__ import annotations

from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.ids import new_id
from leadvibe.store.config_tables import EngagementLevel
from leadvibe.store.tables import Lane, OrgUnit

# The levels of the public documentation's example.
_FIRST_LEVELS = (("Cold", 0, 24), ("Warm", 25, 49), ("Hot", 50, 74), ("Very Hot", 75, None))


async def add_unit(session: AsyncSession, org_id: str, name: str, slug: str, is_default: bool = False) -> OrgUnit:
    """A unit with its lane and levels, in the caller's transaction. The slug is free in the organisation."""
    unit = OrgUnit(unit_id=new_id("unit"), org_id=org_id, name=name, slug=slug, is_default=is_default)
    session.add(unit)
    await session.flush()
    session.add(Lane(unit_id=unit.unit_id))
    for level, low, high in _FIRST_LEVELS:
        session.add(
            EngagementLevel(
                stage_id=new_id(EngagementLevel.id_prefix),
                unit_id=unit.unit_id,
                org_id=org_id,
                name=level,
                min_score=low,
                max_score=high,
            )
        )
    return unit
