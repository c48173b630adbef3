"""Deliveries in the outbox, and deliverers that work on them, with the settings of tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from leadvibe.config import Settings
from leadvibe.ids import new_id
from leadvibe.pipeline.delivery.deliverer import Deliverer
from leadvibe.pipeline.delivery.sender import Sender
from leadvibe.pipeline.delivery.senders import open_senders
from leadvibe.store import outbox
from leadvibe.store.database import Database
from leadvibe.store.outbox import NewDelivery
from leadvibe.store.trigger_tables import MilestoneTrigger
from tests.pipeline.units import Unit, incoming, new_unit, open_buffer
from tests.scoring.streams import config, ruleset

RETRY = 0.05


def payload(firing_id: str, **lead: Any) -> dict[str, Any]:
    return {
        "id": firing_id,
        "type": "milestone.entered",
        "fired_at": "2026-01-15T10:35:00Z",
        "trigger": {"trigger_id": "tr_1", "name": "Hot lead", "kind": "milestone", "score_threshold": 75},
        "lead": {
            "lead_id": "ld_1",
            "score": 82,
            "aliases": [{"alias_kind": "email", "raw_value": "jane@acme.example"}],
            "metadata": {"job_title": "VP Sales"},
        }
        | lead,
        "event": {"event_id": "ev_1", "event_type": "demo_request", "timestamp": "2026-01-15T10:34:58Z"},
    }


def message(channel: Any, target: dict[str, Any], **lead: Any) -> NewDelivery:
    firing_id = new_id("ntf")
    return NewDelivery(firing_id, "milestone.entered", channel, target, payload(firing_id, **lead), datetime.now(UTC))


def hook(url: str, **target: Any) -> NewDelivery:
    return message("webhook", {"url": url} | target)


async def enqueue(database: Database, unit_id: str, *deliveries: NewDelivery) -> set[str]:
    """The ids of the firings, which are those of their webhooks."""
    async with database.pool.acquire() as connection:
        async with connection.transaction():
            await outbox.enqueue(connection, unit_id, deliveries, datetime.now(UTC))
        await outbox.wake(connection)
    return {delivery.firing_id for delivery in deliveries}


async def milestone(database: Database, **targets: Any) -> Unit:
    """A unit in which a lead reaches a milestone by its third event, which is still to be scored."""
    place = await new_unit(database, config(ruleset("rs_a", pricing_page=20, visit=1)))
    trigger = MilestoneTrigger(
        unit_id=place.unit_id, org_id="org", trigger_id="tr_1", name="Hot lead", event_type="*", score_threshold=40,
        **targets,
    )  # fmt: skip
    async with database.session() as session, session.begin():
        session.add(trigger)
    async with open_buffer(database) as buffer:
        now = datetime.now(UTC)
        events = [
            {"event_type": name, "lead_id": "ld_1", "timestamp": now.isoformat()}
            for name in ("visit", "pricing_page", "pricing_page")
        ]
        await buffer.accept(place.unit_id, [incoming(event, received_at=now) for event in events])
    return place


# Why that lead is where it is.
REASON = "pricing_page 2 times (+40); visit once (+1) this week."


@asynccontextmanager
async def delivering(
    database: Database, settings: Settings, senders: Mapping[str, Sender] | None = None
) -> AsyncIterator[Deliverer]:
    """A deliverer at work, which is stopped in the end as a process would be."""
    stop = asyncio.Event()
    async with open_senders(settings, database) as own:
        made = Deliverer(
            database.url, senders or own, settings.delivery_retry_seconds, settings.delivery_timeout_seconds
        )
        task = asyncio.create_task(made.run(stop))
        try:
            yield made
        finally:
            stop.set()
            await task


async def rows(database: Database, unit_id: str) -> Sequence[Any]:
    return await database.pool.fetch(
        "SELECT * FROM deliveries WHERE unit_id = $1 ORDER BY created_at, delivery_id", unit_id
    )


async def until_status(database: Database, unit_id: str, *statuses: str, seconds: float = 30) -> Sequence[Any]:
    """The unit's deliveries, as soon as each has one of these states."""
    async with asyncio.timeout(seconds):
        while True:
            found = await rows(database, unit_id)
            if {row["status"] for row in found} <= set(statuses):
                return found
            await asyncio.sleep(0.01)


async def attempts(database: Database, delivery_id: str) -> list[Any]:
    return await database.pool.fetch(
        "SELECT * FROM delivery_attempts WHERE delivery_id = $1 ORDER BY number", delivery_id
    )
