"""Events: ingest and lists."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from leadvibe.errors import ApiError, bad_request, too_large
from leadvibe.pipeline.buffer import Receipt
from leadvibe.pipeline.events import IncomingEvent, read_event
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.resolvers.leads import get_lead
from leadvibe.store import event_counts, event_queries
from leadvibe.store.event_filter import EventFilter
from leadvibe.store.paging import EVERYTHING, Page, Reading
from leadvibe.store.tables import EngagementEvent

# Decision: an array of events has up to 2,000 items.
MOST_EVENTS = 2_000
_LONGEST_KEY = 255


@operation(Permission.WRITE)
async def ingest_event(context: Context, body: Any, idempotency_key: str | None) -> tuple[IncomingEvent, Receipt]:
    """Accepts one event; it is on disk when this returns. 400, 409, 413 and 503 as the contract says."""
    event = read_event(body, datetime.now(UTC), _client_key(idempotency_key))
    (receipt,) = await context.services.buffer.accept(context.caller.unit_id, [event])
    if isinstance(receipt, ApiError):
        raise receipt
    return event, receipt


@operation(Permission.WRITE)
async def ingest_events(
    context: Context, bodies: Sequence[Any], idempotency_key: str | None = None
) -> list[Receipt | ApiError]:
    """Accepts many events, each for itself: a result for each, in their order."""
    if len(bodies) > MOST_EVENTS:
        raise too_large(f"Send at most {MOST_EVENTS} events at once; these are {len(bodies)}.", "too_many_events")
    received_at = datetime.now(UTC)
    key = _client_key(idempotency_key)
    results: list[IncomingEvent | ApiError] = []
    for index, body in enumerate(bodies):
        try:
            results.append(read_event(body, received_at, key and f"{key}:{index}"))
        except ApiError as error:
            results.append(error)
    good = [event for event in results if isinstance(event, IncomingEvent)]
    receipts = iter(await context.services.buffer.accept(context.caller.unit_id, good))
    return [result if isinstance(result, ApiError) else next(receipts) for result in results]


@operation(Permission.READ)
async def list_events(
    context: Context,
    wanted: EventFilter,
    limit: int,
    after: str | None = None,
    offset: int = 0,
    read: Reading = EVERYTHING,
) -> Page[EngagementEvent]:
    """The unit's processed events, newest first, without those of hidden types."""
    async with context.services.database.session() as session:
        return await event_queries.page(session, context.caller.unit_id, wanted, limit, after, offset, read)


@operation(Permission.READ)
async def list_lead_events(
    context: Context,
    lead_id: str,
    event_type: str | None,
    limit: int,
    after: str | None = None,
    offset: int = 0,
    read: Reading = EVERYTHING,
) -> Page[EngagementEvent]:
    """A lead's events, newest first, without those of hidden types; 404 for an unknown lead."""
    await get_lead(context, lead_id)
    return await list_events(context, EventFilter(lead_id=lead_id, event_type=event_type), limit, after, offset, read)


@operation(Permission.READ)
async def get_events(context: Context, event_ids: Collection[str]) -> dict[str, EngagementEvent]:
    """The events that the unit has of these, by id, also those of hidden types."""
    async with context.services.database.session() as session:
        return await event_queries.some(session, context.caller.unit_id, event_ids)


@operation(Permission.READ)
async def list_channels(context: Context) -> Sequence[str]:
    """The channels that the unit's events came by: of web, email, slack, webinar, crm and system."""
    async with context.services.database.session() as session:
        return await event_counts.channels(session, context.caller.unit_id)


@operation(Permission.READ)
async def export_events(context: Context) -> AsyncIterator[list[tuple[str, str | None, str, datetime]]]:
    """All events that lists show, newest first, group by group: (event id, lead id, type, time)."""
    return event_queries.export(context.services.database, context.caller.unit_id)


def _client_key(header: str | None) -> str | None:
    if header is not None and (not 0 < len(header) <= _LONGEST_KEY or "\0" in header):
        raise bad_request(f"The Idempotency-Key must have 1 to {_LONGEST_KEY} characters.", code="invalid_key")
    return header
