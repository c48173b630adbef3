"""How many events an organisation accepted this month, and whether its plan allows so many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.store import access, usage


@dataclass(frozen=True, slots=True)
class UnitUsage:
    """The events that a unit accepted this month."""

    unit_id: str
    name: str
    monthly_events: int


@dataclass(frozen=True, slots=True)
class Usage:
    """The events that all units of the organisation accepted in the month that began on `month` (UTC); those that
    were deleted since still count. `monthly_limit` is null without one. `units` are those that the caller may see,
    `unit_id` is the active one."""

    monthly_events: int
    overage: bool
    org_id: str
    org_name: str
    monthly_limit: int | None
    month: date
    unit_id: str | None
    ou_monthly_events: int | None
    units: Sequence[UnitUsage]


@operation(Permission.MEMBER)
async def get_usage(context: Context) -> Usage:
    """The current calendar month. Members see their own units, admins all of them."""
    caller, month = context.caller, usage.month_of(datetime.now(UTC))
    async with context.services.database.session() as session:
        org_name, counted = await usage.of_organisation(session, caller.org_id, month)
        standing = await access.standing(session, caller.actor)
    own = counted if caller.org_role == "admin" else standing.units if standing else {}
    units = [UnitUsage(unit_id, *counted[unit_id]) for unit_id in sorted(own) if unit_id in counted]
    total = sum(events for _, events in counted.values())
    limit, active = context.services.settings.monthly_events, caller.active_unit
    return Usage(
        monthly_events=total,
        overage=limit is not None and total > limit,
        org_id=caller.org_id,
        org_name=org_name,
        monthly_limit=limit,
        month=month,
        unit_id=active,
        ou_monthly_events=None if active is None else counted[active][1],
        units=units,
    )
