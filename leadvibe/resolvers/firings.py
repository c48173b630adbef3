"""What triggers did, and what they would do: firings, exports, simulation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import UTC, datetime, timedelta

from asyncpg import Record

from leadvibe.errors import bad_request, not_found
from leadvibe.pipeline.simulation import Simulation, simulate
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.resolvers.leads import get_lead
from leadvibe.store import firings
from leadvibe.store.firings import FiringFilter
from leadvibe.store.paging import EVERYTHING, Page, Reading
from leadvibe.store.trigger_tables import FiringKind, TriggerFiring

_MOST_DAYS = 3_660


@operation(Permission.READ)
async def list_firings(
    context: Context,
    wanted: FiringFilter,
    limit: int,
    after: str | None = None,
    offset: int = 0,
    read: Reading = EVERYTHING,
) -> Page[TriggerFiring]:
    """The unit's firings, newest first."""
    async with context.services.database.session() as session:
        return await firings.page(session, context.caller.unit_id, wanted, limit, after, offset, read)


@operation(Permission.READ)
async def get_firings(context: Context, firing_ids: Collection[str]) -> dict[str, TriggerFiring]:
    """The firings that the unit has of these, by id."""
    async with context.services.database.session() as session:
        return await firings.some(session, context.caller.unit_id, firing_ids)


@operation(Permission.READ)
async def export_firings(
    context: Context, kind: FiringKind, trigger_id: str | None = None
) -> AsyncIterator[Sequence[Record]]:
    """All firings of a kind, newest first, group by group."""
    return firings.export(context.services.database, context.caller.unit_id, kind, trigger_id)


@operation(Permission.READ)
async def simulate_milestone(context: Context, trigger_id: str, lead_id: str | None, days: int) -> Simulation:
    """For which leads a milestone would have fired in the last `days`. 404 for an unknown trigger or lead."""
    return await _simulated(context, "milestone_triggers", trigger_id, lead_id, days)


@operation(Permission.READ)
async def simulate_sequence(context: Context, trigger_id: str, lead_id: str | None, days: int) -> Simulation:
    """Which leads would have completed a sequence in the last `days`. 404 for an unknown trigger or lead."""
    return await _simulated(context, "sequence_triggers", trigger_id, lead_id, days)


async def _simulated(context: Context, table: str, trigger_id: str, lead_id: str | None, days: int) -> Simulation:
    if not 1 <= days <= _MOST_DAYS:
        raise bad_request("The simulation needs a number of days.", days=f"must be 1 to {_MOST_DAYS}")
    if lead_id is not None:
        lead_id = (await get_lead(context, lead_id)).lead_id
    since = datetime.now(UTC) - timedelta(days=days)
    unit_id = context.caller.unit_id
    found = await simulate(context.services.database, unit_id, table, trigger_id, lead_id, since)
    if found is None:
        raise not_found(f"The trigger {trigger_id}")
    return found
