"""Units with an event log that grows, and hubs that follow it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

import pytest

from leadvibe.ids import new_id
from leadvibe.live.events import Lagged, LiveEvent, Subscription
from leadvibe.live.hub import Hub
from leadvibe.live.publisher import Publisher
from leadvibe.store.config_tables import Ruleset
from leadvibe.store.database import Database
from leadvibe.store.tables import EventType, Lane
from tests.live.event_log import PRIMARY, EventLog, any_time


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
    await any_time(database)

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
