"""Routes of firings: lists, CSV exports, and simulation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from asyncpg import Record
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from leadvibe.pipeline.simulation import Simulation
from leadvibe.resolvers import firings
from leadvibe.resolvers.context import Context
from leadvibe.rest_compat.codec import Answer
from leadvibe.rest_compat.csv_cells import cell, time_cell
from leadvibe.rest_compat.leads import Paging
from leadvibe.rest_compat.table import Call, Route
from leadvibe.store.firings import FiringFilter
from leadvibe.store.trigger_tables import FiringKind, TriggerFiring


class FiringsQuery(Paging):
    """Without a page and a limit: the newest 500."""

    limit: int = Field(default=500, ge=1, le=500)
    trigger_id: str | None = Field(default=None, description="Only firings of this trigger.")


class SequenceEventsQuery(FiringsQuery):
    sequence_id: str | None = Field(default=None, description="Only firings of this sequence.")


class ExportQuery(BaseModel):
    trigger_id: str | None = Field(default=None, description="Only firings of this trigger.")


class MilestoneEvent(BaseModel):
    """A lead reached a milestone. `score`: its score then; `event_type`: the event that made it."""

    id: str
    trigger_id: str
    trigger_name: str
    lead_id: str
    score: int
    score_threshold: int | None
    event_type: str
    event_id: str
    fired_at: datetime


class SequenceEvent(BaseModel):
    """A lead completed a sequence."""

    id: str
    sequence_id: str
    trigger_id: str
    sequence_name: str
    lead_id: str
    event_types: list[str]
    event_id: str
    fired_at: datetime


class SimulateBody(BaseModel):
    """What to test: one lead, or all."""

    lead_id: str | None = Field(default=None, description="Only this lead.")
    days: int = Field(default=30, description="How many days to look back, at least 1.")


class Simulated(BaseModel):
    """`matched_leads`: at most 100 of all `total_matches`."""

    would_fire: bool
    matched_leads: list[str]
    total_matches: int
    message: str


def _milestone(row: TriggerFiring) -> MilestoneEvent:
    return MilestoneEvent(id=row.firing_id, **row.model_dump(include=MilestoneEvent.model_fields.keys() - {"id"}))


def _sequence(row: TriggerFiring) -> SequenceEvent:
    return SequenceEvent(
        id=row.firing_id, sequence_id=row.trigger_id, trigger_id=row.trigger_id, sequence_name=row.trigger_name,
        lead_id=row.lead_id, event_types=row.matched["event_types"], event_id=row.event_id, fired_at=row.fired_at,
    )  # fmt: skip


def _listing(kind: FiringKind, shown: Callable[[TriggerFiring], BaseModel]) -> Any:
    async def listed(context: Context, call: Call) -> Answer:
        query: FiringsQuery = call.query
        trigger_id = query.trigger_id or getattr(query, "sequence_id", None)
        page = await firings.list_firings(context, FiringFilter(kind, trigger_id), query.limit, offset=query.offset)
        return Answer([shown(row) for row in page.rows], {"X-Total-Count": str(page.total)})

    return listed


def _exporting(kind: FiringKind, name: str, header: str, cells: Callable[[Record], Sequence[str]]) -> Any:
    async def lines(groups: AsyncIterator[Sequence[Record]]) -> AsyncIterator[str]:
        yield header + "\n"
        async for rows in groups:
            yield "".join(",".join(cells(row)) + "\n" for row in rows)

    async def export(context: Context, call: Call) -> StreamingResponse:
        groups = await firings.export_firings(context, kind, call.query.trigger_id)
        headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
        return StreamingResponse(lines(groups), headers=headers, media_type="text/csv")

    return export


def _milestone_cells(row: Record) -> Sequence[str]:
    return *_named(row), str(row["score"]), cell(row["event_type"]), time_cell(row["fired_at"])


def _sequence_cells(row: Record) -> Sequence[str]:
    return *_named(row), cell("|".join(row["matched"]["event_types"])), time_cell(row["fired_at"])


def _named(row: Record) -> Iterator[str]:
    return (cell(row[name]) for name in ("firing_id", "trigger_id", "trigger_name", "lead_id"))


def _simulating(run: Any) -> Any:
    async def simulated(context: Context, call: Call) -> Simulated:
        body: SimulateBody = call.body
        found: Simulation = await run(context, call.path["id"], body.lead_id, body.days)
        count = found.total_matches
        leads, days = f"{count} lead{'' if count == 1 else 's'}", f"{body.days} day{'' if body.days == 1 else 's'}"
        message = f"Trigger would fire for {leads} in the last {days}"
        return Simulated(
            would_fire=count > 0, matched_leads=found.matched_leads, total_matches=count, message=message
        )  # fmt: skip

    return simulated


_MILESTONES_HEADER = "id,trigger_id,trigger_name,lead_id,score,event_type,fired_at"
_SEQUENCES_HEADER = "id,sequence_id,sequence_name,lead_id,event_types,fired_at"

ROUTES = [
    Route(
        method="POST", path="/triggers/{id}/simulate", summary="Simulate a milestone trigger", tag="Triggers",
        run=_simulating(firings.simulate_milestone), body=SimulateBody, returns=Simulated, errors=(404,),
    ),
    Route(
        method="GET", path="/milestone-events", summary="List milestone events", tag="Triggers",
        run=_listing("milestone", _milestone), query=FiringsQuery, returns=list[MilestoneEvent],
    ),
    Route(
        method="GET", path="/milestone-events/export", summary="Export milestone events as CSV", tag="Triggers",
        run=_exporting("milestone", "milestone_events", _MILESTONES_HEADER, _milestone_cells), query=ExportQuery,
        aliases=("/export/milestone-events",), returns=str, media_type="text/csv",
    ),
    Route(
        method="POST", path="/sequences/{id}/simulate", summary="Simulate a sequence trigger", tag="Sequences",
        run=_simulating(firings.simulate_sequence), body=SimulateBody, returns=Simulated, errors=(404,),
    ),
    Route(
        method="GET", path="/sequence-events", summary="List sequence events", tag="Sequences",
        run=_listing("sequence", _sequence), query=SequenceEventsQuery, returns=list[SequenceEvent],
    ),
    Route(
        method="GET", path="/sequence-events/export", summary="Export sequence events as CSV", tag="Sequences",
        run=_exporting("sequence", "sequence_events", _SEQUENCES_HEADER, _sequence_cells), query=ExportQuery,
        aliases=("/export/sequence-events",), returns=str, media_type="text/csv",
    ),
]  # fmt: skip
