"""What clients write of a lead: its id, its metadata and its account."""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import BaseModel, Field
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.errors import bad_request, conflict, not_found
from leadvibe.pipeline import accounts
from leadvibe.pipeline.events import encoded_metadata
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.resolvers.family import StoredText
from leadvibe.scoring.fit import fit_scores, mapped
from leadvibe.store import lead_queries, segment_members, unit_config
from leadvibe.store.columns import now
from leadvibe.store.database import driver
from leadvibe.store.lanes import lock_lane
from leadvibe.store.tables import Account, Lead

_ACCOUNT = "The account the lead belongs to; it must exist."


class NewLead(BaseModel):
    """A lead to create."""

    id: StoredText = Field(min_length=1, max_length=200, description="Opaque text, unique in the unit.")
    metadata: dict[str, Any] | None = Field(default=None, description="At most 100 KB of JSON.")
    account_id: StoredText | None = Field(default=None, description=_ACCOUNT)


class LeadReplacement(BaseModel):
    """What replaces a lead's metadata and account; what is left out stays."""

    metadata: dict[str, Any] = Field(default={}, description="All metadata from now on, at most 100 KB.")
    account_id: StoredText | None = Field(default=None, description=_ACCOUNT + " Null unlinks.")


@operation(Permission.WRITE)
async def create_lead(context: Context, values: NewLead) -> Lead:
    """409 when the unit has a lead of this id, also one that was merged away or is being deleted; 404 for
    an unknown account."""
    unit_id = context.caller.unit_id
    metadata = _checked(values.metadata or {})
    async with context.services.database.session() as session, session.begin():
        lane = await lock_lane(session, unit_id)
        if await session.get(Lead, (unit_id, values.id)) is not None:
            raise conflict(f"There is a lead {values.id} already.", code="lead_exists")
        await _check_account(session, unit_id, values.account_id)
        created = now()
        lead = Lead(
            unit_id=unit_id,
            lead_id=values.id,
            account_id=values.account_id,
            lead_metadata=metadata,
            created_at=created,
            updated_at=created,
        )
        await _rescore(session, lead)
        session.add(lead)
        lane.lead_count += 1
        await _tell_account(session, lead, metadata)
        await segment_members.touch(await driver(session), unit_id, [lead.lead_id])
    return lead


@operation(Permission.WRITE)
async def replace_lead(context: Context, lead_id: str, values: LeadReplacement) -> Lead:
    """Replaces the metadata, and links or unlinks the account, as far as they are given. 404 for an unknown
    lead or account, 409 for a lead that was merged away."""
    unit_id, given = context.caller.unit_id, values.model_fields_set
    metadata = _checked(values.metadata)
    async with context.services.database.session() as session, session.begin():
        lead = await _locked(session, unit_id, lead_id)
        if "metadata" in given:
            lead.lead_metadata = metadata
            await _rescore(session, lead)
        if "account_id" in given:
            await _check_account(session, unit_id, values.account_id)
            lead.account_id = values.account_id
        lead.updated_at = now()
        if lead.account_id is not None or "account_id" not in given:
            await _tell_account(session, lead, metadata)
    return lead


@operation(Permission.WRITE)
async def patch_lead_metadata(context: Context, lead_id: str, changes: dict[str, Any]) -> Lead:
    """Sets the keys that are given and removes those given as null; the others stay. 413 when the metadata
    would then be too large."""
    changes = _checked(changes)
    async with context.services.database.session() as session, session.begin():
        lead = await _locked(session, context.caller.unit_id, lead_id)
        removed = {key for key, value in changes.items() if value is None}
        kept = {key: value for key, value in (lead.lead_metadata | changes).items() if key not in removed}
        lead.lead_metadata = _checked(kept)
        await _rescore(session, lead)
        lead.updated_at = now()
        await _tell_account(session, lead, changes)
    return lead


def _checked(metadata: Any) -> dict[str, Any]:
    """The metadata as JSON can say it; 400 and 413 as for an event's."""
    try:
        plain: dict[str, Any] = orjson.loads(encoded_metadata(metadata))
    except ValueError as error:
        raise bad_request(f"The metadata {error}.", metadata=str(error)) from None
    return plain


async def _rescore(session: AsyncSession, lead: Lead) -> None:
    """Brings the lead's profile scores to its metadata; under the lane no rule changes meanwhile."""
    config = await unit_config.load_fit(await driver(session), lead.unit_id, "profile")
    lead.profile_scores = fit_scores(config, lead.lead_metadata)
    lead.profile_score = lead.profile_scores.get(config.primary_ruleset_id or "", 0)


async def _tell_account(session: AsyncSession, lead: Lead, said: dict[str, Any]) -> None:
    """What is said of a lead counts for its account as if an event had said it: it may name the account of a lead
    that has none, and is mapped to the account's properties."""
    connection, unit_id = await driver(session), lead.unit_id
    config = await unit_config.load_account(connection, unit_id)
    if config is None:
        return
    if lead.account_id is None and (named := accounts.named_accounts([said])):
        known = await lead_queries.accounts(session, unit_id, named)
        lead.account_id = next((each for each in named if each in known), None)
    account = await session.get(Account, (unit_id, lead.account_id or ""), with_for_update=True)
    if account is None:
        return
    properties = mapped(config.mappings, said, account.account_metadata)
    if properties != account.account_metadata:
        account.account_metadata, account.updated_at = properties, now()
        account.account_scores = fit_scores(config, properties)
        account.account_score = account.account_scores.get(config.primary_ruleset_id or "", 0)
        await segment_members.touch_accounts(connection, unit_id, [account.account_id])


async def _locked(session: AsyncSession, unit_id: str, lead_id: str) -> Lead:
    """The lead, which nobody else changes until the transaction ends, nor the rules that score it. Its segments
    are looked at again."""
    await lock_lane(session, unit_id)
    lead = await session.get(Lead, (unit_id, lead_id), with_for_update=True)
    if lead is None or lead.deleting:
        raise not_found(f"Lead {lead_id}")
    if lead.merged_into is not None:
        raise conflict(f"The lead {lead_id} was merged into {lead.merged_into}.", code="lead_merged")
    await segment_members.touch(await driver(session), unit_id, [lead_id])
    return lead


async def _check_account(session: AsyncSession, unit_id: str, account_id: str | None) -> None:
    if account_id is not None and not await lead_queries.accounts(session, unit_id, [account_id]):
        raise not_found(f"The account {account_id}")
