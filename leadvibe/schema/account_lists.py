"""Accounts in lists and with their leads; deleting them; the keys that metadata has."""

from __future__ import annotations

from typing import Annotated, Any

import strawberry

from leadvibe.resolvers import accounts
from leadvibe.schema.accounts import ACCOUNT_READERS, Account, IntentLevel
from leadvibe.schema.context import Info
from leadvibe.schema.events import Event, event_of
from leadvibe.schema.fields import field
from leadvibe.schema.leads import Lead
from leadvibe.schema.paging import After, Connection, First, checked, connection
from leadvibe.schema.ranges import TimeRange, bounds
from leadvibe.schema.selections import reading
from leadvibe.store import account_queries


@strawberry.input(description="Which accounts a list shows; what is left out does not filter.")
class AccountFilter:
    search: str | None = strawberry.field(default=None, description="A part of the name or the domain.")
    intent_level: IntentLevel | None = strawberry.field(default=None, description="What the top score must say.")
    range: TimeRange = strawberry.field(default=TimeRange.ALL, description="When the account was made.")

    def as_condition(self) -> account_queries.AccountFilter:
        intent: Any = None if self.intent_level is None else self.intent_level.value
        return account_queries.AccountFilter(self.search or None, intent, *bounds(self.range))


@strawberry.type(description="An account with its best leads and its newest events.")
class AccountDetail:
    account: Account = strawberry.field(description="The account.")

    @field
    async def leads(self, info: Info) -> list[Lead]:
        """Its 500 leads with the highest scores."""
        return [Lead.of(row) for row in await accounts.list_account_leads(info.context, self.account.account_id)]

    @field
    async def recent_events(self, info: Info) -> list[Event]:
        """The newest 50 events of its leads."""
        return [event_of(row) for row in await accounts.list_account_events(info.context, self.account.account_id)]


@strawberry.type(description="What a deletion of accounts did.")
class DeletedAccounts:
    unlinked_leads: int = strawberry.field(description="How many leads belong to no account now.")
    deleted_accounts: int = strawberry.field(description="How many accounts are gone.")


@strawberry.type
class AccountQueries:
    @field
    async def accounts(
        self,
        info: Info,
        first: First = 50,
        after: After = None,
        filter: Annotated[AccountFilter | None, strawberry.argument(description="Which accounts.")] = None,
    ) -> Connection[Account]:
        """The unit's accounts by the highest score of their leads, then by name."""
        wanted = filter.as_condition() if filter else account_queries.AccountFilter()
        read = reading(info, ACCOUNT_READERS)
        page = await accounts.list_accounts(info.context, wanted, checked(first), after, read=read)
        return connection(page, [Account.of(row) for row in page.rows], after)

    @field
    async def account(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Its id, or its domain.")]
    ) -> AccountDetail | None:
        """One account; null, with an error `not_found`, when the unit has none of this id or domain."""
        return AccountDetail(account=Account.of(await accounts.get_account(info.context, id)))

    @field
    async def account_metadata_properties(self, info: Info) -> list[str]:
        """The top-level keys of the metadata of the newest 5,000 accounts, in alphabetical order."""
        return list(await accounts.list_account_properties(info.context))

    @field
    async def lead_metadata_properties(self, info: Info) -> list[str]:
        """The top-level keys of the metadata of the newest 5,000 leads, in alphabetical order."""
        return list(await accounts.list_lead_properties(info.context))


@strawberry.type
class AccountMutations:
    @field
    async def delete_accounts(
        self, info: Info, ids: Annotated[list[strawberry.ID], strawberry.argument(description="1 to 1,000 accounts.")]
    ) -> DeletedAccounts | None:
        """Unlinks the leads of these accounts, which stay, and deletes the accounts; unknown ids are ignored."""
        done = await accounts.delete_accounts(info.context, ids)
        return DeletedAccounts(unlinked_leads=done.unlinked_leads, deleted_accounts=done.deleted_accounts)
