"""The route that explains a lead's score."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from leadvibe.resolvers import explanation
from leadvibe.resolvers.context import Context
from leadvibe.resolvers.explanation import DEFAULT_HOURS, MOST_HOURS, RuleWeight
from leadvibe.rest_compat.table import Call, Route
from leadvibe.scoring.explanation import Driver, ScoreChange, SurgeBoost


class ExplainQuery(BaseModel):
    hours: int = Field(default=DEFAULT_HOURS, ge=1, le=MOST_HOURS, description="The last so many hours.")


class Explained(BaseModel):
    """`score_changes` has the sum: in each ruleset, score_change is drivers + surge + decay +
    floor_adjustment + taken_back."""

    top_drivers: list[Driver]
    snapshot: list[RuleWeight]
    surge_boost: list[SurgeBoost]
    surge_total: int
    surge_event_count: int
    decay_applied: int
    inorganic_count: int
    range_hours: int
    score_changes: list[ScoreChange]
    score_reset_at: None
    reset_excluded_count: int


async def _explain(context: Context, call: Call) -> Any:
    explained = await explanation.explain_lead_score(context, call.path["leadID"], call.query.hours)
    parts = explained.explanation
    return {
        "top_drivers": parts.top_drivers,
        "snapshot": explained.snapshot,
        "surge_boost": parts.surge_boost,
        "surge_total": explained.surge_total,
        "surge_event_count": explained.surge_event_count,
        "decay_applied": explained.decay_applied,
        "inorganic_count": parts.inorganic_count,
        "range_hours": explained.range_hours,
        "score_changes": list(parts.changes.values()),
        "score_reset_at": None,
        "reset_excluded_count": 0,
    }


ROUTES = [
    Route(
        method="GET", path="/lead/{leadID}/score-explain", summary="Explain a lead's score", tag="Leads",
        run=_explain, aliases=("/leads/{leadID}/score-explain",), query=ExplainQuery, returns=Explained,
        errors=(404,),
    ),
]  # fmt: skip
