"""Reading event types: their names, and what their events' metadata holds."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.store.tables import EventCount, EventType

# The keys of a type are those of its newest events: an answer takes the same time however many there are.
EVENTS_READ = 5_000

_KEYS = text("""
    SELECT DISTINCT k.key FROM (
        SELECT metadata FROM engagement_events
        WHERE unit_id = :unit_id AND event_type = :event_type ORDER BY occurred_at DESC LIMIT :most
    ) e CROSS JOIN LATERAL jsonb_object_keys(e.metadata) AS k (key)
""")


async def visible_names(session: AsyncSession, unit_id: str) -> Sequence[str]:
    """The names of the types that are not hidden, in alphabetical order."""
    query = select(EventType.name).where(EventType.unit_id == unit_id, ~col(EventType.hidden))
    return sorted((await session.exec(query)).all())


async def hidden_names(session: AsyncSession, unit_id: str) -> Sequence[str]:
    query = select(EventType.name).where(EventType.unit_id == unit_id, col(EventType.hidden))
    return (await session.exec(query)).all()


async def exists(session: AsyncSession, unit_id: str, name: str) -> bool:
    return await session.get(EventType, (unit_id, name)) is not None


async def metadata_keys(session: AsyncSession, unit_id: str, name: str) -> Sequence[str]:
    """The top-level keys of the metadata of the type's newest EVENTS_READ events, in alphabetical order."""
    values = {"unit_id": unit_id, "event_type": name, "most": EVENTS_READ}
    return sorted((await (await session.connection()).execute(_KEYS, values)).scalars())


async def event_totals(session: AsyncSession, unit_id: str) -> dict[str, int]:
    """How many events each type has, hidden types too."""
    query = select(EventCount.event_type, func.sum(EventCount.events)).where(EventCount.unit_id == unit_id)
    return {name: int(total) for name, total in await session.exec(query.group_by(EventCount.event_type))}
