"""Surge detection: rolling windows, once in each, however the stream is cut into batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadvibe.pipeline.lead_deletion import begin
from leadvibe.pipeline.merging import Truncation, merge
from leadvibe.scoring.model import DECAY, SurgeTrigger, UnitConfig
from leadvibe.store.database import Database
from tests.pipeline.test_invariance import Bodies, few, sendings, worlds
from tests.pipeline.units import Unit, body, incoming, new_unit, open_buffer, score_all
from tests.scoring.streams import at, config, grouped, plain, ruleset


def trigger(
    threshold: int, seconds: float, event_type: str | None = "view", trigger_id: str | None = None
) -> SurgeTrigger:
    name = trigger_id or f"sg_{event_type}_{threshold}_{seconds}"
    return SurgeTrigger(name, event_type, timedelta(seconds=seconds), threshold)


async def surging(database: Database, *triggers: SurgeTrigger, **options: Any) -> Unit:
    return await new_unit(database, replace(config(ruleset(view=5), **options), surge_triggers=triggers))


async def surges(unit: Unit) -> list[dict[str, Any]]:
    rows = await unit.rows("SELECT * FROM surge_events WHERE unit_id = $1 ORDER BY seq, trigger_id")
    return [dict(row) for row in rows]


async def seqs(unit: Unit) -> list[int]:
    return [surge["seq"] for surge in await surges(unit)]


async def test_a_surge_tells_what_made_it(database: Database) -> None:
    unit = await surging(database, trigger(3, 60))
    bodies = [body("view", "ld_1", second) for second in (0, 10)]
    await unit.score(*bodies, body("view", "ld_1", 20, metadata={"source": "newsletter"}), body("view", "ld_2", 20))
    (surge,) = await surges(unit)
    assert surge.pop("surge_event_id").startswith("se_")
    assert surge == {
        "unit_id": unit.unit_id,
        "seq": 3,
        "trigger_id": "sg_view_3_60",
        "lead_id": "ld_1",
        "event_type": "view",
        "event_count": 3,
        "window_seconds": 60,
        "detected_at": at(20),
        "snapshot": {"channel": "email", "source": "newsletter", "score": 15},
    }


@pytest.mark.parametrize("batch_size", [1, 100])
@pytest.mark.parametrize(
    ("seconds", "fired"),
    [
        ((0, 59), [2]),
        ((0, 60), []),  # the window is (t - 60, t]
        ((0, 10, 20, 30, 69), [2]),  # rests for a window, however many come
        ((0, 10, 20, 30, 70), [2, 5]),
        ((0, 50, 100, 150, 200), [2, 4]),
        ((100, 0, 50), [3]),  # late events have windows of their own
        ((100, 110, 0, 50), [2]),  # but none goes off before the last detection
    ],
)
async def test_the_window_rolls_and_has_one_surge(
    database: Database, seconds: Sequence[float], fired: list[int], batch_size: int
) -> None:
    unit = await surging(database, trigger(2, 60))
    await unit.score(*(body("view", "ld_1", second) for second in seconds), batch_size=batch_size)
    assert await seqs(unit) == fired


async def test_a_trigger_without_a_type_counts_all_types_but_decay(database: Database) -> None:
    unit = await surging(database, trigger(3, 60, None))
    await unit.score(body("view"), body(DECAY), body("click"))
    assert await surges(unit) == []
    await unit.score(body("open"))
    assert [(surge["event_type"], surge["event_count"]) for surge in await surges(unit)] == [(None, 3)]


async def test_what_is_suppressed_or_observed_does_not_count(database: Database) -> None:
    unit = await surging(
        database, trigger(3, 60, None), filters=[plain(1, 60)], ceilings={"open": "observe", "click": "decide"}
    )
    await unit.score(body("view"), body("view"), body("open"), body("click"))
    assert await surges(unit) == []
    await unit.score(body("click"))
    assert await surges(unit) == [], "a type that may only be scored counts, and sets nothing off"
    await unit.score(body("buy"))
    assert [surge["event_count"] for surge in await surges(unit)] == [4]


@pytest.mark.parametrize("batch_size", [1, 100])
async def test_what_a_filter_took_back_does_not_count(database: Database, batch_size: int) -> None:
    unit = await surging(database, trigger(3, 60, None), filters=[grouped(2, 5)])
    burst = [body("view", second=second) for second in (0, 1, 2)]
    await unit.score(*burst, body("click", second=3), body("buy", second=4), batch_size=batch_size)
    assert [(surge["seq"], surge["event_count"]) for surge in await surges(unit)] == [(5, 3)]


async def test_an_import_without_triggers_counts_and_sets_nothing_off(database: Database) -> None:
    unit = await surging(database, trigger(2, 60))
    events = [incoming(body("view", second=second)) for second in (0, 1, 2)]
    for event in events:
        event.skip_triggers = True
    async with open_buffer(database) as buffer:
        await buffer.accept(unit.unit_id, events)
    await unit.work()
    assert await surges(unit) == []
    await unit.score(body("view", second=3))
    assert [surge["event_count"] for surge in await surges(unit)] == [4]


async def test_nothing_is_detected_while_the_unit_has_it_off(database: Database) -> None:
    unit = await surging(database, trigger(1, 60))
    await database.pool.execute("UPDATE org_units SET surge_triggers_enabled = false")
    await unit.score(body("view"))
    assert await surges(unit) == []


async def test_surges_follow_a_merge_and_go_with_their_lead(database: Database) -> None:
    unit = await surging(database, trigger(1, 60))
    await unit.score(body("view", "ld_1"), body("view", "ld_2"), body("view", "ld_3"))
    await merge(database, unit.unit_id, "ld_1", ["ld_2"], Truncation(), "mem_1")
    assert [surge["lead_id"] for surge in await surges(unit)] == ["ld_1", "ld_1", "ld_3"]
    await unit.score(body("view", "ld_2", 30))
    assert len(await surges(unit)) == 3, "the lead has had its surge"
    await begin(database, unit.unit_id, "ld_1", "mem_1")
    assert [surge["lead_id"] for surge in await surges(unit)] == ["ld_3"]


_triggers = st.builds(
    trigger, st.integers(1, 4), st.integers(1, 20), st.sampled_from(("view", "click", None)), st.sampled_from("abc")
)


@few
@given(worlds, st.lists(_triggers, min_size=1, max_size=3, unique_by=lambda each: each.trigger_id), sendings(),
       st.lists(st.integers(1, 12), min_size=1, max_size=3))  # fmt: skip
async def test_batches_and_workers_make_no_difference(
    database: Database, world: UnitConfig, triggers: list[SurgeTrigger], bodies: Bodies, batch_sizes: Sequence[int]
) -> None:
    world = replace(world, surge_triggers=tuple(triggers))
    whole, cut = await new_unit(database, world), await new_unit(database, world)
    await whole.score(*bodies)
    await cut.accept(*bodies)
    await score_all(database, batch_sizes)

    async def found(unit: Unit) -> list[tuple[Any, ...]]:
        return [(each["seq"], each["trigger_id"], each["event_count"], each["snapshot"]) for each in await surges(unit)]

    assert await found(cut) == await found(whole)
