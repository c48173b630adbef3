"""Routes of scores over time: a lead's history, and the leads that gained most."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from leadvibe.resolvers import score_history
from leadvibe.resolvers.context import Context
from leadvibe.resolvers.score_history import DAYS, LEADS_SHOWN, MOST_DAYS, MOST_LEADS_SHOWN, ScoreHistory
from leadvibe.rest_compat.table import Call, Route
from leadvibe.rest_compat.times import IsoEnd, IsoStart
from leadvibe.store.snapshots import Gain


class HistoryQuery(BaseModel):
    days: int = Field(default=DAYS, ge=1, le=MOST_DAYS, description="The last so many days.")
    start_date: IsoStart | None = Field(default=None, description="With end_date, instead of days.")
    end_date: IsoEnd | None = Field(default=None, description="A date is included whole.")
    ruleset_id: str | None = Field(default=None, description="Default: the primary engagement ruleset.")


class TopQuery(BaseModel):
    limit: int = Field(default=LEADS_SHOWN, ge=1, le=MOST_LEADS_SHOWN)


class GainsQuery(TopQuery):
    range: Literal["today", "last_7d", "last_30d"] = "last_7d"


async def _history(context: Context, call: Call) -> Any:
    query: HistoryQuery = call.query
    return await score_history.get_score_history(
        context, call.path["leadID"], query.days, query.start_date, query.end_date, query.ruleset_id
    )


async def _gains(context: Context, call: Call) -> Any:
    return await score_history.list_score_gains(context, call.query.range, call.query.limit)


ROUTES = [
    Route(
        method="GET", path="/lead/{leadID}/score-history", summary="Get a lead's score over time", tag="Leads",
        run=_history, query=HistoryQuery, returns=ScoreHistory, errors=(404,),
    ),
    Route(
        method="GET", path="/score-gains", summary="List the leads whose score rose most", tag="Analytics",
        run=_gains, aliases=("/recent-score-gains",), query=GainsQuery, returns=list[Gain],
    ),
]  # fmt: skip
