"""The active triggers of a unit, from their tables to what the scoring core takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from asyncpg import Record

from leadvibe.scoring.event_names import normal_name
from leadvibe.scoring.trigger_index import Triggers
from leadvibe.scoring.triggers import Condition, Gate, Milestone, Pattern, SequenceOf, Step, steps_of
from leadvibe.store.queue import AnyConnection

# An event type that stands for any.
ANY_TYPE = ("", "*")

_MESSAGES = "fire_mode, cooldown_seconds, profile_filters, lead_attribute_filters"
_SELECTS = {
    "milestone_triggers": f"SELECT trigger_id, event_type, score_threshold, {_MESSAGES} FROM milestone_triggers",  # noqa: S608
    "sequence_triggers": f"SELECT trigger_id, event_steps, window_seconds, ordered, {_MESSAGES} FROM sequence_triggers",  # noqa: S608
    "pattern_triggers": "SELECT trigger_id, conditions, window_seconds FROM pattern_triggers",
}


async def load(connection: AnyConnection, unit_id: str) -> Triggers:
    """All that are active."""
    milestones, sequences, patterns = [
        await connection.fetch(f"{select} WHERE unit_id = $1 AND active ORDER BY trigger_id", unit_id)
        for select in _SELECTS.values()
    ]
    return Triggers(
        milestones=tuple(map(milestone_of, milestones)),
        watchers=(*map(sequence_of, sequences), *(pattern_of(row) for row in patterns if row["conditions"])),
    )


async def load_one(connection: AnyConnection, unit_id: str, table: str, trigger_id: str) -> Triggers:
    """One milestone or sequence trigger, active or not; none when it is not there."""
    query = f"{_SELECTS[table]} WHERE unit_id = $1 AND trigger_id = $2"
    rows = await connection.fetch(query, unit_id, trigger_id)
    if table == "milestone_triggers":
        return Triggers(milestones=tuple(map(milestone_of, rows)))
    return Triggers(watchers=tuple(map(sequence_of, rows)))


def milestone_of(row: Record) -> Milestone:
    name = None if row["event_type"] in ANY_TYPE else normal_name(row["event_type"])
    return Milestone(row["trigger_id"], name, row["score_threshold"], _gate(row))


def sequence_of(row: Record) -> SequenceOf:
    steps = steps_of((_step(each), each["min_count"]) for each in row["event_steps"])
    return SequenceOf(row["trigger_id"], steps, timedelta(seconds=row["window_seconds"]), row["ordered"], _gate(row))


def pattern_of(row: Record) -> Pattern:
    conditions = tuple((_step(each), each["min_count"]) for each in row["conditions"])
    window = timedelta(seconds=row["window_seconds"]) if row["window_seconds"] else None
    return Pattern(row["trigger_id"], conditions, window)


def _gate(row: Record) -> Gate:
    return Gate(
        once=row["fire_mode"] == "once",
        cooldown=timedelta(seconds=row["cooldown_seconds"]) if row["cooldown_seconds"] else None,
        profile=_conditions(row["profile_filters"]),
        attributes=_conditions(row["lead_attribute_filters"]),
    )


def _step(part: Mapping[str, Any]) -> Step:
    return Step(normal_name(part["event_type"]), _conditions(part["filters"]))


def _conditions(filters: Iterable[Mapping[str, Any]]) -> tuple[Condition, ...]:
    return tuple(Condition(each["field"], each["operator"], each["value"]) for each in filters)
