"""Routes of events: ingest, import, list."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field
from starlette.datastructures import FormData, QueryParams, UploadFile
from starlette.formparsers import MultiPartException
from starlette.responses import Response

from leadvibe.errors import ApiError, bad_request
from leadvibe.pipeline.buffer import Receipt
from leadvibe.resolvers import events, imports
from leadvibe.resolvers.context import Context
from leadvibe.resolvers.requests import header
from leadvibe.rest_compat.codec import Answer, json_response, read_json, read_query
from leadvibe.rest_compat.leads import Paging
from leadvibe.rest_compat.table import Call, Route
from leadvibe.store.event_filter import EventFilter
from leadvibe.store.tables import EngagementEvent
from leadvibe.store.time_ranges import TimeRange, bounds

_CHUNK = 256 * 1024


class AliasBody(BaseModel):
    alias_kind: Literal["email", "phone", "external_id", "cookie", "social"]
    raw_value: str


class EventBody(BaseModel):
    """An engagement event. It needs `lead_id`, `aliases`, or the deprecated pair."""

    event_type: str
    lead_id: str | None = Field(default=None, description="Created when unknown.")
    aliases: list[AliasBody] | None = None
    alias_kind: str | None = Field(default=None, description="Deprecated: use aliases.", deprecated=True)
    alias: str | None = Field(default=None, description="Deprecated: use aliases.", deprecated=True)
    timestamp: datetime | None = Field(default=None, description="When it happened; default: now.")
    metadata: dict[str, Any] | None = Field(default=None, description="At most 100 KB.")
    event_id: str | None = Field(default=None, description="Your id: the same id is scored once.")


class EventsBody(BaseModel):
    events: list[EventBody] = Field(max_length=events.MOST_EVENTS)


class Ingested(BaseModel):
    message: str
    event_id: str
    metadata: dict[str, Any]
    duplicate: bool | None = None


class ItemResult(BaseModel):
    """`status` is accepted, duplicate or rejected; a rejected item says why."""

    status: Literal["accepted", "duplicate", "rejected"]
    event_id: str | None = None
    error: str | None = None
    code: str | None = None
    details: list[dict[str, str]] | None = None


class IngestedMany(BaseModel):
    message: str
    accepted: int
    duplicates: int
    rejected: int
    results: list[ItemResult]


class ImportBody(BaseModel):
    file: bytes = Field(description="CSV with a header row.")
    skip_triggers: bool = False


class ImportQuery(BaseModel):
    skip_triggers: bool = Field(default=False, description="Fire no triggers for these rows.")


class RowError(BaseModel):
    line: int
    reason: str


class Imported(BaseModel):
    """`problems` names the first bad rows by line; `errors` counts all of them."""

    message: str
    imported: int
    errors: int
    problems: list[RowError]
    job_id: str


class EventsQuery(Paging):
    metadata: list[str] = Field(default=[], description="key:value, repeatable.")
    logic: Literal["and", "or"] = Field(default="and", description="How the metadata filters combine.")
    event_type: str | None = None
    lead_id: str | None = None
    range: TimeRange | None = None


class EventRow(BaseModel):
    id: str
    event_id: str
    lead_id: str | None
    event_type: str
    channel: str
    timestamp: datetime
    metadata: dict[str, Any]
    suppression_reason: str | None
    original_lead_id: str | None
    score_delta: int | None
    created_at: datetime


async def _ingest(context: Context, call: Call) -> Any:
    key = header(call.request.scope, b"idempotency-key")
    body = await read_json(call.request)
    many = body.get("events") if isinstance(body, dict) and "event_type" not in body else body
    if isinstance(many, list):
        return _results(await events.ingest_events(context, many, key))
    event, receipt = await events.ingest_event(context, body, key)
    answer = {"message": "event ingested", "event_id": receipt.event_id, "metadata": event.metadata}
    return answer | {"duplicate": True} if receipt.duplicate else answer


def _results(results: list[Receipt | ApiError]) -> dict[str, Any]:
    items = [_item(result) for result in results]
    counts = {status: sum(item["status"] == status for item in items) for status in ("accepted", "duplicate")}
    accepted, duplicates = counts["accepted"], counts["duplicate"]
    return {
        "message": "events ingested",
        "accepted": accepted,
        "duplicates": duplicates,
        "rejected": len(items) - accepted - duplicates,
        "results": items,
    }


def _item(result: Receipt | ApiError) -> dict[str, Any]:
    if isinstance(result, ApiError):
        return {"status": "rejected", **result.body()}
    return {"status": "duplicate" if result.duplicate else "accepted", "event_id": result.event_id}


async def _import(context: Context, call: Call) -> Response:
    request = call.request
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise ApiError(415, "unsupported_media_type", "Send the CSV as multipart/form-data, in the field `file`.")
    try:
        async with request.form(max_files=1, max_fields=10) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise bad_request("The CSV file is missing.", file="is required")
            skip = call.query.skip_triggers or _skips_triggers(form)
            job_id, report = await imports.import_events(context, file.filename or "", _chunks(file), skip)
    except MultiPartException as error:
        raise bad_request(f"The form cannot be read: {error.message}") from None
    problems = [{"line": problem.line, "reason": problem.reason} for problem in report.problems]
    message = f"{report.imported} events imported, {report.errors} rows failed"
    answer = {
        "message": message,
        "imported": report.imported,
        "errors": report.errors,
        "problems": problems,
        "job_id": job_id,
    }
    return json_response(answer, 202)


def _skips_triggers(form: FormData) -> bool:
    """The same parameter as a field of the form, beside the file."""
    given = form.get("skip_triggers")
    return given is not None and read_query(QueryParams({"skip_triggers": str(given)}), ImportQuery).skip_triggers


async def _chunks(file: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await file.read(_CHUNK):
        yield chunk


async def _list(context: Context, call: Call) -> Answer:
    query: EventsQuery = call.query
    start, end = bounds(query.range, datetime.now(UTC))
    pairs = [entry.partition(":") for entry in query.metadata]
    if any(not colon for _, colon, _ in pairs):
        raise bad_request("A metadata filter is key:value.", metadata="must contain a colon")
    wanted = EventFilter(
        event_type=query.event_type,
        lead_id=query.lead_id,
        occurred_from=start,
        occurred_to=end,
        metadata=[(key, value) for key, _, value in pairs],
        logic=query.logic,
    )
    page = await events.list_events(context, wanted, query.limit, offset=query.offset)
    return Answer([event_row(event) for event in page.rows], {"X-Total-Count": str(page.total)})


def event_row(event: EngagementEvent) -> dict[str, Any]:
    """An event as the REST door shows it; `score_delta` sums over the rulesets it changed."""
    deltas = [entry[0] for entry in event.scores.values()] if event.scores else None
    return {
        "id": event.event_id,
        "event_id": event.event_id,
        "lead_id": event.lead_id,
        "event_type": event.event_type,
        "channel": event.channel,
        "timestamp": event.occurred_at,
        "metadata": event.event_metadata,
        "suppression_reason": event.suppression_reason,
        "original_lead_id": event.original_lead_id,
        "score_delta": None if deltas is None else sum(deltas),
        "created_at": event.occurred_at,
    }


ROUTES = [
    Route(
        method="POST", path="/ingest", summary="Ingest one event, or an array of them", tag="Events", run=_ingest,
        status=202, accepts={"application/json": EventBody | list[EventBody] | EventsBody},
        returns=Ingested | IngestedMany, errors=(409, 413, 503),
    ),
    Route(
        method="POST", path="/import", summary="Import events from CSV", tag="Events", run=_import, status=202,
        query=ImportQuery, accepts={"multipart/form-data": ImportBody}, returns=Imported, errors=(413, 415, 503),
    ),
    Route(
        method="GET", path="/events", summary="List engagement events", tag="Events", run=_list,
        query=EventsQuery, returns=list[EventRow],
    ),
]  # fmt: skip
