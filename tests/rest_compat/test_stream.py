"""GET /stream: the frames of a scored event, resuming, and who may see what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import httpx
import orjson
import pytest

from leadvibe.config import Settings
from leadvibe.store.database import Database
from tests.rest_compat.conftest import Org, Scoring, add_unit, client, refused, running

DEMO = {"event_type": "demo", "lead_id": "ld_1", "timestamp": "2026-03-01T12:00:00Z"}
FROM_THE_BEGINNING = {"Last-Event-ID": "0:1"}


@dataclass
class Frame:
    """One server-sent event: its lines as they came, and its data."""

    fields: dict[str, str]
    data: dict[str, Any]

    @property
    def id(self) -> str:
        return self.fields["id"]


@dataclass
class Stream:
    response: httpx.Response
    lines: AsyncIterator[str]

    async def next(self) -> Frame:
        """The next frame; comments and the retry interval are none."""
        async with asyncio.timeout(30):
            while True:
                lines = await self._block()
                fields = dict(line.split(": ", 1) for line in lines if not line.startswith(":"))
                if "data" in fields:
                    return Frame(fields, orjson.loads(fields["data"]))

    async def take(self, count: int) -> list[Frame]:
        return [await self.next() for _ in range(count)]

    async def _block(self) -> list[str]:
        lines = []
        async for line in self.lines:
            if not line:
                break
            lines.append(line)
        assert lines, "the stream ended"
        return lines


@asynccontextmanager
async def stream(http: httpx.AsyncClient, unit_id: str | None = None, **headers: str) -> AsyncIterator[Stream]:
    """An open stream that has begun: what is scored from now on will come."""
    query = {} if unit_id is None else {"ouId": unit_id}
    async with http.stream("GET", "/stream", params=query, headers=headers) as response:
        assert response.status_code == 200
        opened = Stream(response, response.aiter_lines())
        await opened._block()  # the retry interval comes when the subscription stands
        yield opened


async def test_a_scored_event_makes_two_frames(acme: Org, scoring: Scoring) -> None:
    rule = await acme.rule("demo", 40)
    async with stream(acme.http) as opened:
        assert opened.response.headers["content-type"].startswith("text/event-stream")
        assert opened.response.headers["cache-control"] == "no-store"
        await acme.ingest(DEMO | {"event_id": "mine", "metadata": {"path": "/demo"}})
        await scoring.finish()
        event, update = await opened.take(2)
    assert list(event.fields) == list(update.fields) == ["id", "event", "data"]
    assert (event.fields["event"], update.fields["event"]) == ("new_event", "score_update")
    assert event.data == {
        "type": "new_event",
        "event": {
            "event_id": "mine",
            "id": "mine",
            "lead_id": "ld_1",
            "event_type": "demo",
            "timestamp": "2026-03-01T12:00:00Z",
            "created_at": "2026-03-01T12:00:00Z",
            "metadata": {"path": "/demo"},
            "channel": "web",
            "suppression_reason": None,
            "original_lead_id": None,
        },
    }
    assert update.data == {
        "type": "score_update",
        "lead_id": "ld_1",
        "delta": 40,
        "score": 40,
        "ruleset_id": rule["ruleset_id"],
    }


async def test_an_event_without_points_makes_no_score_update(acme: Org, scoring: Scoring) -> None:
    await acme.rule("demo", 5)
    async with stream(acme.http) as opened:
        await acme.ingest(DEMO | {"event_type": "worthless"}, DEMO)
        await scoring.finish()
        frames = await opened.take(3)
    assert [frame.data["type"] for frame in frames] == ["new_event", "new_event", "score_update"]


async def test_what_was_scored_before_is_not_told(acme: Org, scoring: Scoring) -> None:
    await acme.ingest(DEMO | {"event_id": "before"})
    await scoring.finish()
    async with stream(acme.http) as opened:
        await acme.ingest(DEMO | {"event_id": "after"})
        await scoring.finish()
        assert (await opened.next()).data["event"]["event_id"] == "after"


async def test_every_frame_resumes_without_loss_or_repetition(acme: Org, scoring: Scoring) -> None:
    await acme.rule("demo", 1)
    await acme.ingest(*[DEMO | {"event_id": f"e{n}"} for n in range(4)])
    await scoring.finish()
    async with stream(acme.http, **FROM_THE_BEGINNING) as opened:
        whole = await opened.take(8)
    assert len({frame.id for frame in whole}) == 8
    for n, frame in enumerate(whole[:-1]):
        async with stream(acme.http, **{"Last-Event-ID": frame.id}) as opened:
            assert await opened.take(7 - n) == whole[n + 1 :]


async def test_a_client_that_comes_and_goes_hears_everything_once(acme: Org, scoring: Scoring) -> None:
    await acme.rule("demo", 1)
    heard, last, total = [], "0:1", 30

    async def produce() -> None:
        for n in range(total):
            await acme.ingest(DEMO | {"event_id": f"e{n}"})
            await scoring.finish()

    producing = asyncio.create_task(produce())
    while len(heard) < 2 * total:
        async with stream(acme.http, **{"Last-Event-ID": last}) as opened:
            for frame in await opened.take(min(7, 2 * total - len(heard))):
                heard.append(frame)
                last = frame.id
    await producing
    names = [frame.data["event"]["event_id"] for frame in heard if frame.data["type"] == "new_event"]
    assert names == [f"e{n}" for n in range(total)]
    updates = [frame.data for frame in heard if frame.data["type"] == "score_update"]
    assert len(updates) == total
    assert all(later["score"] == earlier["score"] + later["delta"] for earlier, later in pairwise(updates))


@pytest.mark.parametrize("cursor", ["x", "1", "1:2:3", "-1:1", "1:x", "9" * 30 + ":1"])
async def test_an_id_that_this_stream_never_gave_is_refused(anybody: Org, cursor: str) -> None:
    refused(await anybody.http.get("/stream", headers={"Last-Event-ID": cursor}), 400, "invalid_cursor")


async def test_without_credentials_scores_and_bare_event_names_are_shown(
    http: httpx.AsyncClient, acme: Org, scoring: Scoring
) -> None:
    rule = await acme.rule("demo", 40)
    await acme.ingest(DEMO | {"event_id": "mine", "metadata": {"secret": "plan"}})
    await scoring.finish()
    async with stream(http, acme.made.unit_id, **FROM_THE_BEGINNING) as opened:
        event, update = await opened.take(2)
    assert event.data == {"type": "new_event", "event": {"event_type": "demo"}}
    assert update.data == {
        "type": "score_update",
        "lead_id": "ld_1",
        "delta": 40,
        "score": 40,
        "ruleset_id": rule["ruleset_id"],
    }


async def test_the_cookie_names_the_unit_as_well(http: httpx.AsyncClient, acme: Org, scoring: Scoring) -> None:
    await acme.ingest(DEMO)
    await scoring.finish()
    cookie = {"Cookie": f"activeOu={acme.made.unit_id}"}
    async with stream(http, **FROM_THE_BEGINNING, **cookie) as opened:
        assert (await opened.next()).data == {"type": "new_event", "event": {"event_type": "demo"}}


async def test_a_credential_and_a_named_unit_show_whole_events(
    http: httpx.AsyncClient, acme: Org, scoring: Scoring
) -> None:
    await acme.ingest(DEMO | {"event_id": "mine"})
    await scoring.finish()
    for unit_id in (None, acme.made.unit_id):
        async with stream(http, unit_id, **FROM_THE_BEGINNING, **acme.credential()) as opened:
            assert (await opened.next()).data["event"]["event_id"] == "mine"


async def test_a_hidden_event_is_not_told_to_anybody(
    http: httpx.AsyncClient, acme: Org, scoring: Scoring, database: Database
) -> None:
    await acme.ingest(DEMO | {"event_type": "secret"})
    await scoring.finish()
    statement = "UPDATE event_types SET hidden = true WHERE unit_id = $1 AND name = 'secret'"
    await database.pool.execute(statement, acme.made.unit_id)
    await acme.ingest(DEMO)
    await scoring.finish()
    for one in (acme.http, http):
        async with stream(one, acme.made.unit_id, **FROM_THE_BEGINNING) as opened:
            assert (await opened.next()).data["event"]["event_type"] == "demo"


async def test_a_stream_tells_of_its_unit_only(acme: Org, rival: Org, scoring: Scoring) -> None:
    async with stream(acme.http) as opened:
        await rival.ingest(DEMO | {"event_id": "theirs"})
        await scoring.finish()
        await acme.ingest(DEMO | {"event_id": "ours"})
        await scoring.finish()
        assert (await opened.next()).data["event"]["event_id"] == "ours"


async def test_a_unit_that_cannot_be_followed_is_refused(
    http: httpx.AsyncClient, acme: Org, rival: Org, database: Database
) -> None:
    refused(await http.get("/stream"), 400, "no_active_ou")
    refused(await http.get("/stream", params={"ouId": "unit_of_nobody"}), 404, "not_found")
    refused(await http.get("/stream", headers={"Authorization": "Bearer nonsense"}), 401, "unauthorized")
    named = {"ouId": rival.made.unit_id}
    refused(await acme.http.get("/stream", params=named), 404, "not_found")
    refused(await http.get("/stream", params=named, headers=acme.credential()), 404, "not_found")
    closed = await add_unit(database, acme.made, None)
    refused(await acme.http.get("/stream", params={"ouId": closed}), 403, "not_a_member")


async def test_the_anonymous_form_can_be_closed(database_url: str, acme: Org, scoring: Scoring) -> None:
    await acme.ingest(DEMO | {"event_id": "mine"})
    await scoring.finish()
    async with (
        running(Settings(database_url=database_url, stream_auth="required")) as url,
        client(url) as http,
    ):
        refused(await http.get("/stream", params={"ouId": acme.made.unit_id}), 401, "unauthorized")
        refused(await http.get("/stream", headers={"Cookie": f"activeOu={acme.made.unit_id}"}), 401)
        async with stream(http, **FROM_THE_BEGINNING, **acme.credential()) as opened:
            assert (await opened.next()).data["event"]["event_id"] == "mine"
