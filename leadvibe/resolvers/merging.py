"""Merging leads, and what a merge would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from leadvibe.pipeline import merging as work
from leadvibe.pipeline.merging import Truncation
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.resolvers.family import StoredText
from leadvibe.resolvers.leads import get_lead, get_lead_accounts
from leadvibe.store import merging, sessions
from leadvibe.store.tables import Account, Lead
from leadvibe.times import Moment

MOST_SOURCES = 100


class Truncate(BaseModel):
    """How much of the sources' history is carried over."""

    policy: Literal["none", "keep_last_n", "before"] = Field(
        default="none", description="Drop no events, all but the latest, or those before a time."
    )
    limit: int | None = Field(default=None, ge=0, lt=2**63, description="keep_last_n: how many events are kept.")
    before: Moment | None = Field(default=None, description="before: events before this time are dropped.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.policy == "keep_last_n" and self.limit is None:
            raise ValueError("keep_last_n needs a limit")
        if self.policy == "before" and self.before is None:
            raise ValueError("before needs a time")
        return self

    def truncation(self) -> Truncation:
        match self.policy:
            case "keep_last_n":
                return Truncation(keep_last=self.limit)
            case "before":
                return Truncation(before=self.before)
        return Truncation()


class Merging(BaseModel):
    """The lead that stays, and the leads that become part of it."""

    model_config = ConfigDict(populate_by_name=True)

    target_lead_id: StoredText = Field(alias="targetLeadId", min_length=1)
    source_lead_ids: list[StoredText] = Field(alias="sourceLeadIds", min_length=1, max_length=MOST_SOURCES)
    truncate: Truncate | None = Field(default=None, description="Default: no event is dropped.")

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if self.target_lead_id in self.source_lead_ids:
            raise ValueError("the target is among the sources")
        if len(set(self.source_lead_ids)) < len(self.source_lead_ids):
            raise ValueError("a source is named twice")
        return self


@dataclass(frozen=True, slots=True)
class Merged:
    """The target as the merge left it, and how many events of the sources moved or were dropped."""

    target: Lead
    source_lead_ids: Sequence[str]
    moved_events: int
    truncated_events: int


@dataclass(frozen=True, slots=True)
class MergePreview:
    """What a merge would bring together. `total_*` count what the sources have; `accounts`: the accounts
    of all these leads, of which the target's would stay."""

    target_lead_id: str
    source_lead_ids: Sequence[str]
    target_events: int
    total_events: int
    total_aliases: int
    total_sessions: int
    target_score: int
    source_scores: dict[str, int]
    accounts: Sequence[Account]

    @property
    def account_conflict(self) -> bool:
        return len(self.accounts) > 1


@operation(Permission.WRITE)
async def merge_leads(context: Context, values: Merging) -> Merged:
    """Merges leads of the unit in one transaction and tells its subscribers. 400 for a lead that was merged
    before, 404 for one that the unit does not have."""
    unit_id, services = context.caller.unit_id, context.services
    target, sources = values.target_lead_id, values.source_lead_ids
    truncation = (values.truncate or Truncate()).truncation()
    done = await work.merge(services.database, unit_id, target, sources, truncation, context.caller.actor)
    await services.hub.publish(unit_id, done.seq, done.seq)
    return Merged(await get_lead(context, target), sources, done.moved_events, done.truncated_events)


@operation(Permission.READ)
async def preview_merge(context: Context, values: Merging) -> MergePreview:
    """The same refusals as `merge_leads`; changes nothing."""
    unit_id = context.caller.unit_id
    target, sources = values.target_lead_id, values.source_lead_ids
    async with context.services.database.pool.acquire() as connection, connection.transaction():
        found = await merging.lock_leads(connection, unit_id, [target, *sources])
        leads = work.check(found, target, sources)
        of_target = await merging.extent(connection, unit_id, [target])
        of_sources = await merging.extent(connection, unit_id, sources)
        sessions_of = await sessions.counts(connection, unit_id, sources)
    account_ids = {lead["account_id"] for lead in leads} - {None}
    accounts = await get_lead_accounts(context, sorted(account_ids))
    return MergePreview(
        target,
        sources,
        of_target["events"],
        of_sources["events"],
        of_sources["aliases"],
        sum(sessions_of.values()),
        found[target]["score"],
        {source: found[source]["score"] for source in sources},
        list(accounts.values()),
    )
