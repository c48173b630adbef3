"""Leads by a piece of a name, and their scores in one ruleset."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import strawberry

from leadvibe.resolvers import leads
from leadvibe.resolvers.leads import PRIMARY
from leadvibe.schema.context import Info
from leadvibe.schema.fields import field
from leadvibe.schema.leads import Lead
from leadvibe.schema.of_lead import OfLead, find_lead
from leadvibe.schema.scalars import BigInt


@strawberry.enum(description="By what a search found a lead.")
class MatchType(Enum):
    ID = strawberry.enum_value("id", description="Its id begins with the text.")
    ALIAS = strawberry.enum_value("alias", description="One of its aliases contains the text.")


@strawberry.type(description="A lead that a search found.")
class LeadMatch:
    id: strawberry.ID = strawberry.field(description="The lead's id.")
    match_type: MatchType = strawberry.field(description="What matched.")
    best_alias: str | None = strawberry.field(description="The alias that best names the lead.")
    engagement_level: str | None = strawberry.field(description="Name of its engagement level.")
    profile_level: str | None = strawberry.field(description="Name of its profile level.")

    @field
    async def lead(self, info: Info) -> Lead | None:
        """The lead itself; null when it is gone meanwhile."""
        return await find_lead(info, self.id)


@strawberry.type(description="A lead's score in the ruleset that was asked for.")
class LeadScore(OfLead):
    lead_id: strawberry.ID = strawberry.field(description="The lead.")
    score: BigInt = strawberry.field(description="Its score; 0 when it has none, or does not exist.")


@strawberry.type
class LeadLookups:
    @field
    async def lead_scores(
        self,
        info: Info,
        lead_ids: Annotated[list[strawberry.ID], strawberry.argument(description="1 to 500 leads.")],
        ruleset: Annotated[str, strawberry.argument(description="`primary`, or a ruleset's id or name.")] = PRIMARY,
    ) -> list[LeadScore]:
        """The leads' scores in one ruleset, in the order of `leadIds`."""
        found = await leads.list_scores_of_leads(info.context, lead_ids, ruleset)
        return [LeadScore(lead_id=strawberry.ID(each.lead_id), score=BigInt(each.score)) for each in found]

    @field
    async def search_leads(
        self, info: Info, q: Annotated[str, strawberry.argument(description="At least two characters.")]
    ) -> list[LeadMatch]:
        """Up to 10 leads whose id begins with the text or whose alias contains it."""
        return [
            LeadMatch(
                id=strawberry.ID(match.id),
                match_type=MatchType(match.match_type),
                best_alias=match.best_alias,
                engagement_level=match.engagement_level,
                profile_level=match.profile_level,
            )
            for match in await leads.search_leads(info.context, q)
        ]
