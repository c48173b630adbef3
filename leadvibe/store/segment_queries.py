"""Reading segments: their leads, and who entered and left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ARRAY, Text, bindparam, text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.scoring.segments import Node, SegmentPlan
from leadvibe.store import segment_config, segment_work
from leadvibe.store.database import Database, driver
from leadvibe.store.lead_queries import Membership
from leadvibe.store.segment_sql import Compiler
from leadvibe.store.segment_tables import SegmentChange

_KEPT = text("""
    leads.lead_id IN (SELECT m.lead_id FROM segment_members m WHERE m.unit_id = :of_unit AND m.segment_id = :of_segment)
""")


async def members(session: AsyncSession, unit_id: str, segment_id: str) -> Membership:
    """Those who belong now: as they are kept, or decided anew while what is kept is being made."""
    connection = await driver(session)
    plan = await segment_config.load(connection, unit_id)
    if await segment_work.is_settled(connection, unit_id, plan, segment_id):
        return Membership(_KEPT.bindparams(of_unit=unit_id, of_segment=segment_id))  # type: ignore[arg-type]
    return await matching(session, unit_id, plan, plan.definition(segment_id))


async def matching(session: AsyncSession, unit_id: str, plan: SegmentPlan, definition: Node | None) -> Membership:
    """Those who meet a definition, whether it is stored or not."""
    values: dict[str, Any] = {}

    def bind(value: Any) -> str:
        name = f"of_segment_{len(values)}"
        values[name] = value
        return f"CAST(:{name} AS text{'[]' if isinstance(value, list) else ''})"

    names = await segment_config.type_names(await driver(session), unit_id)
    clause = text(Compiler(plan, names, unit_id, bind).segment(definition))
    types = [
        bindparam(name, value, ARRAY(Text) if isinstance(value, list) else Text()) for name, value in values.items()
    ]
    return Membership(clause.bindparams(*types))  # type: ignore[arg-type]


async def recent_changes(session: AsyncSession, unit_id: str, segment_id: str, most: int) -> Sequence[SegmentChange]:
    """Who entered and left last, newest first."""
    query = select(SegmentChange).where(SegmentChange.unit_id == unit_id, SegmentChange.segment_id == segment_id)
    return (await session.exec(query.order_by(col(SegmentChange.seq).desc()).limit(most))).all()


async def last_change(database: Database, unit_id: str) -> int:
    """The number of the unit's last change, 0 without any."""
    query = "SELECT seq FROM segment_changes WHERE unit_id = $1 ORDER BY seq DESC LIMIT 1"
    return await database.pool.fetchval(query, unit_id) or 0


async def changes_behind(
    database: Database, unit_id: str, segment_id: str, after: int, most: int
) -> Sequence[SegmentChange]:
    """Who entered and left behind a change, in order."""
    query = select(SegmentChange).where(
        SegmentChange.unit_id == unit_id, SegmentChange.segment_id == segment_id, col(SegmentChange.seq) > after
    )
    async with database.session() as session:
        return (await session.exec(query.order_by(col(SegmentChange.seq)).limit(most))).all()
