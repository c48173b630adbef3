"""The ingest buffer: what a receipt promises, and what keys, bad neighbours, fullness and a stop do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from leadvibe.errors import ApiError
from leadvibe.pipeline.buffer import IngestBuffer, Receipt
from leadvibe.pipeline.events import IncomingEvent
from leadvibe.store.database import Database
from tests.pipeline.units import RECEIVED, Unit, body, incoming, new_unit, open_buffer
from tests.scoring.streams import config, ruleset


@pytest.fixture
async def unit(database: Database) -> Unit:
    return await new_unit(database, config(ruleset(view=10)))


async def queued(unit: Unit) -> list[str]:
    rows = await unit.rows("SELECT event_id FROM ingest_queue WHERE unit_id = $1 ORDER BY position")
    return [row["event_id"] for row in rows]


def status(result: Any) -> int:
    assert isinstance(result, ApiError)
    return result.status


def unstorable(event_id: str) -> IncomingEvent:
    """An event with a NUL, as if validation had let it through; PostgreSQL refuses it."""
    event = incoming(body(event_id=event_id))
    event.metadata["text"] = "\0"
    return event


async def test_a_receipt_means_that_the_event_is_on_disk(unit: Unit) -> None:
    results = await unit.accept(*[body(event_id=f"e{i}") for i in range(5)])
    assert results == [Receipt(f"e{i}") for i in range(5)]
    assert await queued(unit) == [f"e{i}" for i in range(5)]


async def test_an_event_without_a_name_gets_one_and_is_never_a_duplicate(unit: Unit) -> None:
    first, second = await unit.accept(body(), body())
    assert isinstance(first, Receipt)
    assert first.event_id.startswith("ev_")
    assert first != second
    assert len(await queued(unit)) == 2


@pytest.mark.parametrize("field", ["event_id", "message_id"])
async def test_the_same_event_id_with_the_same_content_is_a_duplicate(unit: Unit, field: str) -> None:
    event = body(metadata={"a": 1, "b": 2}) | {field: "e1"}
    again = event | {"metadata": {"b": 2, "a": 1}}
    assert await unit.accept(event, again) == [Receipt("e1"), Receipt("e1", duplicate=True)]
    assert await unit.accept(event) == [Receipt("e1", duplicate=True)]
    await unit.work()
    assert await unit.accept(event) == [Receipt("e1", duplicate=True)]
    await unit.work()
    assert await unit.scores() == {"ld_1": 10}


async def test_an_idempotency_key_names_an_event_that_has_no_id(unit: Unit, database: Database) -> None:
    async with open_buffer(database) as buffer:
        (first,) = await buffer.accept(unit.unit_id, [incoming(body(), "key")])
        (again,) = await buffer.accept(unit.unit_id, [incoming(body(), "key")])
        (other,) = await buffer.accept(unit.unit_id, [incoming(body(), "other key")])
    assert isinstance(first, Receipt)
    assert again == Receipt(first.event_id, duplicate=True)
    assert other not in (first, again)


async def test_an_event_id_and_an_idempotency_key_of_the_same_text_are_two_things(
    unit: Unit, database: Database
) -> None:
    async with open_buffer(database) as buffer:
        results = await buffer.accept(unit.unit_id, [incoming(body(), "x"), incoming(body(event_id="x"))])
    assert [isinstance(result, Receipt) and result.duplicate for result in results] == [False, False]


@pytest.mark.parametrize(
    "change",
    [{"event_type": "click"}, {"lead_id": "ld_2"}, {"metadata": {"a": 2}}, {"timestamp": "2026-02-01T00:00:00Z"}],
    ids=lambda change: next(iter(change)),
)
async def test_the_same_key_with_other_content_is_409(unit: Unit, change: dict[str, Any]) -> None:
    event = body(event_id="e1", metadata={"a": 1})
    first, within = await unit.accept(event, event | change)
    (across,) = await unit.accept(event | change)
    assert (first, status(within), status(across)) == (Receipt("e1"), 409, 409)
    assert await unit.accept(event) == [Receipt("e1", duplicate=True)]
    assert await queued(unit) == ["e1"]


async def test_good_events_survive_a_conflicting_neighbour(unit: Unit) -> None:
    await unit.accept(body(event_id="e1"))
    results = await unit.accept(body(event_id="e0"), body("click", event_id="e1"), body(event_id="e2"))
    assert [status(result) if isinstance(result, ApiError) else result.event_id for result in results] == [
        "e0",
        409,
        "e2",
    ]
    assert await queued(unit) == ["e1", "e0", "e2"]


async def test_a_key_that_many_send_at_once_is_scored_once(unit: Unit, database: Database) -> None:
    """Two API processes, twenty requests each, all with the same ten events in different orders."""
    async with open_buffer(database) as one, open_buffer(database) as two:
        orders = [[(i * step) % 11 for i in range(1, 11)] for step in range(1, 11)]
        requests = [[incoming(body(event_id=f"e{i}")) for i in order] for order in orders * 4]
        answers = await asyncio.gather(
            *((one, two)[i % 2].accept(unit.unit_id, events) for i, events in enumerate(requests))
        )
    receipts = [receipt for answer in answers for receipt in answer]
    assert all(isinstance(receipt, Receipt) for receipt in receipts)
    assert sorted(
        receipt.event_id for receipt in receipts if isinstance(receipt, Receipt) and not receipt.duplicate
    ) == sorted(f"e{i}" for i in range(1, 11))
    await unit.work()
    assert await unit.scores() == {"ld_1": 100}


async def test_a_full_buffer_answers_503_and_takes_again_when_there_is_room(unit: Unit, database: Database) -> None:
    async with open_buffer(database, capacity=10) as buffer:
        first = asyncio.create_task(buffer.accept(unit.unit_id, [incoming(body(event_id=f"a{i}")) for i in range(8)]))
        await asyncio.sleep(0)  # lets it come in; it cannot be written before we yield again
        with pytest.raises(ApiError) as caught:
            await buffer.accept(unit.unit_id, [incoming(body()) for _ in range(3)])
        assert (caught.value.status, caught.value.retry_after) == (503, 1)
        await first
        await buffer.accept(unit.unit_id, [incoming(body(event_id=f"b{i}")) for i in range(10)])
    assert len(await queued(unit)) == 18


async def test_the_patient_wait_for_room_and_a_stop_wakes_them(unit: Unit, database: Database) -> None:
    def events(name: str, count: int) -> list[IncomingEvent]:
        return [incoming(body(event_id=f"{name}{i}")) for i in range(count)]

    async with open_buffer(database, capacity=10) as buffer:
        takers = [asyncio.create_task(buffer.accept(unit.unit_id, events(name, 8), patient=True)) for name in "abc"]
        await asyncio.gather(*takers)
        taken = asyncio.create_task(buffer.accept(unit.unit_id, events("d", 8)))
        late = asyncio.create_task(buffer.accept(unit.unit_id, events("e", 8), patient=True))
        await asyncio.sleep(0)
    await taken
    with pytest.raises(ApiError, match="stopping"):
        await late
    assert sorted(await queued(unit)) == sorted(f"{name}{i}" for name in "abcd" for i in range(8))


async def test_an_empty_buffer_takes_a_request_of_any_size(unit: Unit, database: Database) -> None:
    async with open_buffer(database, capacity=10) as buffer:
        await buffer.accept(unit.unit_id, [incoming(body(event_id=f"e{i}")) for i in range(11)])
    assert len(await queued(unit)) == 11


async def test_refused_data_harms_only_its_own_request(unit: Unit, database: Database) -> None:
    async with open_buffer(database) as buffer:
        results = await asyncio.gather(
            buffer.accept(unit.unit_id, [incoming(body(event_id="first"))]),
            buffer.accept(unit.unit_id, [incoming(body(event_id="good"))]),
            buffer.accept(unit.unit_id, [incoming(body(event_id="beside")), unstorable("bad")]),
            buffer.accept(unit.unit_id, [incoming(body(event_id="last"))]),
            return_exceptions=True,
        )
    assert status(results[2]) == 400
    assert sorted(await queued(unit)) == ["first", "good", "last"]
    # What was refused left no key behind.
    assert await unit.accept(body(event_id="beside")) == [Receipt("beside")]


async def test_a_unit_that_fails_does_not_disturb_another(unit: Unit, database: Database) -> None:
    other = await new_unit(database, config(ruleset(view=1)))
    async with open_buffer(database) as buffer:
        bad, good = await asyncio.gather(
            buffer.accept(unit.unit_id, [unstorable("bad")]),
            buffer.accept(other.unit_id, [incoming(body(event_id="good"))]),
            return_exceptions=True,
        )
    assert (status(bad), good) == (400, [Receipt("good")])


async def test_a_stop_writes_what_was_taken_and_refuses_what_comes_later(database: Database) -> None:
    units = [await new_unit(database, config()) for _ in range(6)]
    buffer = IngestBuffer(database, 10_000)
    await buffer.start()
    sent = [
        asyncio.create_task(buffer.accept(unit.unit_id, [incoming(body()) for _ in range(50)]))
        for unit in units
        for _ in range(5)
    ]
    await asyncio.sleep(0)
    await buffer.stop()
    for unit in units:
        assert len(await queued(unit)) == 250
    assert [len(results) for results in await asyncio.gather(*sent)] == [50] * 30
    with pytest.raises(ApiError) as caught:
        await buffer.accept(units[0].unit_id, [incoming(body())])
    assert (caught.value.status, caught.value.code) == (503, "stopping")


async def test_a_client_that_leaves_disturbs_nobody(unit: Unit, database: Database) -> None:
    async with open_buffer(database) as buffer:
        leaving = asyncio.create_task(buffer.accept(unit.unit_id, [incoming(body(event_id="left"))]))
        staying = asyncio.create_task(buffer.accept(unit.unit_id, [incoming(body(event_id="stayed"))]))
        await asyncio.sleep(0)
        leaving.cancel()
        assert await staying == [Receipt("stayed")]
    assert await queued(unit) == ["left", "stayed"]


async def test_a_database_that_is_gone_is_503(unit: Unit, database: Database) -> None:
    gone = await Database.open(database.url, pool_size=1)
    async with open_buffer(gone) as buffer:
        await gone.close()
        with pytest.raises(ApiError) as caught:
            await buffer.accept(unit.unit_id, [incoming(body())])
    assert caught.value.status == 503


async def test_keys_belong_to_their_unit(unit: Unit, database: Database) -> None:
    other = await new_unit(database, config())
    assert await unit.accept(body(event_id="e1")) == [Receipt("e1")]
    assert await other.accept(body("click", event_id="e1")) == [Receipt("e1")]


async def test_keys_are_kept_with_the_time_of_acceptance(unit: Unit) -> None:
    await unit.accept(body(event_id="e1"))
    (row,) = await unit.rows("SELECT key, received_at FROM ingest_keys WHERE unit_id = $1")
    assert tuple(row) == ("e:e1", RECEIVED)
