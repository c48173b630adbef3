"""Subscriptions over graphql-transport-ws and graphql-sse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from secrets import token_hex
from typing import Any

import httpx
import orjson
import pytest
import websockets
from sqlmodel import col, update

from leadvibe.live.publisher import Publisher
from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.store.config_tables import EngagementLevel
from leadvibe.store.database import Database
from leadvibe.store.tables import EventType, Lead, LeadAlias
from tests.live.event_log import NOW, OTHER, PRIMARY, EventLog, any_time
from tests.schema.conftest import Server, basic, bearer

SCORES = """subscription ($leadIds: [ID!], $after: String) {
    scoreUpdated(leadIds: $leadIds, after: $after) { leadId delta score rulesetId eventId at cursor lagged }
}"""
EVENTS = "subscription ($after: String) { eventIngested(after: $after) { eventId leadId eventType metadata cursor } }"

SURGES = """subscription ($after: String) {
    surgeDetected(after: $after) {
        id triggerId leadId eventType eventCount windowSeconds detectedAt cursor lagged
    }
}"""
_SURGE_COLUMNS = (
    "unit_id", "surge_event_id", "seq", "trigger_id", "lead_id", "event_type", "event_count", "window_seconds",
    "detected_at", "snapshot",
)  # fmt: skip


@pytest.fixture
async def publisher(database_url: str) -> AsyncIterator[Publisher]:
    publisher = Publisher(database_url)
    await publisher.connect()
    yield publisher
    await publisher.close()


@pytest.fixture
async def log(database: Database, publisher: Publisher, acme: Bootstrapped) -> EventLog:
    await any_time(database)
    return EventLog(database, publisher, acme.unit_id)


async def test_a_change_of_score_is_pushed_for_each_ruleset(server: Server, acme: Bootstrapped, log: EventLog) -> None:
    async with server.socket(bearer(acme)) as socket:
        assert await socket.receive() == {"type": "connection_ack"}
        await socket.begin(SCORES, {"after": "0:1"})
        await log.score({})
        updates = [(await socket.next())["scoreUpdated"] for _ in range(2)]
    assert updates[1] == {
        "leadId": "ld_1",
        "delta": 1,
        "score": 1,
        "rulesetId": PRIMARY,
        "eventId": log.events[0],
        "at": "2026-03-01T12:00:00Z",
        "cursor": "1:2",
        "lagged": False,
    }
    assert (updates[0]["rulesetId"], updates[0]["delta"], updates[0]["cursor"]) == (OTHER, -2, "1:1")


async def test_a_surge_is_pushed_for_each_trigger_and_cut_between_them(
    server: Server, acme: Bootstrapped, log: EventLog, database: Database
) -> None:
    rows = [
        (acme.unit_id, f"se_{n}_{acme.unit_id}", 2, f"sg_{n}", "ld_1", None, 5, 3600, NOW, {"channel": "web"})
        for n in (1, 2)
    ]
    await database.pool.copy_records_to_table("surge_events", records=rows, columns=list(_SURGE_COLUMNS))
    async with server.socket(bearer(acme)) as socket:
        await socket.receive()
        await socket.begin(SURGES, {"after": "0:1"})
        await log.score({}, {})
        first, second = [(await socket.next())["surgeDetected"] for _ in range(2)]
        await socket.begin(SURGES, {"after": first["cursor"]}, operation_id="again")
        assert (await socket.next())["surgeDetected"] == second
    assert first == {
        "id": rows[0][1],
        "triggerId": "sg_1",
        "leadId": "ld_1",
        "eventType": None,
        "eventCount": 5,
        "windowSeconds": 3600,
        "detectedAt": "2026-03-01T12:00:00Z",
        "cursor": "2:1",
        "lagged": False,
    }


async def test_a_message_leads_to_its_lead_as_that_is_now(
    server: Server, acme: Bootstrapped, rival: Bootstrapped, log: EventLog, database: Database
) -> None:
    told = "leadId score engagementLevel aliases { value }"
    query = f'subscription {{ scoreUpdated(after: "0:1") {{ leadId lead {{ {told} }} }} }}'
    async with server.socket(bearer(acme)) as socket:
        await socket.receive()
        await socket.begin(query)
        await log.score({})
        seen = [(await socket.next())["scoreUpdated"]["lead"] for _ in range(2)]
        for unit_id, score in ((rival.unit_id, 7), (acme.unit_id, 1), (acme.unit_id, 2)):
            async with database.session() as session, session.begin():
                await session.merge(Lead(unit_id=unit_id, lead_id="ld_1", score=score))
                if unit_id == acme.unit_id:
                    own = {"alias_kind": "email", "raw_value": f"a{score}", "normal_value": f"a{score}"}
                    session.add(LeadAlias(unit_id=unit_id, lead_id="ld_1", alias_id=f"al_{score}", **own))
                    lowest = col(EngagementLevel.unit_id) == unit_id, col(EngagementLevel.min_score) == 0
                    renamed = update(EngagementLevel).where(*lowest)
                    await session.exec(renamed.values(name=f"Level {score}"))
            await log.score({})
            seen += [(await socket.next())["scoreUpdated"]["lead"] for _ in range(2)]
    assert seen[:4] == [None] * 4
    assert seen[4:] == [
        {"leadId": "ld_1", "score": score, "engagementLevel": f"Level {score}", "aliases": aliases}
        for score, aliases in ((1, [{"value": "a1"}]), (2, [{"value": "a1"}, {"value": "a2"}]))
        for _ in range(2)
    ]


async def test_only_the_leads_asked_for_are_pushed(server: Server, acme: Bootstrapped, log: EventLog) -> None:
    async with server.socket(bearer(acme)) as socket:
        await socket.receive()
        await socket.begin(SCORES, {"leadIds": ["ld_2"], "after": "0:1"})
        await log.score({"lead_id": "ld_1"}, {"lead_id": None, "scores": None}, {"lead_id": "ld_2"})
        assert (await socket.next())["scoreUpdated"]["leadId"] == "ld_2"


async def test_a_subscription_cut_behind_any_message_continues_without_seam(
    server: Server, acme: Bootstrapped, log: EventLog
) -> None:
    await log.score({}, {"scores": None}, {})
    async with server.socket(bearer(acme)) as socket:
        await socket.receive()
        await socket.begin(SCORES, {"after": "0:1"})
        whole = [(await socket.next())["scoreUpdated"] for _ in range(4)]
        for index, update in enumerate(whole[:-1]):
            await socket.begin(SCORES, {"after": update["cursor"]}, operation_id=update["cursor"])
            rest = [(await socket.next())["scoreUpdated"] for _ in whole[index + 1 :]]
            assert rest == whole[index + 1 :]


async def test_events_are_pushed_except_those_of_hidden_types(
    server: Server, acme: Bootstrapped, log: EventLog, database: Database
) -> None:
    async with database.session() as session, session.begin():
        session.add(EventType(unit_id=acme.unit_id, name="secret", hidden=True))
    await log.score({"event_type": "secret"}, {"metadata": {"path": "/pricing"}, "scores": None, "lead_id": None})
    async with server.socket(basic(acme)) as socket:
        await socket.receive()
        await socket.begin(EVENTS, {"after": "0:1"})
        assert (await socket.next())["eventIngested"] == {
            "eventId": log.events[1],
            "leadId": None,
            "eventType": "page_view",
            "metadata": {"path": "/pricing"},
            "cursor": "2:1",
        }
        await socket.begin(EVENTS, {"after": "2:1"}, operation_id="2")
        await log.score({})
        received = [await socket.receive() for _ in range(2)]
    pushed = {(r["id"], r["payload"]["data"]["eventIngested"]["eventId"]) for r in received}
    assert pushed == {("1", log.events[2]), ("2", log.events[2])}


async def test_a_unit_never_sees_another_unit_s_changes(
    server: Server, acme: Bootstrapped, rival: Bootstrapped, log: EventLog, publisher: Publisher, database: Database
) -> None:
    others = EventLog(database, publisher, rival.unit_id)
    async with server.socket(bearer(rival)) as socket:
        await socket.receive()
        await socket.begin(EVENTS, {"after": "0:1"})
        await log.score({}, {})
        await others.score({})
        await log.score({})
        assert (await socket.next())["eventIngested"]["eventId"] == others.events[0]
        await others.score({})
        assert (await socket.next())["eventIngested"]["eventId"] == others.events[1]


@pytest.mark.parametrize(
    "payload",
    [
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic bm9ib2R5Om5vdGhpbmc="},
        {"authorization": "Digest x"},
    ],
)
async def test_wrong_credentials_close_the_socket(server: Server, payload: dict[str, Any]) -> None:
    async with server.socket(payload) as socket:
        with pytest.raises(websockets.ConnectionClosed):
            await socket.receive()
        assert socket.connection.close_code == 4403


async def test_a_foreign_unit_closes_the_socket(server: Server, acme: Bootstrapped, rival: Bootstrapped) -> None:
    for unit_id in (rival.unit_id, "unit_none", acme.unit_id + "\0"):
        async with server.socket(bearer(acme) | {"X-Unit-Id": unit_id}) as socket:
            with pytest.raises(websockets.ConnectionClosed):
                await socket.receive()
            assert socket.connection.close_code == 4403


@pytest.mark.parametrize("payload", [None, {}, {"Authorization": 5}])
async def test_without_credentials_only_public_operations_work(
    server: Server, acme: Bootstrapped, payload: dict[str, Any] | None
) -> None:
    async with server.socket(payload) as socket:
        assert (await socket.receive())["type"] == "connection_ack"
        await socket.begin(SCORES)
        refused = await socket.receive()
        assert (refused["type"], refused["payload"][0]["extensions"]["code"]) == ("error", "unauthorized")
        login = 'mutation { login(input: {email: "ada@acme.example", password: "correct horse"}) { token } }'
        await socket.begin(login, operation_id="2")
        assert (await socket.next())["login"]["token"]
        assert await socket.receive() == {"id": "2", "type": "complete"}


async def test_a_bad_cursor_refuses_the_subscription(server: Server, acme: Bootstrapped) -> None:
    async with server.socket(bearer(acme)) as socket:
        await socket.receive()
        await socket.begin(SCORES, {"after": "yesterday"})
        refused = await socket.receive()
    assert (refused["type"], refused["payload"][0]["extensions"]["code"]) == ("error", "invalid_cursor")


async def test_one_socket_carries_queries_and_subscriptions_together(
    server: Server, acme: Bootstrapped, log: EventLog
) -> None:
    async with server.socket(bearer(acme)) as socket:
        await socket.receive()
        await socket.begin(EVENTS, {"after": "0:1"}, operation_id="live")
        await socket.begin("{ rules { ruleId } }", operation_id="query")
        assert (await socket.next()) == {"rules": []}
        assert await socket.receive() == {"id": "query", "type": "complete"}
        await log.score({})
        assert (await socket.next())["eventIngested"]["eventId"] == log.events[0]
        await socket.send({"id": "live", "type": "complete"})
        await socket.send({"type": "ping"})
        assert await socket.receive() == {"type": "pong"}


async def _sse(response: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    """(event, data) of each frame of a stream, comments left out."""
    event = ""
    async for line in response.aiter_lines():
        name, _, value = line.partition(": ")
        if name == "event":
            event = value
        elif name.startswith("data"):
            yield event, orjson.loads(value) if value else None


async def test_a_subscription_comes_as_server_sent_events(server: Server, acme: Bootstrapped, log: EventLog) -> None:
    headers = bearer(acme) | {"Accept": "text/event-stream"}
    body = {"query": SCORES, "variables": {"after": "0:1"}}
    async with server.http.stream("POST", "/graphql", json=body, headers=headers, timeout=30) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        frames = _sse(response)
        await log.score({}, {})
        cursors = []
        for _ in range(4):
            event, payload = await anext(frames)
            assert event == "next"
            cursors.append(payload["data"]["scoreUpdated"]["cursor"])
    assert cursors == ["1:1", "1:2", "2:1", "2:2"]


async def test_a_query_over_server_sent_events_answers_and_completes(server: Server, acme: Bootstrapped) -> None:
    headers = bearer(acme) | {"Accept": "text/event-stream"}
    response = await server.http.post("/graphql", json={"query": "{ rules { ruleId } }"}, headers=headers)
    frames = [frame async for frame in _sse(response)]
    assert [(name, data and data["data"]) for name, data in frames] == [("next", {"rules": []}), ("complete", None)]


async def test_a_refused_subscription_says_so_in_its_stream(server: Server) -> None:
    headers = {"Accept": "text/event-stream"}
    response = await server.http.post("/graphql", json={"query": SCORES}, headers=headers)
    frames = [frame async for frame in _sse(response)]
    assert frames[0][1]["errors"][0]["extensions"]["code"] == "unauthorized"
    assert frames[-1] == ("complete", None)


async def test_a_subscriber_that_reads_nothing_is_told_when_it_reads_again(
    server: Server, acme: Bootstrapped, log: EventLog
) -> None:
    """Its socket fills, then its queue; the server stops feeding it and later goes on from the log."""
    async with server.socket(bearer(acme)) as socket:
        await socket.receive()
        await socket.begin('subscription { eventIngested(after: "0:1") { eventId metadata lagged } }')
        await log.score({})
        assert (await socket.next())["eventIngested"]["lagged"] is False
        for _ in range(30):
            # Random text, because messages are compressed on their way.
            await log.score(*({"metadata": {"filling": token_hex(8_000)}} for _ in range(100)))
        received = [(await socket.next())["eventIngested"] for _ in log.events[1:]]
    assert [event["eventId"] for event in received] == log.events[1:]
    assert sum(event["lagged"] for event in received) >= 1
