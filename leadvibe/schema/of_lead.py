"""From whatever a lead did, or what happened to it, to the lead."""

from __future__ import annotations

import strawberry

from leadvibe.schema.context import Info
from leadvibe.schema.fields import field
from leadvibe.schema.leads import Lead


@strawberry.type
class OfLead:
    """What is about a lead, or may be."""

    lead_id: strawberry.ID | None = strawberry.field(description="The lead.")

    @field
    async def lead(self, info: Info) -> Lead | None:
        """The lead as it is now; null when there is none, or none any more."""
        row = None if self.lead_id is None else await info.context.leads.load(self.lead_id)
        return None if row is None else Lead.of(row)
