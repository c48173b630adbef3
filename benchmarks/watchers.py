"""What 1,000 active triggers and 200 segments of a unit cost the scoring worker.

Visitors look at pages as people do, at few of them often, and half of the segments are of people who did one thing on
one page: so a visitor enters one or two of them. Each entry is three rows to write, which no worker can spare itself.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from benchmarks.report import Figure, note
from benchmarks.scoring import sessions, worker_rate
from benchmarks.server import EVENT_TYPES, Bench, configure, process, worker_connected
from leadvibe.config import Settings
from leadvibe.ids import new_id
from leadvibe.pipeline.segment_job import bring_up_to_date
from leadvibe.resolvers.authentication import Authenticator
from leadvibe.resolvers.bootstrap import bootstrap
from leadvibe.resolvers.tokens import Tokens
from leadvibe.store.columns import now
from leadvibe.store.segment_tables import Segment, SegmentRule
from leadvibe.store.trigger_tables import EventStep, MilestoneTrigger, PatternCondition, PatternTrigger, SequenceTrigger

_MILESTONES, _SEQUENCES, _PATTERNS, _SEGMENTS = 400, 300, 300, 200
_RUNS = 3
# Beside the types that occur, such as a unit's triggers name.
_OTHER_TYPES = tuple(f"campaign_{number}" for number in range(42))
_PAGES = [f"/products/{number}/" for number in range(_SEGMENTS)]
_VIEWS = [1 / rank for rank in range(1, _SEGMENTS + 1)]


async def measure(bench: Bench) -> list[Figure]:
    """One worker scores four units in turns: a plain one, one with triggers, one with segments, one with both."""
    units = {"triggers": await _unit(bench), "segments": await _unit(bench), "both": await _unit(bench)}
    plain: list[float] = []
    rates: dict[str, list[float]] = {name: [] for name in units}
    rate = partial(worker_rate, workload=_visits)
    async with process("worker", bench):
        await worker_connected(bench)
        for unit in (bench, *units.values()):
            await rate(unit)  # the leads come into being
        await _watch(units["triggers"], triggers)
        await _watch(units["segments"], segments)
        await _watch(units["both"], triggers, segments)
        began = now()
        await bring_up_to_date(bench.database, began)
        note(f"  the members of 2 × {_SEGMENTS} segments were made in {(now() - began).total_seconds():.1f} s")
        for run in range(1, _RUNS + 1):
            plain.append(await rate(bench, run=run))
            for name, unit in units.items():
                rates[name].append(await rate(unit, run=run))
            told = ", ".join(f"{name} {of[-1]:,.0f}" for name, of in rates.items())
            note(f"  run {run}: plain {plain[-1]:,.0f}, {told} events/s; {await _firings(bench):,} firings so far")
    return [
        Figure(f"scored events/s with {what} (reference: none)", rates[name], plain, target="at least 0.5")
        for name, what in (
            ("triggers", "1,000 active triggers"),
            ("segments", f"{_SEGMENTS} segments"),
            ("both", f"1,000 active triggers and {_SEGMENTS} segments"),
        )
    ]


def _visits(count: int, run: int) -> Iterator[dict[str, object]]:
    pages = random.Random(run).choices(_PAGES, _VIEWS, k=count)
    for body, page in zip(sessions(count, run), pages, strict=True):
        yield body | {"metadata": {"path": page, "title": "Product"}}


async def _unit(bench: Bench) -> Bench:
    """A further organisation with the same rules."""
    authenticator = Authenticator(bench.database, await Tokens.from_settings(Settings(), bench.database))
    name = new_id("org")
    owner = await bootstrap(authenticator, name, f"{name}@leadvibe.example", new_id("pw"))
    await configure(bench.database, owner)
    return replace(bench, owner=owner)


async def _watch(unit: Bench, *made: Any) -> None:
    own = {"unit_id": unit.owner.unit_id, "org_id": unit.owner.org_id}
    async with unit.database.session() as session, session.begin():
        session.add_all([row for each in made for row in each(own)])
    await unit.database.pool.execute(
        "UPDATE lanes SET config_version = config_version + 1 WHERE unit_id = $1", unit.owner.unit_id
    )


async def _firings(bench: Bench) -> int:
    return int(await bench.database.pool.fetchval("SELECT count(*) FROM trigger_firings"))


def triggers(own: dict[str, str]) -> list[Any]:
    draw = random.Random(1)
    types = (*EVENT_TYPES, *_OTHER_TYPES)
    rows: list[Any] = [
        MilestoneTrigger(
            **own, trigger_id=f"tr_{number}", name="Hot", event_type=draw.choice((*types, "*")),
            score_threshold=draw.randrange(10, 2_000),
        )
        for number in range(_MILESTONES)
    ]  # fmt: skip
    for number in range(_SEQUENCES):
        named = draw.sample(types, 3)
        steps = [EventStep(event_type=name, order=place) for place, name in enumerate(named)]
        rows.append(
            SequenceTrigger(
                **own, trigger_id=f"sq_{number}", name="Intent", event_types=named, event_steps=steps,
                window_seconds=draw.choice((3600, 86_400, 7 * 86_400)), window_unit="hours", ordered=number % 2 == 0,
            )
        )  # fmt: skip
    for number in range(_PATTERNS):
        conditions = [PatternCondition(event_type=draw.choice(types), min_count=draw.randrange(8, 30))]
        window = draw.choice((3600, 86_400))
        rows.append(
            PatternTrigger(
                **own, trigger_id=f"pt_{number}", name="Often", conditions=conditions, window_seconds=window
            )
        )  # fmt: skip
    return rows


def segments(own: dict[str, str]) -> list[Any]:
    """Half look at events of one type each, a quarter at levels, a quarter at properties."""
    rows: list[Any] = []
    for i in range(_SEGMENTS):
        segment_id = new_id("sg")
        rows.append(Segment(**own, segment_id=segment_id, name=f"Segment {i}"))
        about = {"rule_name": f"Rule {i}", "order_index": 0, "segment_id": segment_id, "rule_id": new_id("sr")}
        match i % 4:
            case 0 | 1:
                what = {"rule_type": "event_metadata", "field_name": "path", "operator": "contains",
                        "value": _PAGES[i], "event_type": EVENT_TYPES[i % len(EVENT_TYPES)]}  # fmt: skip
            case 2:
                what = {"rule_type": "engagement_level", "field_name": "engagement_level", "operator": "equals",
                        "value": f"Level {i % 5}"}  # fmt: skip
            case _:
                what = {"rule_type": "lead_metadata", "field_name": "job_title", "operator": "contains",
                        "value": f"Title {i}"}  # fmt: skip
        rows.append(SegmentRule(**own, **about, **what))
    return rows
