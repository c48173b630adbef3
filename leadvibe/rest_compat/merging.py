"""Routes of merging leads."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from leadvibe.resolvers import merging
from leadvibe.resolvers.context import Context
from leadvibe.resolvers.merging import Merging
from leadvibe.rest_compat.lead import LeadBody, lead_body
from leadvibe.rest_compat.table import Call, Route


class Rescore(BaseModel):
    """The target's scores by ruleset id, as a replay of all its events makes them."""

    status: str
    scores: dict[str, int]


class MergedBody(BaseModel):
    target: LeadBody
    mergedSources: list[str]
    movedEvents: int
    truncatedEvents: int
    rescore: Rescore


class AccountName(BaseModel):
    account_id: str
    name: str | None


class PreviewBody(BaseModel):
    """`duplicate_aliases` is always 0: an alias belongs to one lead of the unit."""

    target_lead_id: str
    source_lead_ids: list[str]
    target_events: int
    total_events: int
    total_aliases: int
    total_sessions: int
    duplicate_aliases: int
    target_score: int
    source_scores: dict[str, int]
    account_conflict: bool
    accounts: list[AccountName]


async def _merge(context: Context, call: Call) -> Any:
    merged = await merging.merge_leads(context, call.body)
    return {
        "target": lead_body(merged.target, context.caller.org_id),
        "mergedSources": merged.source_lead_ids,
        "movedEvents": merged.moved_events,
        "truncatedEvents": merged.truncated_events,
        "rescore": {"status": "completed", "scores": merged.target.scores},
    }


async def _preview(context: Context, call: Call) -> Any:
    preview = await merging.preview_merge(context, call.body)
    return {
        "target_lead_id": preview.target_lead_id,
        "source_lead_ids": preview.source_lead_ids,
        "target_events": preview.target_events,
        "total_events": preview.total_events,
        "total_aliases": preview.total_aliases,
        "total_sessions": preview.total_sessions,
        "duplicate_aliases": 0,
        "target_score": preview.target_score,
        "source_scores": preview.source_scores,
        "account_conflict": preview.account_conflict,
        "accounts": [{"account_id": account.account_id, "name": account.name} for account in preview.accounts],
    }


ROUTES = [
    Route(
        method="POST", path="/leads/merge", summary="Merge leads", tag="Leads", run=_merge, body=Merging,
        returns=MergedBody, errors=(404,),
    ),
    Route(
        method="POST", path="/leads/merge/preview", summary="Preview a merge of leads", tag="Leads", run=_preview,
        body=Merging, returns=PreviewBody, errors=(404,),
    ),
]  # fmt: skip
