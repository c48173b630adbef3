"""Backfills: what mappings and linking would have done, had they been there before a unit's leads."""

from __future__ import annotations

from dataclasses import asdict

import strawberry

from leadvibe.resolvers import backfill
from leadvibe.schema.context import Info
from leadvibe.schema.fields import field


@strawberry.type(description="What a backfill of accounts did.")
class LinkedAccounts:
    leads_processed: int = strawberry.field(description="Over how many leads it went.")
    accounts_linked: int = strawberry.field(description="How many leads got an account.")
    accounts_created: int = strawberry.field(description="How many accounts were made.")
    profile_scores_updated: int = strawberry.field(description="How many profile scores changed.")


@strawberry.type(description="What a backfill of the events' accounts did.")
class NamedAccounts:
    events_scanned: int = strawberry.field(description="Over how many events it went.")
    events_updated: int = strawberry.field(description="How many events name another account now.")
    leads_without_account: int = strawberry.field(description="How many leads with events have no account.")


@strawberry.type(description="What a backfill of profile mappings did.")
class MappedProfiles:
    leads_processed: int = strawberry.field(description="Over how many leads it went.")
    leads_updated: int = strawberry.field(description="Of how many leads the metadata changed.")


@strawberry.type
class BackfillMutations:
    @field
    async def backfill_accounts(self, info: Info) -> LinkedAccounts | None:
        """Links the unit's leads to accounts, maps and rescores their profiles. For the unit's owners."""
        return LinkedAccounts(**asdict(await backfill.backfill_accounts(info.context)))

    @field
    async def backfill_event_accounts(self, info: Info) -> NamedAccounts | None:
        """Writes the account of each event's lead into the event's metadata. For the unit's owners."""
        return NamedAccounts(**asdict(await backfill.backfill_event_accounts(info.context)))

    @field
    async def backfill_profile_mappings(self, info: Info) -> MappedProfiles | None:
        """Fills the metadata of the unit's leads by the profile mappings."""
        return MappedProfiles(**asdict(await backfill.backfill_profile_mappings(info.context)))
