"""Routes of accounts, and of the keys that metadata has."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from leadvibe.errors import not_found
from leadvibe.resolvers import accounts
from leadvibe.resolvers.accounts import DeletedAccounts
from leadvibe.resolvers.context import Context
from leadvibe.resolvers.levels import ACCOUNT_LEVELS, as_levels
from leadvibe.rest_compat.leads import Paging
from leadvibe.rest_compat.table import Call, Route
from leadvibe.scoring.levels import level_name
from leadvibe.scoring.model import Level
from leadvibe.store.account_queries import AccountFigures, AccountFilter, intent_of
from leadvibe.store.tables import Account, EngagementEvent, Lead
from leadvibe.store.time_ranges import TimeRange, bounds


class AccountsQuery(Paging):
    range: TimeRange = Field(default="all", description="Window of the account's creation.")
    search: str | None = Field(default=None, description="A part of the name or the domain.")
    intent_level: Literal["all", "low", "medium", "high"] = Field(
        default="all", description="low: a top score below 25, medium: below 50, high: from 50 on."
    )


class AccountRow(BaseModel):
    """An account. `top_score`: the highest engagement score of its leads, `owner_name`: that lead's owner.
    `account_score`: how well the company fits, by the primary account ruleset. `surging`: one of its leads
    surged within 24 hours."""

    account_id: str
    org_id: str
    unit_id: str
    name: str | None
    domain: str | None
    top_score: int
    leads_count: int
    owner_name: str | None
    surging: bool
    intent_level: Literal["low", "medium", "high"]
    account_score: int
    account_level: str | None
    metadata: dict[str, Any]
    last_activity_at: datetime | None
    created_at: datetime
    updated_at: datetime


class AccountList(BaseModel):
    accounts: list[AccountRow]
    total: int
    page: int
    limit: int


class LeadOfAccount(BaseModel):
    lead_id: str
    score: int
    owner_name: str | None
    last_event_at: datetime | None
    metadata: dict[str, Any]


class EventOfAccount(BaseModel):
    id: str
    lead_id: str | None
    event_type: str
    timestamp: datetime
    metadata: dict[str, Any]


class AccountDetail(AccountRow):
    """An account with its best 500 leads, by score, and its newest 50 events."""

    leads: list[LeadOfAccount]
    recent_events: list[EventOfAccount]


class AccountIds(BaseModel):
    ids: list[str] = Field(description="1 to 1,000 accounts; unknown ones are ignored.")


def _row(account: Account, figures: AccountFigures, levels: list[Level]) -> dict[str, Any]:
    return {
        "account_id": account.account_id,
        "org_id": account.org_id,
        "unit_id": account.unit_id,
        "name": account.name,
        "domain": account.domain,
        "top_score": figures.top_score,
        "leads_count": figures.leads_count,
        "owner_name": figures.owner_name,
        "surging": figures.surging,
        "intent_level": intent_of(figures.top_score),
        "account_score": account.account_score,
        "account_level": level_name(levels, account.account_score),
        "metadata": account.account_metadata,
        "last_activity_at": figures.last_activity_at,
        "created_at": account.created_at,
        "updated_at": account.updated_at,
    }


async def _rows(context: Context, found: list[Account]) -> list[dict[str, Any]]:
    """The accounts' rows; one that was deleted meanwhile is left out."""
    figures = await accounts.get_account_figures(context, [account.account_id for account in found])
    levels = as_levels(await ACCOUNT_LEVELS.list(context))
    return [_row(each, figures[each.account_id], levels) for each in found if each.account_id in figures]


async def _list(context: Context, call: Call) -> Any:
    query: AccountsQuery = call.query
    created_from, created_to = bounds(query.range, datetime.now(UTC))
    intent = None if query.intent_level == "all" else query.intent_level
    wanted = AccountFilter(query.search or None, intent, created_from, created_to)
    page = await accounts.list_accounts(context, wanted, query.limit, offset=query.offset)
    rows = await _rows(context, list(page.rows))
    return {"accounts": rows, "total": page.total, "page": query.page, "limit": query.limit}


async def _get(context: Context, call: Call) -> Any:
    account = await accounts.get_account(context, call.path["id"])
    row = next(iter(await _rows(context, [account])), None)
    if row is None:
        raise not_found(f"The account {account.account_id}")
    leads = await accounts.list_account_leads(context, account.account_id)
    events = await accounts.list_account_events(context, account.account_id)
    return row | {"leads": [_lead(lead) for lead in leads], "recent_events": [_event(event) for event in events]}


def _lead(lead: Lead) -> dict[str, Any]:
    return {
        "lead_id": lead.lead_id,
        "score": lead.score,
        "owner_name": lead.owner_name,
        "last_event_at": lead.last_event_at,
        "metadata": lead.lead_metadata,
    }


def _event(event: EngagementEvent) -> dict[str, Any]:
    return {
        "id": event.event_id,
        "lead_id": event.lead_id,
        "event_type": event.event_type,
        "timestamp": event.occurred_at,
        "metadata": event.event_metadata,
    }


async def _delete(context: Context, call: Call) -> Any:
    return await accounts.delete_accounts(context, call.body.ids)


async def _account_properties(context: Context, call: Call) -> Any:
    return await accounts.list_account_properties(context)


async def _lead_properties(context: Context, call: Call) -> Any:
    return await accounts.list_lead_properties(context)


ROUTES = [
    Route(
        method="GET", path="/accounts", summary="List accounts", tag="Account", run=_list,
        query=AccountsQuery, returns=AccountList,
    ),
    Route(
        method="DELETE", path="/accounts/batch", summary="Batch delete or unlink accounts", tag="Account", run=_delete,
        body=AccountIds, returns=DeletedAccounts,
    ),
    Route(
        method="GET", path="/accounts/{id}", summary="Get an account by its id or domain", tag="Account", run=_get,
        returns=AccountDetail, errors=(404,),
    ),
    Route(
        method="GET", path="/account-metadata/properties", summary="List metadata keys of accounts", tag="Account",
        run=_account_properties, returns=list[str],
    ),
    Route(
        method="GET", path="/lead-metadata/properties", summary="List metadata keys of leads", tag="Profile",
        run=_lead_properties, returns=list[str],
    ),
]  # fmt: skip
