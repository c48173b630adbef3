"""What a thousand active triggers cost the scoring worker."""

from __future__ import annotations

import random
from typing import Any

from benchmarks.report import Figure, note
from benchmarks.scoring import worker_rate
from benchmarks.server import EVENT_TYPES, Bench, process, worker_connected
from leadvibe.store.trigger_tables import EventStep, MilestoneTrigger, PatternCondition, PatternTrigger, SequenceTrigger

_MILESTONES, _SEQUENCES, _PATTERNS = 400, 300, 300
_RUNS = 3
# Beside the types that occur, such as a unit's triggers name.
_OTHER_TYPES = tuple(f"campaign_{number}" for number in range(42))


async def measure(bench: Bench) -> list[Figure]:
    """The same worker without triggers and with 1,000, in turns."""
    unit = await bench.database.pool.fetchrow("SELECT unit_id, org_id FROM org_units")
    async with bench.database.session() as session, session.begin():
        session.add_all(_triggers({"unit_id": unit["unit_id"], "org_id": unit["org_id"]}))
    without, having = [], []
    async with process("worker", bench):
        await worker_connected(bench)
        for run in range(_RUNS):
            for active, rates in ((False, without), (True, having)):
                await _switch(bench, unit["unit_id"], active)
                rates.append(await worker_rate(bench))
            note(f"  run {run + 1}: {without[-1]:,.0f} events/s without, {having[-1]:,.0f} with 1,000 triggers")
    return [Figure("scored events/s with 1,000 active triggers (reference: none)", having, without, "at least 0.5")]


async def _switch(bench: Bench, unit_id: str, active: bool) -> None:
    async with bench.database.pool.acquire() as connection, connection.transaction():
        for table in ("milestone_triggers", "sequence_triggers", "pattern_triggers"):
            await connection.execute(f"UPDATE {table} SET active = $2 WHERE unit_id = $1", unit_id, active)
        await connection.execute("UPDATE lanes SET config_version = config_version + 1 WHERE unit_id = $1", unit_id)


def _triggers(own: dict[str, str]) -> list[Any]:
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
