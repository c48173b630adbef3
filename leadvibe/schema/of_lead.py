"""From whatever a lead did, or what happened to it, to the lead."""

from __future__ import annotations

from collections.abc import Iterable

import strawberry

from leadvibe.schema.context import Info
from leadvibe.schema.fields import field
from leadvibe.schema.leads import Lead


async def find_lead(info: Info, lead_id: str | None) -> Lead | None:
    """The lead of this id; None without one, or when there is none any more."""
    row = None if lead_id is None else await info.context.leads.load(lead_id)
    return None if row is None else Lead.of(row)


async def find_leads(info: Info, lead_ids: Iterable[str]) -> list[Lead]:
    """Those of these leads that there still are, in this order."""
    rows = await info.context.leads.load_many(lead_ids)
    return [Lead.of(row) for row in rows if row is not None]


@strawberry.type
class OfLead:
    """What is about a lead, or may be."""

    lead_id: strawberry.ID | None = strawberry.field(description="The lead.")

    @field
    async def lead(self, info: Info) -> Lead | None:
        """The lead as it is now; null when there is none, or none any more."""
        return await find_lead(info, self.lead_id)
