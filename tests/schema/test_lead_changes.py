"""leadChanged: one message for each event that changed a lead's score, and where it resumes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from leadvibe.live.publisher import Publisher
from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.store.database import Database
from tests.live.event_log import OTHER, EventLog, any_time
from tests.schema.conftest import Server, bearer

CHANGES = """subscription ($leadIds: [ID!], $after: String) {
    leadChanged(leadIds: $leadIds, after: $after) {
        leadId score level lastEventAt eventId eventType cursor lagged
    }
}"""


@pytest.fixture
async def log(database: Database, database_url: str, acme: Bootstrapped) -> AsyncIterator[EventLog]:
    await any_time(database)
    publisher = Publisher(database_url)
    await publisher.connect()
    yield EventLog(database, publisher, acme.unit_id)
    await publisher.close()


def scored(score: int) -> dict[str, list[object]]:
    return {OTHER: [5, score - 5, score, 0, "rl_1"]}


async def test_an_event_makes_one_message_with_the_level(server: Server, acme: Bootstrapped, log: EventLog) -> None:
    levels = {
        each["name"]: each["minScore"]
        for each in (await server.ask("{ engagementLevels { name minScore } }", as_=acme))["data"]["engagementLevels"]
    }
    lowest, highest = min(levels, key=levels.__getitem__), max(levels, key=levels.__getitem__)
    async with server.socket(bearer(acme)) as socket:
        await socket.receive()
        await socket.begin(CHANGES, {"leadIds": ["ld_1"], "after": "0:1"})
        await log.score(
            {"scores": scored(levels[lowest] + 5)},
            {"scores": None},
            {"scores": scored(99), "lead_id": "ld_2"},
            {"scores": scored(levels[highest])},
        )
        first, second = [(await socket.next())["leadChanged"] for _ in range(2)]
    assert first == {
        "leadId": "ld_1",
        "score": levels[lowest] + 5,
        "level": lowest,
        "lastEventAt": "2026-03-01T12:00:00Z",
        "eventId": log.events[0],
        "eventType": "page_view",
        "cursor": "1:1",
        "lagged": False,
    }
    assert (second["score"], second["level"], second["cursor"]) == (levels[highest], highest, "4:1")


async def test_it_continues_behind_any_message_without_seam(server: Server, acme: Bootstrapped, log: EventLog) -> None:
    await log.score({}, {"scores": None}, {}, {})
    async with server.socket(bearer(acme)) as socket:
        await socket.receive()
        await socket.begin(CHANGES, {"after": "0:1"})
        whole = [(await socket.next())["leadChanged"] for _ in range(3)]
        for index, change in enumerate(whole[:-1]):
            await socket.begin(CHANGES, {"after": change["cursor"]}, operation_id=change["cursor"])
            rest = [(await socket.next())["leadChanged"] for _ in whole[index + 1 :]]
            assert rest == whole[index + 1 :]


async def test_what_is_no_cursor_is_refused(server: Server, acme: Bootstrapped) -> None:
    async with server.socket(bearer(acme)) as socket:
        await socket.receive()
        await socket.begin(CHANGES, {"after": "x"})
        assert "invalid_cursor" in str(await socket.receive())
