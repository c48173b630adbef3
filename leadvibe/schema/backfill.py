"""Backfills: what mappings and linking would have done, had they been there before a unit's leads."""

from __future__ import annotations

import strawberry

from leadvibe.resolvers.backfill import ACCOUNTS, EVENT_ACCOUNTS, PROFILE_MAPPINGS
from leadvibe.schema.context import Info
from leadvibe.schema.fields import field
from leadvibe.schema.jobs import Job


@strawberry.type
class BackfillMutations:
    @field
    async def backfill_accounts(self, info: Info) -> Job | None:
        """Begins to link the unit's leads to accounts and to map and rescore their profiles. For the unit's owners.
        Counts leads_processed, accounts_linked, accounts_created and profile_scores_updated."""
        return Job.of(await ACCOUNTS.begin(info.context))

    @field
    async def backfill_event_accounts(self, info: Info) -> Job | None:
        """Begins to write the account of each event's lead into the event's metadata. For the unit's owners.
        Counts events_scanned, events_updated and leads_without_account."""
        return Job.of(await EVENT_ACCOUNTS.begin(info.context))

    @field
    async def backfill_profile_mappings(self, info: Info) -> Job | None:
        """Begins to fill the metadata of the unit's leads by the profile mappings.
        Counts leads_processed and leads_updated."""
        return Job.of(await PROFILE_MAPPINGS.begin(info.context))
