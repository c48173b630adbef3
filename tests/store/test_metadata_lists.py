"""Events found by metadata: whatever is in blocks and whatever is not, lists are those of a plain reading."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import select

from leadvibe.ids import new_id
from leadvibe.pipeline.scheduler import JOBS
from leadvibe.store import backfill, event_queries, metadata_lists, metadata_terms
from leadvibe.store.database import Database
from leadvibe.store.event_filter import KEYS, EventFilter
from leadvibe.store.event_log import append
from leadvibe.store.queue import AnyConnection
from leadvibe.store.tables import EngagementEvent, EventType, Lane, QueuedEvent
from tests.live.event_log import any_time

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
# Of each kind that a text is asked for: what is absent, null, a text, a number, nested.
METADATA = [{}, {"k": None}, {"k": "a"}, {"k": 1, "l": "a"}, {"l": {"a": 1}}, {"k": "a", "l": "a"}, {"accountId": "x"}]
PAIRS = [("k", "a"), ("k", "1"), ("l", "a"), ("l", '{"a": 1}'), ("accountId", "x"), ("accountId", "ac"), ("k", "none")]
# Event type, lead, hours before NOW (ties are many, order is none), metadata.
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["view", "view", "click", "secret"]),
        st.sampled_from(["ld_1", "ld_2"]),
        st.integers(0, 12),
        st.sampled_from(METADATA),
    ),
    min_size=10,
    max_size=60,
)
FILTERS = st.builds(
    EventFilter,
    event_type=st.sampled_from([None, None, "view", "secret"]),
    lead_id=st.sampled_from([None, None, None, "ld_1"]),
    occurred_from=st.sampled_from([None, None, NOW - timedelta(hours=9)]),
    occurred_to=st.sampled_from([None, None, NOW - timedelta(hours=2)]),
    metadata=st.lists(st.sampled_from(PAIRS), min_size=1, max_size=2),
    logic=st.sampled_from(["and", "or"]),
)


def row(unit_id: str, seq: int, event_type: str, lead_id: str, hours: int, metadata: dict[str, Any]) -> tuple[Any, ...]:
    at = NOW - timedelta(hours=hours)
    about = (f"ev_{seq}", lead_id, event_type, "web", metadata)
    return (unit_id, at, seq, *about, None, False, None, NOW, NOW)


async def score(
    connection: AnyConnection, unit_id: str, events: Sequence[tuple[str, str, int, dict[str, Any]]]
) -> None:
    """Adds events to the unit's log as a worker does, in the caller's transaction."""
    last = await connection.fetchval("SELECT last_seq FROM lanes WHERE unit_id = $1 FOR UPDATE", unit_id)
    await append(connection, [row(unit_id, last + i, *event) for i, event in enumerate(events, 1)])
    await connection.execute("UPDATE lanes SET last_seq = $2 WHERE unit_id = $1", unit_id, last + len(events))


async def add_blocks(database: Database, unit_id: str, most: int = 1_000) -> int:
    for added in range(most):
        async with database.pool.acquire() as connection, connection.transaction():
            if not await metadata_terms.add_block(connection, unit_id):
                return added
    return most


async def plain(database: Database, unit_id: str, wanted: EventFilter) -> list[str]:
    """What one query without any blocks finds."""
    query = select(EngagementEvent).where(*wanted.conditions(unit_id, ["secret"]))
    async with database.session() as session:
        rows = await session.exec(query.order_by(*(key.clause for key in KEYS)))
        return [event.event_id for event in rows]


async def pages(database: Database, unit_id: str, wanted: EventFilter, size: int) -> list[str]:
    """All pages, each behind the last one's cursor."""
    ids: list[str] = []
    cursor = None
    async with database.session() as session:
        while True:
            page = await event_queries.page(session, unit_id, wanted, size, cursor)
            ids += [event.event_id for event in page.rows]
            if not page.has_next:
                return ids
            cursor = page.cursors[-1]


@pytest.fixture
async def log(database: Database) -> Database:
    await any_time(database)
    return database


async def new_log(database: Database) -> str:
    unit_id = new_id("unit")
    async with database.session() as session, session.begin():
        session.add(Lane(unit_id=unit_id))
        session.add(EventType(unit_id=unit_id, name="secret", hidden=True))
    return unit_id


@settings(max_examples=30)
@given(data=st.data(), before=EVENTS, after=EVENTS)
async def test_pages_are_those_of_a_plain_reading(
    log: Database, data: st.DataObject, before: list[Any], after: list[Any]
) -> None:
    """With any sizes of blocks and chunks, after any edits and deletions, with any filter."""
    draw = data.draw
    unit_id = await new_log(log)
    with pytest.MonkeyPatch.context() as patch:
        chunk = draw(st.integers(1, 5))
        patch.setattr(metadata_terms, "CHUNK", chunk)
        patch.setattr(metadata_lists, "CHUNK", chunk)
        patch.setattr(metadata_terms, "BLOCK", chunk * draw(st.integers(1, 4)))
        patch.setattr(metadata_lists, "_LOOKED_AT", draw(st.integers(1, 10)))
        patch.setattr(metadata_lists, "_FEWEST_CHUNKS", draw(st.integers(1, 3)))
        patch.setattr(metadata_lists, "_MOST_LOOSE", draw(st.sampled_from([5, 1_000, 1_000])))
        patch.setattr(event_queries, "_EVENTS_SAMPLED", draw(st.integers(1, 10)))
        async with log.pool.acquire() as connection, connection.transaction():
            await score(connection, unit_id, before)
        await add_blocks(log, unit_id, draw(st.integers(0, 60)))
        async with log.pool.acquire() as connection, connection.transaction():
            await score(connection, unit_id, after)
            changed = draw(st.sets(st.integers(1, max(1, len(before)))))
            rows = {row(unit_id, seq, *event)[1:3] for seq, event in enumerate(before, 1) if seq in changed}
            await backfill.write_account_ids(connection, unit_id, dict.fromkeys(rows, "ac"))
            gone = draw(st.sets(st.integers(1, 60), max_size=20))
            await connection.execute(
                "DELETE FROM engagement_events WHERE unit_id = $1 AND seq = ANY($2)", unit_id, list(gone)
            )
        await add_blocks(log, unit_id, draw(st.integers(0, 3)))
        for wanted in draw(st.lists(FILTERS, min_size=4, max_size=4)):
            size, offset = draw(st.integers(1, 9)), draw(st.integers(0, 20))
            expected = await plain(log, unit_id, wanted)
            assert await pages(log, unit_id, wanted, size) == expected
            async with log.session() as session:
                page = await event_queries.page(session, unit_id, wanted, size, offset=offset)
            assert [event.event_id for event in page.rows] == expected[offset : offset + size]
            assert page.has_next == (len(expected) > offset + size)
            assert page.total >= min(len(expected), offset + size) or not page.rows


async def test_a_total_of_a_rare_value_is_counted_where_it_occurs(
    log: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit_id = await new_log(log)
    for module, name, value in (
        (metadata_terms, "BLOCK", 20), (metadata_terms, "CHUNK", 5), (metadata_lists, "CHUNK", 5),
        (event_queries, "_EVENTS_SAMPLED", 10),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, value)
    async with log.pool.acquire() as connection, connection.transaction():
        events: list[Any] = [
            ("view", "ld_1", 200 - n, {"n": "few" if n < 40 and n % 10 == 0 else "x"}) for n in range(150)
        ]
        await score(connection, unit_id, [*events, ("view", "ld_1", 300, {"n": "few"})])
    assert await add_blocks(log, unit_id) == 7
    few = EventFilter(metadata=[("n", "few")])
    async with log.session() as session:
        assert await event_queries.count(session, unit_id, few, []) == 5
        monkeypatch.setattr(metadata_lists, "_COUNTED_CHUNKS", 2)
        assert await event_queries.count(session, unit_id, few, []) == 5  # 2 in 2 of 4 chunks, and a loose one


async def test_a_block_is_closed_when_every_event_of_it_is_committed(
    log: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata_terms, "BLOCK", 3)
    unit_id = await new_log(log)
    async with log.pool.acquire() as worker:
        async with worker.transaction():
            await score(worker, unit_id, [("view", "ld_1", n, {"k": "a"}) for n in range(7)])
            assert await add_blocks(log, unit_id) == 0
        assert await add_blocks(log, unit_id) == 2
    assert await add_blocks(log, unit_id) == 0


async def test_metadata_is_not_changed_while_a_block_is_made_of_it(
    log: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata_terms, "BLOCK", 3)
    monkeypatch.setattr(metadata_lists, "_LOOKED_AT", 1)
    unit_id = await new_log(log)
    async with log.pool.acquire() as connection:
        async with connection.transaction():
            await score(connection, unit_id, [("view", "ld_1", n, {}) for n in range(3)])
        async with connection.transaction():
            await backfill.write_account_ids(connection, unit_id, {(NOW - timedelta(hours=2), 3): "ac"})
            assert await add_blocks(log, unit_id) == 0
    assert await add_blocks(log, unit_id) == 1
    assert await pages(log, unit_id, EventFilter(metadata=[("accountId", "ac")]), 5) == ["ev_3"]


async def test_the_job_adds_what_is_missing_unless_a_worker_is_behind(
    log: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata_terms, "BLOCK", 3)
    unit_ids = [await new_log(log) for _ in range(3)]
    async with log.pool.acquire() as connection:
        for count, unit_id in zip((2, 7, 9), unit_ids, strict=True):
            async with connection.transaction():
                await score(connection, unit_id, [("view", "ld_1", n, {"k": "a"}) for n in range(count)])
    waiting: dict[str, Any] = {"unit_id": unit_ids[2], "event_id": "ev_9", "aliases": [], "event_type": "view"}
    async with log.session() as session, session.begin():
        session.add(QueuedEvent(**waiting, occurred_at=NOW, received_at=NOW))
    said = [await JOBS["metadata"].run(log, NOW + timedelta(seconds=seconds)) for seconds in (2, 1, 1)]
    assert [sentence.split()[3] for sentence in said] == ["2", "3", "0"]
