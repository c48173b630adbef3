"""Backfills, which answer when they are done."""

from __future__ import annotations

from leadvibe.pipeline import backfill
from leadvibe.pipeline.backfill import LinkedAccounts, MappedProfiles, NamedAccounts
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.store.tables import now


@operation(Permission.OWN)
async def backfill_accounts(context: Context) -> LinkedAccounts:
    """Maps and rescores the profiles of the unit's leads and links the leads to accounts, unless account-based
    scoring is off."""
    return await backfill.link_accounts(context.services.database, context.caller.unit_id, now())


@operation(Permission.OWN)
async def backfill_event_accounts(context: Context) -> NamedAccounts:
    """Writes the account of each event's lead into the event's metadata."""
    return await backfill.name_accounts(context.services.database, context.caller.unit_id)


@operation(Permission.WRITE)
async def backfill_profile_mappings(context: Context) -> MappedProfiles:
    """Fills the metadata of the unit's leads by the profile mappings. The reference lets API credentials do
    it, which are Operators."""
    return await backfill.map_profiles(context.services.database, context.caller.unit_id, now())
