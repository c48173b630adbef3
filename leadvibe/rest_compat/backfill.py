"""Routes of backfills."""

from __future__ import annotations

from typing import Any

from leadvibe.pipeline.backfill import LinkedAccounts, MappedProfiles, NamedAccounts
from leadvibe.resolvers import backfill
from leadvibe.resolvers.context import Context
from leadvibe.rest_compat.table import BEARER, Call, Route


async def _accounts(context: Context, call: Call) -> Any:
    return await backfill.backfill_accounts(context)


async def _event_accounts(context: Context, call: Call) -> Any:
    return await backfill.backfill_event_accounts(context)


async def _profile_mappings(context: Context, call: Call) -> Any:
    return await backfill.backfill_profile_mappings(context)


ROUTES = [
    Route(
        method="POST", path="/admin/backfill/account-profile", summary="Backfill accounts and profile scores",
        tag="Admin", run=_accounts, auth=BEARER, returns=LinkedAccounts,
    ),
    Route(
        method="POST", path="/admin/backfill/event-account-ids", summary="Backfill accountId in event metadata",
        tag="Admin", run=_event_accounts, auth=BEARER, returns=NamedAccounts,
    ),
    Route(
        method="POST", path="/admin/backfill/profile-mappings", summary="Apply profile mappings to existing leads",
        tag="Admin", run=_profile_mappings, returns=MappedProfiles,
    ),
]  # fmt: skip
