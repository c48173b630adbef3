"""Firing in the worker: once where it says once, whatever is retried, cut into batches or done by two workers."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import pytest

from leadvibe.pipeline.decay import decay
from leadvibe.pipeline.events import read_event
from leadvibe.pipeline.lead_deletion import begin, finish
from leadvibe.pipeline.merging import Truncation, merge
from leadvibe.store.config_tables import DecayRule, EngagementLevel
from leadvibe.store.config_tables import SurgeTrigger as SurgeTriggerRow
from leadvibe.store.database import Database
from leadvibe.store.trigger_tables import (
    EventStep,
    MilestoneTrigger,
    PatternCondition,
    PatternTrigger,
    SequenceTrigger,
    TriggerFilter,
)
from tests.pipeline.test_sigkill import kill, send, until, worker_process, workers_are_connected
from tests.pipeline.units import RECEIVED, Unit, body, email, new_unit, open_buffer, rescore, score_all
from tests.scoring.streams import config, grouped, plain, ruleset

HOOK = "https://hooks.example/lv"


async def a_unit(database: Database, *triggers: Any, **options: Any) -> Unit:
    unit = await new_unit(database, config(ruleset(view=5, click=3, buy=-4), **options))
    await add(unit, *triggers)
    return unit


async def add(unit: Unit, *rows: Any) -> None:
    async with unit.database.session() as session, session.begin():
        for row in rows:
            row.unit_id, row.org_id = unit.unit_id, "org"
            session.add(row)


def milestone(threshold: int, event_type: str = "*", **fields: Any) -> MilestoneTrigger:
    trigger_id = fields.pop("trigger_id", f"tr_{event_type}_{threshold}")
    return MilestoneTrigger(
        trigger_id=trigger_id, name="Hot", event_type=event_type, score_threshold=threshold,
        **{"webhook_url": HOOK} | fields,
    )  # fmt: skip


def sequence(*types: str, seconds: int = 60, ordered: bool = True, **fields: Any) -> SequenceTrigger:
    steps = fields.pop("steps", [EventStep(event_type=name) for name in types])
    return SequenceTrigger(
        trigger_id=f"sq_{'_'.join(types)}", name="Intent", event_types=list(types), event_steps=steps,
        window_seconds=seconds, window_unit="seconds", ordered=ordered, **{"webhook_url": HOOK} | fields,
    )  # fmt: skip


def pattern(count: int, event_type: str = "view", seconds: int | None = 60, **fields: Any) -> PatternTrigger:
    conditions = [PatternCondition(event_type=event_type, min_count=count, **fields)]
    return PatternTrigger(
        trigger_id=f"pt_{event_type}_{count}", name="Often", conditions=conditions, window_seconds=seconds,
        webhook_url=HOOK,
    )  # fmt: skip


def copied(row: Any) -> Any:
    """A row of its own for each run of a test."""
    return type(row)(**{name: getattr(row, name) for name in type(row).model_fields})


async def firings(unit: Unit) -> list[dict[str, Any]]:
    return [dict(row) for row in await unit.rows("SELECT * FROM trigger_firings WHERE unit_id = $1 ORDER BY seq, kind")]


async def fired(unit: Unit) -> list[tuple[str, str, int]]:
    return [(each["kind"], each["lead_id"], each["seq"]) for each in await firings(unit)]


async def delivered(unit: Unit) -> list[dict[str, Any]]:
    """In the order of the events that made them."""
    rows = await unit.rows(
        """
        SELECT d.* FROM deliveries d LEFT JOIN trigger_firings f ON f.unit_id = $1 AND f.firing_id = d.firing_id
        WHERE d.unit_id = $1 ORDER BY f.seq, d.delivery_id
        """
    )
    return [dict(row) for row in rows]


async def test_a_milestone_tells_what_made_it(database: Database) -> None:
    unit = await a_unit(
        database,
        milestone(8, "View", emails=["a@x.example", "b@x.example"], email_subject="Hot!", slack_target_id="C1",
                  slack_target_kind="channel", teams_target_id="https://teams.example/hook"),
        EngagementLevel(stage_id="st_1", name="Warm", min_score=0, max_score=9),
        EngagementLevel(stage_id="st_2", name="Hot", min_score=10),
    )  # fmt: skip
    await unit.score(body("view", event_id="e1"), body("click"), body("view", event_id="e3", aliases=email("j@x.co")))
    assert await firings(unit) == [], "the click reached it, and is of another type"
    await unit.score(body("view", "ld_2", event_id="f1"), body("view", "ld_2", event_id="f2", aliases=email("K@x.co")))
    (firing,) = await firings(unit)
    assert firing["firing_id"].startswith("mevt_")
    expected = {"kind": "milestone", "trigger_name": "Hot", "lead_id": "ld_2", "event_id": "f2", "score": 10}
    assert (expected | {"previous_score": 5}).items() <= firing.items()
    messages = await delivered(unit)
    assert Counter(each["channel"] for each in messages) == {"webhook": 1, "email": 2, "slack": 1, "teams": 1}
    (payload,) = [each["payload"] for each in messages if each["channel"] == "webhook"]
    assert (payload["id"], payload["type"]) == (firing["firing_id"], "milestone.entered")
    assert payload["lead"]["engagement_level"] == "Hot"
    assert payload["lead"]["aliases"] == [{"alias_kind": "email", "raw_value": "K@x.co"}]
    assert payload["event"]["event_id"] == "f2" and payload["trigger"]["score_threshold"] == 8
    assert {each["firing_id"] for each in messages} == {firing["firing_id"]}


@pytest.mark.parametrize("batch_size", [1, 100])
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [("milestone", 1), ("milestone_exit", 2)]),
        ({"fire_mode": "always"}, [("milestone", 1), ("milestone_exit", 2), ("milestone", 3), ("milestone_exit", 4)]),
        (
            {"fire_mode": "always", "cooldown_seconds": 25},
            [("milestone", 1), ("milestone_exit", 2), ("milestone", 5)],
        ),
        ({"active": False}, []),
    ],
)
async def test_fire_mode_and_cooldown(
    database: Database, fields: dict[str, Any], expected: list[tuple[str, int]], batch_size: int
) -> None:
    unit = await a_unit(database, milestone(5, **fields))
    events = ["view", "buy", "view", "buy"] + (["view"] if "cooldown_seconds" in fields else [])
    await unit.score(*(body(name, second=10 * i) for i, name in enumerate(events)), batch_size=batch_size)
    assert [(kind, seq) for kind, _, seq in await fired(unit)] == expected
    assert all(each["trigger_type"] == "milestone.entered" for each in await delivered(unit))


async def test_a_late_event_may_reach_a_milestone_again(database: Database) -> None:
    unit = await a_unit(database, milestone(5, fire_mode="always"))
    await unit.score(body("view", second=100), body("buy", second=101), body("view", second=0))
    assert [(kind, seq) for kind, _, seq in await fired(unit)] == [
        ("milestone", 1), ("milestone_exit", 2), ("milestone", 3),
    ]  # fmt: skip


async def test_an_exit_is_delivered_when_the_trigger_asks_for_it(database: Database) -> None:
    unit = await a_unit(database, milestone(5, notify_exit=True))
    await unit.score(body("view"), body("buy"))
    assert [each["trigger_type"] for each in await delivered(unit)] == ["milestone.entered", "milestone.exited"]


async def test_decay_and_a_take_back_leave_milestones(database: Database) -> None:
    unit = await a_unit(database, milestone(10), filters=[grouped(2, 5)])
    await unit.score(*(body("view", second=second) for second in (0, 1, 2)))
    assert await fired(unit) == [("milestone", "ld_1", 2), ("milestone_exit", "ld_1", 3)]
    other = await a_unit(database, milestone(5))
    rule = DecayRule(decay_id="dc", inactive_for=1, unit="days", decrease=3)
    await add(other, rule)
    await other.score(body("view"))
    for _ in range(2):
        await decay(database, other.unit_id, datetime.now(UTC))
    assert [kind for kind, _, _ in await fired(other)] == ["milestone", "milestone_exit"]


@pytest.mark.parametrize("batch_size", [1, 100])
@pytest.mark.parametrize(
    ("trigger", "events", "seqs"),
    [
        (sequence("view", "click", "buy"), [("view", 0), ("click", 10), ("buy", 60)], [3]),
        (sequence("view", "click", "buy"), [("view", 0), ("click", 10), ("buy", 61)], []),
        (sequence("view", "buy"), [("buy", 0), ("view", 10)], []),
        (sequence("view", "buy", ordered=False), [("buy", 0), ("view", 10)], [2]),
        (sequence("view", "buy", ordered=False), [("buy", 0), ("view", 60)], []),  # (t − window, t]
        (sequence("view", "view", ordered=False), [("view", 0), ("view", 0)], [2]),
        (sequence("view", "buy"), [("buy", 20), ("view", 10)], []),  # the late step completes nothing
        (sequence("view", "buy"), [("view", 10), ("click", 90), ("buy", 20)], [3]),  # the late end does
        (sequence("view", "buy"), [("view", 0), ("buy", 1), ("view", 2), ("buy", 3)], [2]),
        (sequence("view", "buy", fire_mode="always"), [("view", 0), ("buy", 1), ("buy", 2), ("view", 3), ("buy", 4)],
         [2, 5]),
        (sequence("view", "buy", fire_mode="always"), [("view", 100), ("buy", 101), ("view", 0), ("buy", 1)], [2, 4]),
        (sequence("view", "buy", fire_mode="always", cooldown_seconds=5),
         [("view", 0), ("buy", 1), ("view", 2), ("buy", 3), ("buy", 6)], [2, 5]),
        (sequence("view", "buy", steps=[EventStep(event_type="View", min_count=2), EventStep(event_type="buy")]),
         [("view", 0), ("buy", 1), ("view", 2), ("buy", 3)], [4]),
        (pattern(2), [("view", 0), ("view", 59)], [2]),
        (pattern(2), [("view", 0), ("view", 60)], []),
        (pattern(2), [("view", 0), ("view", 50), ("view", 100), ("view", 150)], [2]),  # one burst
        (pattern(2), [("view", 0), ("view", 1), ("view", 90), ("view", 91)], [2, 4]),
        (pattern(1), [("view", 0), ("view", 50), ("view", 110)], [1, 3]),
        (pattern(2), [("view", 100), ("view", 101), ("view", 0), ("view", 1)], [2]),  # late: before the last burst
        (pattern(2, seconds=None), [("view", 0), ("view", 5000), ("view", 9000)], [2]),
        (pattern(1, "Page  View"), [("page-view", 0)], [1]),
    ],
)  # fmt: skip
async def test_sequences_and_patterns(
    database: Database, trigger: Any, events: Sequence[tuple[str, float]], seqs: list[int], batch_size: int
) -> None:
    unit = await a_unit(database, copied(trigger))
    await unit.score(*(body(name, second=second) for name, second in events), batch_size=batch_size)
    assert [seq for _, _, seq in await fired(unit)] == seqs
    assert len(await delivered(unit)) == len(seqs)


async def test_steps_look_at_metadata(database: Database) -> None:
    pricing = [TriggerFilter(field="path", operator="starts_with", value="/PRICING")]
    unit = await a_unit(database, pattern(2, filters=pricing))
    for path in ("/pricing/a", "/blog", "/pricing/b"):
        await unit.score(body("view", metadata={"path": path}))
    assert await fired(unit) == [("pattern", "ld_1", 3)]


async def test_only_leads_that_pass_the_filters(database: Database) -> None:
    hot = [TriggerFilter(field="engagement_level", operator="equals", value="Hot")]
    vip = [TriggerFilter(field="plan", operator="equals", value="vip")]
    unit = await a_unit(
        database,
        milestone(5, profile_filters=hot, trigger_id="hot"),
        milestone(5, lead_attribute_filters=vip, trigger_id="vip"),
        EngagementLevel(stage_id="st_2", name="Hot", min_score=6),
    )
    await unit.score(body("view", "ld_1"), body("click", "ld_2"), body("click", "ld_2"))
    assert [each["trigger_id"] for each in await firings(unit)] == ["hot"]
    await unit.score(body("click", "ld_3"))
    await unit.rows('UPDATE leads SET metadata = \'{"plan": "vip"}\' WHERE unit_id = $1 RETURNING lead_id')
    await unit.score(body("click", "ld_3"))
    assert {(each["trigger_id"], each["lead_id"]) for each in await firings(unit)} == {
        ("hot", "ld_2"), ("hot", "ld_3"), ("vip", "ld_3"),
    }  # fmt: skip


@pytest.mark.parametrize("scope", ["observe", "decide"])
async def test_types_below_activate_fire_nothing(database: Database, scope: Any) -> None:
    everything = milestone(5), sequence("view"), pattern(1)
    unit = await a_unit(database, *everything, ceilings={"view": scope})
    await unit.score(body("view"))
    assert await firings(unit) == [] and await delivered(unit) == []


async def test_suppressed_events_and_imports_without_triggers_fire_nothing(database: Database) -> None:
    unit = await a_unit(database, milestone(8), pattern(2), sequence("view", "view"), filters=[plain(1, 60)])
    await unit.score(body("view", second=0), body("view", second=1))
    assert await firings(unit) == []
    other = await a_unit(database, milestone(5), pattern(1), sequence("view"))
    async with open_buffer(database) as buffer:
        await buffer.accept(other.unit_id, [read_event(body("view"), RECEIVED, skip_triggers=True)])
    await other.work()
    assert await firings(other) == []


async def test_merges_and_rescoring_fire_nothing_and_once_stays_once(database: Database) -> None:
    unit = await a_unit(database, milestone(8), milestone(5, trigger_id="five"))
    await unit.score(body("view", "ld_1"), body("view", "ld_2"))
    before = await fired(unit)
    await merge(database, unit.unit_id, "ld_1", ["ld_2"], Truncation(), "me")
    await rescore(database, unit.unit_id)
    assert await fired(unit) == before
    await unit.score(body("buy"), body("buy"), body("view"), body("view"))
    reached = [each["trigger_id"] for each in await firings(unit) if each["kind"] == "milestone"]
    assert reached == ["five", "five", "tr_*_8"]


async def test_deleting_a_merged_lead_forgets_what_its_sources_fired(database: Database) -> None:
    unit = await a_unit(database, milestone(5))
    await unit.score(body("view", "ld_1"), body("view", "ld_2"), body("view", "ld_3"))
    await merge(database, unit.unit_id, "ld_1", ["ld_2"], Truncation(), "me")
    await finish(database, unit.unit_id, await begin(database, unit.unit_id, "ld_1", "me"))
    assert [lead_id for _, lead_id, _ in await fired(unit)] == ["ld_3"]
    await unit.score(body("view", "ld_2"))
    assert [lead_id for _, lead_id, _ in await fired(unit)] == ["ld_3", "ld_2"], "the id is a new lead's now"


async def test_surges_are_delivered(database: Database) -> None:
    unit = await a_unit(database)
    await unit.rows("UPDATE org_units SET surge_triggers_enabled = true WHERE unit_id = $1 RETURNING unit_id")
    await add(unit, SurgeTriggerRow(trigger_id="sg", window_seconds=60, threshold_count=2, webhook_url=HOOK))
    await unit.score(body("view"), body("view", aliases=email("j@x.co")))
    (message,) = await delivered(unit)
    assert (message["trigger_type"], message["payload"]["type"]) == ("surge.fired", "surge.fired")
    assert message["payload"]["lead"]["aliases"][0]["raw_value"] == "j@x.co"


async def test_units_know_nothing_of_each_other(database: Database) -> None:
    one, other = await a_unit(database, milestone(5)), await a_unit(database, milestone(500))
    await one.accept(body("view"))
    await other.accept(body("view"))
    await one.work()
    assert len(await firings(one)) == 1 and await firings(other) == []


async def test_two_workers_and_kills_fire_once_for_each_lead(database: Database) -> None:
    unit = await a_unit(database, milestone(5), pattern(2, "click", None), sequence("view", "click", seconds=9999))
    chance = random.Random(7)
    bodies = [
        body(chance.choice(("view", "click")), f"ld_{chance.randrange(40)}", second=i / 10, event_id=f"e{i}")
        for i in range(1200)
    ]
    async with open_buffer(database) as buffer, AsyncExitStack() as stack:
        started = [await stack.enter_async_context(worker_process(database)) for _ in range(2)]
        await workers_are_connected(database, 2)
        await send(buffer, unit, bodies[:600])
        await until(database, "SELECT max(last_seq) >= 200 FROM lanes")
        for process in started:
            await kill(process)
        await send(buffer, unit, bodies)  # the first 600 are retries
    await score_all(database, [50, 70])
    counted = Counter((each["kind"], each["lead_id"]) for each in await firings(unit))
    assert set(counted.values()) == {1}
    assert Counter(kind for kind, _ in counted) == {"milestone": 40, "pattern": 40, "sequence": 40}
    messages = await delivered(unit)
    assert len(messages) == 120 and {each["firing_id"] for each in messages} == {
        each["firing_id"] for each in await firings(unit)
    }
