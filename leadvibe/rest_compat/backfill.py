"""Routes of backfills."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from leadvibe.resolvers.backfill import ACCOUNTS, EVENT_ACCOUNTS, PROFILE_MAPPINGS, Backfill
from leadvibe.resolvers.context import Context
from leadvibe.rest_compat.table import BEARER, BOTH, Call, Route


@dataclass(frozen=True, slots=True)
class LinkedAccounts:
    """`accounts_linked`: leads that got an account. `profile_scores_updated`: scores, of a lead in a profile
    ruleset, that changed."""

    leads_processed: int
    accounts_linked: int
    accounts_created: int
    profile_scores_updated: int


@dataclass(frozen=True, slots=True)
class NamedAccounts:
    """`events_updated`: events whose metadata now has the account of their lead. `leads_without_account`: leads
    with events and no account."""

    events_scanned: int
    events_updated: int
    leads_without_account: int


@dataclass(frozen=True, slots=True)
class MappedProfiles:
    """Over how many leads a backfill went, and of how many it changed the metadata."""

    leads_processed: int
    leads_updated: int


def _backfill(backfill: Backfill, path: str, summary: str, returns: type[Any], auth: tuple[str, ...] = BOTH) -> Route:
    async def run(context: Context, call: Call) -> Any:
        return returns(**await backfill.run(context))

    return Route(
        method="POST", path=f"/admin/backfill/{path}", summary=summary, tag="Admin", run=run, auth=auth, returns=returns
    )


ROUTES = [
    _backfill(ACCOUNTS, "account-profile", "Backfill accounts and profile scores", LinkedAccounts, BEARER),
    _backfill(EVENT_ACCOUNTS, "event-account-ids", "Backfill accountId in event metadata", NamedAccounts, BEARER),
    _backfill(PROFILE_MAPPINGS, "profile-mappings", "Apply profile mappings to existing leads", MappedProfiles),
]
