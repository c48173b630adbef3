"""Leads: what clients write of them."""

from __future__ import annotations

from typing import Annotated, Any

import strawberry

from leadvibe.resolvers import lead_edits
from leadvibe.resolvers.lead_edits import LeadReplacement, NewLead
from leadvibe.schema.context import Info
from leadvibe.schema.derive import body_of
from leadvibe.schema.fields import field
from leadvibe.schema.leads import Lead

LeadId = Annotated[strawberry.ID, strawberry.argument(description="The lead.")]


@strawberry.input(description="A lead to create.")
class LeadInput:
    id: strawberry.ID = strawberry.field(description="Opaque text of up to 200 characters, unique in the unit.")
    metadata: dict[str, Any] | None = strawberry.field(default=strawberry.UNSET, description="At most 100 KB of JSON.")
    account_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The account it belongs to."
    )


@strawberry.input(description="What replaces a lead's metadata and account; what is left out stays.")
class LeadReplacementInput:
    metadata: dict[str, Any] | None = strawberry.field(
        default=strawberry.UNSET, description="All metadata from now on, at most 100 KB."
    )
    account_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The account; null unlinks."
    )


@strawberry.input(description="What changes in a lead's metadata.")
class LeadMetadataInput:
    metadata: dict[str, Any] = strawberry.field(
        description="Keys to set; a key with null is removed, others stay. At most 100 KB in all."
    )


@strawberry.type
class LeadMutations:
    @field
    async def create_lead(
        self, info: Info, input: Annotated[LeadInput, strawberry.argument(description="The new lead.")]
    ) -> Lead | None:
        """Creates a lead; `lead_exists` when the unit has one of this id."""
        return Lead.of(await lead_edits.create_lead(info.context, body_of(NewLead, input)))

    @field
    async def replace_lead(
        self,
        info: Info,
        id: LeadId,
        input: Annotated[LeadReplacementInput, strawberry.argument(description="What it becomes.")],
    ) -> Lead | None:
        """Replaces a lead's metadata, and links or unlinks its account."""
        return Lead.of(await lead_edits.replace_lead(info.context, id, body_of(LeadReplacement, input)))

    @field
    async def patch_lead_metadata(
        self,
        info: Info,
        id: LeadId,
        input: Annotated[LeadMetadataInput, strawberry.argument(description="What changes.")],
    ) -> Lead | None:
        """Changes single keys of a lead's metadata."""
        return Lead.of(await lead_edits.patch_lead_metadata(info.context, id, input.metadata))
