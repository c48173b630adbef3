"""Routes of one lead: read, create, replace, patch, and what belongs to it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, RootModel

from leadvibe.resolvers import lead_edits, leads
from leadvibe.resolvers.context import Context
from leadvibe.resolvers.lead_edits import LeadReplacement, NewLead
from leadvibe.rest_compat.table import Call, Route
from leadvibe.store.tables import Account, Lead, LeadAlias


class LeadBody(BaseModel):
    """A lead. `score` is the primary engagement score; `merged_into` is set on a lead that was merged away."""

    id: str
    org_id: str
    unit_id: str
    account_id: str | None
    owner_id: str | None
    owner_name: str | None
    score: int
    last_event_at: datetime | None
    created_at: datetime
    updated_at: datetime
    merged_into: str | None
    metadata: dict[str, Any]


class AccountBody(BaseModel):
    account_id: str
    org_id: str
    domain: str | None
    name: str | None
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class NoAccount(BaseModel):
    """{}: the lead belongs to no account."""


class LeadAndAccount(BaseModel):
    lead: LeadBody
    account: AccountBody | NoAccount


class MetadataPatch(RootModel[dict[str, Any]]):
    """Keys to set; a key with null is removed, the others stay."""


class PatchedMetadata(BaseModel):
    """All of the lead's metadata, as it is now."""

    id: str
    org_id: str
    unit_id: str
    metadata: dict[str, Any]


class AliasRow(BaseModel):
    """An alias, spelled as ingest spells it and as the public documentation does."""

    id: str
    lead_id: str
    alias_kind: str
    raw_value: str
    kind: str
    value: str
    created_at: datetime


class ProfileBody(BaseModel):
    """The attributes that profile rules read: the lead's metadata."""

    lead_id: str
    metadata: dict[str, Any]


class AccountMetadata(BaseModel):
    """The metadata of the lead's account; null and {} without one."""

    lead_id: str
    account_id: str | None
    metadata: dict[str, Any]


def lead_body(lead: Lead, org_id: str) -> dict[str, Any]:
    return {
        "id": lead.lead_id,
        "org_id": org_id,
        "unit_id": lead.unit_id,
        "account_id": lead.account_id,
        "owner_id": lead.owner_id,
        "owner_name": lead.owner_name,
        "score": lead.score,
        "last_event_at": lead.last_event_at,
        "created_at": lead.created_at,
        "updated_at": lead.updated_at,
        "merged_into": lead.merged_into,
        "metadata": lead.lead_metadata,
    }


def _account_body(account: Account | None) -> dict[str, Any]:
    if account is None:
        return {}
    return account.model_dump(include=set(AccountBody.model_fields)) | {"metadata": account.account_metadata}


async def _account_of(context: Context, lead: Lead) -> Account | None:
    if lead.account_id is None:
        return None
    return (await leads.get_lead_accounts(context, [lead.account_id])).get(lead.account_id)


async def _get(context: Context, call: Call) -> Any:
    lead = await leads.get_lead(context, call.path["leadID"])
    account = await _account_of(context, lead)
    return {"lead": lead_body(lead, context.caller.org_id), "account": _account_body(account)}


async def _create(context: Context, call: Call) -> Any:
    return lead_body(await lead_edits.create_lead(context, call.body), context.caller.org_id)


async def _replace(context: Context, call: Call) -> Any:
    lead = await lead_edits.replace_lead(context, call.path["leadID"], call.body)
    return lead_body(lead, context.caller.org_id)


async def _patch(context: Context, call: Call) -> Any:
    lead = await lead_edits.patch_lead_metadata(context, call.path["leadID"], call.body.root)
    shown = lead_body(lead, context.caller.org_id)
    return {name: shown[name] for name in PatchedMetadata.model_fields}


async def _aliases(context: Context, call: Call) -> Any:
    lead = await leads.get_lead(context, call.path["leadID"])
    found = await leads.list_lead_aliases(context, [lead.lead_id])
    return [_alias_row(alias) for alias in found[lead.lead_id]]


def _alias_row(alias: LeadAlias) -> dict[str, Any]:
    return {
        "id": alias.alias_id,
        "lead_id": alias.lead_id,
        "alias_kind": alias.alias_kind,
        "raw_value": alias.raw_value,
        "kind": alias.alias_kind,
        "value": alias.raw_value,
        "created_at": alias.created_at,
    }


async def _profile(context: Context, call: Call) -> Any:
    lead = await leads.get_lead(context, call.path["leadID"])
    return {"lead_id": lead.lead_id, "metadata": lead.lead_metadata}


async def _account(context: Context, call: Call) -> Any:
    lead = await leads.get_lead(context, call.path["leadID"])
    account = await _account_of(context, lead)
    metadata = account.account_metadata if account else {}
    return {"lead_id": lead.lead_id, "account_id": lead.account_id, "metadata": metadata}


ROUTES = [
    Route(
        method="GET", path="/leads/{leadID}", summary="Get a lead with its account", tag="Leads", run=_get,
        aliases=("/lead/{leadID}",), returns=LeadAndAccount, errors=(404,),
    ),
    Route(
        method="POST", path="/leads", summary="Create a lead", tag="Leads", run=_create, status=201,
        aliases=("/lead",), body=NewLead, returns=LeadBody, errors=(404, 409, 413),
    ),
    Route(
        method="PUT", path="/lead/{leadID}", summary="Replace a lead's metadata, optionally its account",
        tag="Leads", run=_replace, body=LeadReplacement, returns=LeadBody, errors=(404, 409, 413),
    ),
    Route(
        method="PATCH", path="/leads/{leadID}/metadata", summary="Patch a lead's metadata", tag="Leads", run=_patch,
        aliases=("/lead/{leadID}/metadata",), body=MetadataPatch, returns=PatchedMetadata, errors=(404, 409, 413),
    ),
    Route(
        method="GET", path="/leads/{leadID}/aliases", summary="List a lead's aliases", tag="Leads", run=_aliases,
        aliases=("/lead/{leadID}/aliases",), returns=list[AliasRow], errors=(404,),
    ),
    Route(
        method="GET", path="/leads/{leadID}/profile", summary="Get a lead's profile metadata", tag="Leads",
        run=_profile, returns=ProfileBody, errors=(404,),
    ),
    Route(
        method="GET", path="/leads/{leadID}/account", summary="Get the metadata of a lead's account", tag="Leads",
        run=_account, returns=AccountMetadata, errors=(404,),
    ),
]  # fmt: skip
