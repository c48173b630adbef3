"""A unit's event log that grows as a worker would let it grow, and hubs that follow it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from leadvibe.ids import new_id
from leadvibe.live.events import Lagged, LiveEvent, Subscription
from leadvibe.live.hub import Hub
from leadvibe.live.publisher import Publisher
from leadvibe.store.database import Database
from leadvibe.store.tables import EventType, Lane, Ruleset

PRIMARY, OTHER = "rs_primary", "rs_other"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

_ROW: dict[str, Any] = {
    "occurred_at": NOW,
    "lead_id": "ld_1",
    "event_type": "page_view",
    "channel": "web",
    "metadata": {},
    "suppression_reason": None,
    "observed": False,
    "received_at": NOW,
    "processed_at": NOW,
}


@dataclass
class EventLog:
    """Appends scored events to one unit, each batch in one transaction, and tells the bus after it."""

    database: Database
    publisher: Publisher
    unit_id: str
    events: list[str] = field(default_factory=list)

    async def score(self, *events: dict[str, Any], tell: bool = True) -> None:
        async with self.database.pool.acquire() as connection, connection.transaction():
            last = await connection.fetchval("SELECT last_seq FROM lanes WHERE unit_id = $1 FOR UPDATE", self.unit_id)
            rows = [self._row(last + i, given) for i, given in enumerate(events, 1)]
            records = [tuple(row.values()) for row in rows]
            await connection.copy_records_to_table("engagement_events", records=records, columns=list(rows[0]))
            await connection.execute(
                "UPDATE lanes SET last_seq = $2 WHERE unit_id = $1", self.unit_id, last + len(rows)
            )
        self.events += [row["event_id"] for row in rows]
        if tell:
            await self.publisher.publish(self.unit_id, last + 1, last + len(rows))

    def _row(self, seq: int, given: dict[str, Any]) -> dict[str, Any]:
        own = {
            "unit_id": self.unit_id,
            "seq": seq,
            "event_id": f"ev_{self.unit_id}_{seq}",
            "scores": {PRIMARY: [1, seq - 1, seq, 0, "rl_1"], OTHER: [-2, 0, -2, 0, "rl_2"]},
        }
        return _ROW | own | given


@pytest.fixture(params=["postgres", "memory"])
def broadcast_url(request: pytest.FixtureRequest, database_url: str) -> str:
    return database_url if request.param == "postgres" else f"memory://{new_id('bus')}"


@pytest.fixture
async def publisher(broadcast_url: str) -> AsyncIterator[Publisher]:
    publisher = Publisher(broadcast_url)
    await publisher.connect()
    yield publisher
    await publisher.close()


@pytest.fixture
async def hub(database: Database, broadcast_url: str) -> AsyncIterator[Hub]:
    hub = Hub(database, broadcast_url)
    await hub.start()
    yield hub
    await hub.stop()


@pytest.fixture
async def new_log(database: Database, publisher: Publisher) -> Callable[[str], Awaitable[EventLog]]:
    """Makes units with a lane, a primary ruleset and a hidden event type `secret`."""
    await database.pool.execute("CREATE TABLE all_events PARTITION OF engagement_events DEFAULT")

    async def make(unit_id: str) -> EventLog:
        async with database.session() as session, session.begin():
            session.add(Lane(unit_id=unit_id))
            session.add(Ruleset(unit_id=unit_id, org_id="org_1", ruleset_id=PRIMARY, name="P", is_primary=True))
            session.add(EventType(unit_id=unit_id, name="secret", hidden=True))
        return EventLog(database, publisher, unit_id)

    return make


@pytest.fixture
async def log(new_log: Callable[[str], Awaitable[EventLog]]) -> EventLog:
    return await new_log("unit_a")


async def take(subscription: Subscription, count: int) -> list[LiveEvent | Lagged]:
    """The next `count` things of a subscription."""
    async with asyncio.timeout(30):
        return [await anext(subscription) for _ in range(count)]


def ids(items: Sequence[LiveEvent | Lagged]) -> list[str]:
    return [item.event_id for item in items if isinstance(item, LiveEvent)]


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack
