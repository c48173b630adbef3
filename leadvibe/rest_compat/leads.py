"""Routes of leads: list, search, scores."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from leadvibe.resolvers import leads
from leadvibe.resolvers.context import Context
from leadvibe.resolvers.fit import PROFILE_RULESETS
from leadvibe.resolvers.leads import MOST_SCORES, PRIMARY, LeadMatch, LeadScore, ScoreOfLead, primary_of
from leadvibe.resolvers.levels import LEVELS, PROFILE_LEVELS, as_levels
from leadvibe.resolvers.rulesets import RULESETS
from leadvibe.rest_compat.codec import encode
from leadvibe.rest_compat.table import Call, Route
from leadvibe.scoring.levels import level_name
from leadvibe.store.config_tables import ProfileRuleset, Ruleset
from leadvibe.store.lead_queries import LeadFilter
from leadvibe.store.tables import Lead
from leadvibe.store.time_ranges import TimeRange, bounds

_ACTIVE_DAYS = {"7d": 7, "30d": 30}

# PostgreSQL's OFFSET is a bigint.
_LAST_PAGE = 2**31


class Paging(BaseModel):
    """The page parameters of every REST list."""

    page: int = Field(default=1, ge=1, le=_LAST_PAGE)
    limit: int = Field(default=50, ge=1, le=500)

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.limit


class LeadsQuery(Paging):
    range: TimeRange | None = Field(default=None, description="Window of the lead's creation, and of `session_count`.")
    min_score: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    max_score: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    event_type: str | None = Field(default=None, description="Type of the lead's last event.")
    last_active: Literal["any", "7d", "30d"] = "any"


class LeadRow(BaseModel):
    """A lead in the list. `score` is the primary engagement score; the maps go by ruleset id. `session_count`: the
    sessions in the range, by the lead's newest 200 events in it."""

    org_id: str
    lead_id: str
    score: int
    ruleset_id: str | None
    last_event_at: datetime | None
    created_at: datetime
    updated_at: datetime
    owner_id: str | None
    owner_name: str | None
    account_id: str | None
    metadata: dict[str, Any]
    session_count: int
    engagement_level: str | None
    profile_level: str | None
    engagement_scores: dict[str, int]
    profile_scores: dict[str, int]
    ruleset_names: dict[str, str]
    engagement_primary_ruleset_name: str | None
    profile_primary_ruleset_name: str | None


class LeadList(BaseModel):
    """`total`, `page` and `limit` are there when the request paged."""

    leads: list[LeadRow]
    total: int | None = None
    page: int | None = None
    limit: int | None = None


class SearchQuery(BaseModel):
    q: str = Field(default="", description="At least two characters; fewer find nothing.")


class ScoreQuery(BaseModel):
    ruleset_id: str | None = Field(default=None, description="Default: the highest over all active rulesets.")


class ScoresBody(BaseModel):
    lead_ids: list[str] = Field(min_length=1, max_length=MOST_SCORES)
    ruleset: str | None = Field(default=None, description="`primary` (the default), or a ruleset's id or name.")


async def _list(context: Context, call: Call) -> Any:
    query: LeadsQuery = call.query
    rulesets, fit = await RULESETS.list(context), await PROFILE_RULESETS.list(context)
    levels, fit_levels = as_levels(await LEVELS.list(context)), as_levels(await PROFILE_LEVELS.list(context))

    async def rows(group: Sequence[Lead]) -> list[dict[str, Any]]:
        sessions = await leads.count_lead_sessions(context, [lead.lead_id for lead in group], query.range)
        return [
            _row(lead, rulesets, fit)
            | {
                "org_id": context.caller.org_id,
                "session_count": sessions[lead.lead_id],
                "engagement_level": level_name(levels, lead.score),
                "profile_level": level_name(fit_levels, lead.profile_score),
            }
            for lead in group
        ]

    wanted = _filter(query)
    if not {"page", "limit"} & query.model_fields_set:
        groups = await leads.list_all_leads(context, wanted)
        return StreamingResponse(_all(groups, rows), media_type="application/json")
    page = await leads.list_leads(context, wanted, limit=query.limit, offset=query.offset)
    return {"leads": await rows(page.rows), "total": page.total, "page": query.page, "limit": query.limit}


async def _all(
    groups: AsyncIterator[list[Lead]], rows: Callable[[Sequence[Lead]], Awaitable[list[dict[str, Any]]]]
) -> AsyncIterator[bytes]:
    """The answer without pages, which may be long: written as it is read."""
    yield b'{"leads":['
    before = b""
    async for group in groups:
        if group:
            yield before + encode(await rows(group))[1:-1]
            before = b","
    yield b"]}"


def _filter(query: LeadsQuery) -> LeadFilter:
    now = datetime.now(UTC)
    created_from, created_to = bounds(query.range, now)
    days = _ACTIVE_DAYS.get(query.last_active)
    return LeadFilter(
        min_score=query.min_score,
        max_score=query.max_score,
        event_type=query.event_type,
        created_from=created_from,
        created_to=created_to,
        active_since=None if days is None else now - timedelta(days=days),
    )


def _row(lead: Lead, rulesets: Sequence[Ruleset], fit: Sequence[ProfileRuleset]) -> dict[str, Any]:
    names = {ruleset.ruleset_id: ruleset.name for ruleset in rulesets} | {ruleset.id: ruleset.name for ruleset in fit}
    scores = {key: value for key, value in lead.scores.items() if key in names}
    profile_scores = {key: value for key, value in lead.profile_scores.items() if key in names}
    primary = primary_of(rulesets)
    return {
        "lead_id": lead.lead_id,
        "score": lead.score,
        "ruleset_id": primary,
        "last_event_at": lead.last_event_at,
        "created_at": lead.created_at,
        "updated_at": lead.updated_at,
        "owner_id": lead.owner_id,
        "owner_name": lead.owner_name,
        "account_id": lead.account_id,
        "metadata": lead.lead_metadata,
        "engagement_scores": scores,
        "profile_scores": profile_scores,
        "ruleset_names": {key: names[key] for key in scores | profile_scores},
        "engagement_primary_ruleset_name": names.get(primary) if primary else None,
        "profile_primary_ruleset_name": next((ruleset.name for ruleset in fit if ruleset.is_primary), None),
    }


async def _search(context: Context, call: Call) -> Any:
    return await leads.search_leads(context, call.query.q)


async def _score(context: Context, call: Call) -> Any:
    return await leads.get_lead_score(context, call.path["leadID"], call.query.ruleset_id)


async def _scores(context: Context, call: Call) -> Any:
    return await leads.list_scores_of_leads(context, call.body.lead_ids, call.body.ruleset or PRIMARY)


ROUTES = [
    Route(
        method="GET", path="/leads", summary="List lead scores", tag="Leads", run=_list,
        query=LeadsQuery, returns=LeadList,
    ),
    Route(
        method="GET", path="/leads/search", summary="Search leads by id or alias", tag="Leads", run=_search,
        query=SearchQuery, returns=list[LeadMatch],
    ),
    Route(
        method="GET", path="/score/{leadID}", summary="Get a lead's score", tag="Leads", run=_score,
        aliases=("/leads/{leadID}/score",), query=ScoreQuery, returns=LeadScore, errors=(404,),
    ),
    Route(
        method="POST", path="/leads/scores", summary="Get the scores of several leads", tag="Leads", run=_scores,
        aliases=("/scores/batch",), body=ScoresBody, returns=list[ScoreOfLead], errors=(404,),
    ),
]  # fmt: skip
