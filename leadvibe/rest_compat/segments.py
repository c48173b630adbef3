"""Segments: configuration, count and leads."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from leadvibe.resolvers import segments
from leadvibe.resolvers.context import Context
from leadvibe.resolvers.levels import LEVELS, PROFILE_LEVELS, as_levels
from leadvibe.resolvers.segments import SEGMENT_RULES, SEGMENTS
from leadvibe.rest_compat.codec import Answer
from leadvibe.rest_compat.scoring import family_routes
from leadvibe.rest_compat.table import Call, Route
from leadvibe.scoring.levels import level_name


class PageQuery(BaseModel):
    page: int = Field(default=1, ge=1, le=2**31, description="Which page, from 1 on.")
    limit: int = Field(default=50, ge=1, le=500, description="Leads of a page.")


class SegmentCount(BaseModel):
    count: int = Field(description="How many leads belong to the segment now.")


class SegmentLead(BaseModel):
    """A lead of a segment, with the level names of its scores (null: not classified)."""

    lead_id: str
    id: str
    org_id: str
    unit_id: str
    account_id: str | None
    owner_id: str | None
    owner_name: str | None
    score: int
    profile_score: int
    engagement_level: str | None
    profile_level: str | None
    metadata: dict[str, Any]
    last_event_at: datetime | None
    created_at: datetime
    updated_at: datetime


async def _count(context: Context, call: Call) -> Any:
    return SegmentCount(count=await segments.count_segment(context, call.path["id"]))


async def _leads(context: Context, call: Call) -> Any:
    """The total stands in the header X-Total-Count."""
    query: PageQuery = call.query
    offset = (query.page - 1) * query.limit
    page = await segments.list_segment_leads(context, call.path["id"], query.limit, offset=offset)
    levels, fit_levels = as_levels(await LEVELS.list(context)), as_levels(await PROFILE_LEVELS.list(context))
    rows = [
        SegmentLead(
            **{name: getattr(lead, name) for name in SegmentLead.model_fields if name in type(lead).model_fields}
            | {"metadata": lead.lead_metadata},
            id=lead.lead_id,
            org_id=context.caller.org_id,
            engagement_level=level_name(levels, lead.score),
            profile_level=level_name(fit_levels, lead.profile_score),
        )
        for lead in page.rows
    ]
    return Answer(rows, {"X-Total-Count": str(page.total)})


ROUTES = [
    *family_routes(SEGMENTS, "/segments", "Segments"),
    *family_routes(SEGMENT_RULES, "/segments/{id}/rules", "Segments", within="segment_id"),
    Route(
        method="GET", path="/segments/{id}/count", summary="Count the leads of a segment", tag="Segments",
        run=_count, returns=SegmentCount, errors=(404,),
    ),
    Route(
        method="GET", path="/segments/{id}/leads", summary="List the leads of a segment", tag="Segments",
        run=_leads, query=PageQuery, returns=list[SegmentLead], errors=(404,),
    ),
]  # fmt: skip
