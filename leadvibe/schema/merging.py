"""Merging leads, and what a merge would do."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Annotated

import strawberry

from leadvibe.resolvers import merging
from leadvibe.resolvers.merging import Merging
from leadvibe.schema.accounts import Account
from leadvibe.schema.context import Info
from leadvibe.schema.derive import body_of
from leadvibe.schema.fields import field
from leadvibe.schema.lead_lookups import LeadScore
from leadvibe.schema.leads import Lead
from leadvibe.schema.of_lead import find_lead, find_leads
from leadvibe.schema.scalars import BigInt


@strawberry.enum(description="How much of the sources' history a merge carries over.")
class TruncatePolicy(Enum):
    NONE = strawberry.enum_value("none", description="All of it.")
    KEEP_LAST_N = strawberry.enum_value("keep_last_n", description="The latest events, `limit` of them.")
    BEFORE = strawberry.enum_value("before", description="All but the events before `before`.")


@strawberry.input(description="Which events of the sources are dropped.")
class TruncateInput:
    policy: TruncatePolicy = strawberry.field(default=TruncatePolicy.NONE, description="By which rule.")
    limit: BigInt | None = strawberry.field(default=None, description="For KEEP_LAST_N: how many events are kept.")
    before: datetime | None = strawberry.field(default=None, description="For BEFORE: the time.")


@strawberry.input(description="The lead that stays, and the leads that become part of it.")
class MergeInput:
    target_lead_id: strawberry.ID = strawberry.field(description="The lead that stays.")
    source_lead_ids: list[strawberry.ID] = strawberry.field(description="1 to 100 leads that are merged into it.")
    truncate: TruncateInput | None = strawberry.field(default=None, description="Default: no event is dropped.")


@strawberry.type(description="What a merge did.")
class MergeResult:
    target: Lead = strawberry.field(description="The lead that stayed, with the scores that all its events make.")
    merged_sources: list[strawberry.ID] = strawberry.field(description="The leads that became part of it.")
    moved_events: BigInt = strawberry.field(description="How many events moved to it.")
    truncated_events: BigInt = strawberry.field(description="How many events were dropped.")


@strawberry.type(description="What a merge would bring together.")
class MergePreview:
    target_lead_id: strawberry.ID = strawberry.field(description="The lead that would stay.")
    source_lead_ids: list[strawberry.ID] = strawberry.field(description="The leads that would become part of it.")
    target_events: BigInt = strawberry.field(description="How many events the target has.")
    total_events: BigInt = strawberry.field(description="How many events the sources have.")
    total_aliases: BigInt = strawberry.field(description="How many aliases the sources have.")
    total_sessions: BigInt = strawberry.field(description="In how many sessions the sources were active.")
    target_score: BigInt = strawberry.field(description="The target's score.")
    source_scores: list[LeadScore] = strawberry.field(description="The sources' scores.")
    account_conflict: bool = strawberry.field(description="Whether the leads belong to different accounts.")
    accounts: list[Account] = strawberry.field(description="The accounts of these leads; the target's would stay.")

    @field
    async def target(self, info: Info) -> Lead | None:
        """The lead that would stay."""
        return await find_lead(info, self.target_lead_id)

    @field
    async def sources(self, info: Info) -> list[Lead]:
        """The leads that would become part of it."""
        return await find_leads(info, self.source_lead_ids)


@strawberry.type
class MergeQueries:
    @field
    async def merge_preview(
        self, info: Info, input: Annotated[MergeInput, strawberry.argument(description="Which leads.")]
    ) -> MergePreview:
        """What a merge would bring together; it changes nothing."""
        preview = await merging.preview_merge(info.context, _body(input))
        return MergePreview(
            target_lead_id=strawberry.ID(preview.target_lead_id),
            source_lead_ids=[strawberry.ID(source) for source in preview.source_lead_ids],
            target_events=BigInt(preview.target_events),
            total_events=BigInt(preview.total_events),
            total_aliases=BigInt(preview.total_aliases),
            total_sessions=BigInt(preview.total_sessions),
            target_score=BigInt(preview.target_score),
            source_scores=[
                LeadScore(lead_id=strawberry.ID(lead_id), score=BigInt(score))
                for lead_id, score in preview.source_scores.items()
            ],
            account_conflict=preview.account_conflict,
            accounts=[Account.of(account) for account in preview.accounts],
        )


@strawberry.type
class MergeMutations:
    @field
    async def merge_leads(
        self, info: Info, input: Annotated[MergeInput, strawberry.argument(description="Which leads.")]
    ) -> MergeResult | None:
        """Merges leads into one: events, aliases and orders move, and the target is scored anew."""
        merged = await merging.merge_leads(info.context, _body(input))
        return MergeResult(
            target=Lead.of(merged.target),
            merged_sources=[strawberry.ID(source) for source in merged.source_lead_ids],
            moved_events=BigInt(merged.moved_events),
            truncated_events=BigInt(merged.truncated_events),
        )


def _body(given: MergeInput) -> Merging:
    truncate = given.truncate and vars(given.truncate) | {"policy": given.truncate.policy.value}
    return body_of(Merging, vars(given) | {"truncate": truncate})
