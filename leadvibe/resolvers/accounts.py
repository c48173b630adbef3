"""Accounts: the companies whose people are leads. What is about them answers 403 while account-based scoring is off."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.errors import bad_request, not_found
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.resolvers.fit import needs_abm
from leadvibe.store import account_queries, metadata_keys, segment_members
from leadvibe.store.account_queries import AccountFigures, AccountFilter
from leadvibe.store.columns import now
from leadvibe.store.database import driver
from leadvibe.store.lanes import lock_lane
from leadvibe.store.paging import EVERYTHING, Page, Reading
from leadvibe.store.tables import Account, EngagementEvent, Lead

# The reference: an account surges when one of its leads did within this time.
_SURGES_FOR = timedelta(hours=24)
# What an account shows of itself: its best leads (a page of the reference) and its newest events.
MOST_LEADS = 500
MOST_EVENTS = 50
# As many as a request may delete.
MOST_DELETED = 1_000


@dataclass(frozen=True, slots=True)
class DeletedAccounts:
    """What a deletion of accounts did: how many leads belong to none now, how many accounts are gone."""

    unlinked_leads: int
    deleted_accounts: int


@asynccontextmanager
async def _open(context: Context) -> AsyncIterator[AsyncSession]:
    """A transaction behind the gate."""
    async with context.services.database.session() as session, session.begin():
        await needs_abm(session, context.caller, {})
        yield session


@operation(Permission.READ)
async def list_accounts(
    context: Context,
    wanted: AccountFilter,
    limit: int,
    after: str | None = None,
    offset: int = 0,
    read: Reading = EVERYTHING,
) -> Page[Account]:
    """The unit's accounts by the highest score of their leads, then by name."""
    async with _open(context) as session:
        return await account_queries.page(session, context.caller.unit_id, wanted, limit, after, offset, read)


@operation(Permission.READ)
async def get_account(context: Context, name: str) -> Account:
    """The account with this id, else with this domain; 404 when the unit has none."""
    async with _open(context) as session:
        found = await account_queries.account(session, context.caller.unit_id, name)
    if found is None:
        raise not_found(f"The account {name}")
    return found


@operation(Permission.READ)
async def get_account_figures(context: Context, account_ids: Sequence[str]) -> dict[str, AccountFigures]:
    """What the leads of each of these accounts add up to."""
    async with _open(context) as session:
        return await account_queries.figures(session, context.caller.unit_id, account_ids, now() - _SURGES_FOR)


@operation(Permission.READ)
async def list_account_leads(context: Context, account_id: str) -> Sequence[Lead]:
    """The account's leads with the highest scores, MOST_LEADS of them."""
    async with _open(context) as session:
        return await account_queries.leads(session, context.caller.unit_id, account_id, MOST_LEADS)


@operation(Permission.READ)
async def list_account_events(context: Context, account_id: str) -> Sequence[EngagementEvent]:
    """The newest MOST_EVENTS events of the account's leads, hidden types left out."""
    async with _open(context) as session:
        return await account_queries.events(session, context.caller.unit_id, account_id, MOST_EVENTS)


@operation(Permission.WRITE)
async def delete_accounts(context: Context, account_ids: Sequence[str]) -> DeletedAccounts:
    """Unlinks the leads of these accounts, which stay, and deletes the accounts. An account belongs to one
    unit, so nobody else's lead can still need it. Unknown ids are ignored; 400 when there are none, or more
    than MOST_DELETED."""
    unit_id = context.caller.unit_id
    async with _open(context) as session:
        if not 1 <= len(account_ids) <= MOST_DELETED:
            raise bad_request(f"Name 1 to {MOST_DELETED} accounts.", ids=f"must have 1 to {MOST_DELETED} items")
        stored = [account_id for account_id in account_ids if "\0" not in account_id]
        await lock_lane(session, unit_id)
        await segment_members.touch_accounts(await driver(session), unit_id, stored)
        unlinked = await account_queries.unlink(session, unit_id, stored)
        return DeletedAccounts(unlinked, await account_queries.remove(session, unit_id, stored))


@operation(Permission.READ)
async def list_account_properties(context: Context) -> Sequence[str]:
    """The top-level keys of the newest accounts' metadata, in alphabetical order."""
    async with _open(context) as session:
        return await metadata_keys.of_accounts(session, context.caller.unit_id)


@operation(Permission.READ)
async def list_lead_properties(context: Context) -> Sequence[str]:
    """The top-level keys of the newest leads' metadata, in alphabetical order."""
    async with context.services.database.session() as session:
        return await metadata_keys.of_leads(session, context.caller.unit_id)
