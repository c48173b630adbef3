"""A unit's segments, from their tables to what decides who belongs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leadvibe.scoring.conditions import canonical
from leadvibe.scoring.event_names import normal_name
from leadvibe.scoring.model import Level
from leadvibe.scoring.segments import LEVEL_KINDS, Condition, LevelKind, Segment, SegmentPlan
from leadvibe.store.queue import AnyConnection

_LEVELS: dict[LevelKind, tuple[str, str]] = {
    "engagement_level": ("engagement_levels", "stage_id"),
    "profile_level": ("profile_levels", "level_id"),
    "account_level": ("account_levels", "level_id"),
}


async def load(connection: AnyConnection, unit_id: str) -> SegmentPlan:
    """Also when there are no segments: previews need the levels."""
    segments = await connection.fetch(
        "SELECT segment_id, active FROM segments WHERE unit_id = $1 ORDER BY segment_id", unit_id
    )
    rules = await connection.fetch(
        "SELECT * FROM segment_rules WHERE unit_id = $1 AND active AND segment_id = ANY($2::text[])",
        unit_id,
        [row["segment_id"] for row in segments if row["active"]],
    )
    by_segment: dict[str, list[Any]] = {row["segment_id"]: [] for row in segments}
    for rule in rules:
        by_segment[rule["segment_id"]].append(rule)
    return SegmentPlan(
        tuple(Segment(segment_id, conditions(of)) for segment_id, of in by_segment.items()),
        await _levels(connection, unit_id),
        await _abm_enabled(connection, unit_id),
        await _primaries(connection, unit_id),
    )


async def is_there(connection: AnyConnection, unit_id: str) -> bool:
    """Whether the unit has segments."""
    return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM segments WHERE unit_id = $1)", unit_id))


def conditions(rules: Sequence[Any]) -> tuple[Condition, ...]:
    """Rules (mappings of their columns) as conditions in the order in which they are joined."""
    ordered = sorted(
        rules, key=lambda rule: (rule["logic_group"], rule["order_index"], rule["created_at"], rule["rule_id"])
    )
    return tuple(
        Condition(
            rule["rule_id"],
            rule["rule_type"],
            rule["field_name"],
            canonical(rule["operator"]),
            rule["value"],
            normal_name(rule["event_type"]) if rule["event_type"] else None,
            rule["logic_group"],
            rule["logic_op"] == "OR",
        )
        for rule in ordered
    )


async def type_names(connection: AnyConnection, unit_id: str) -> dict[str, list[str]]:
    """The spellings of each event type that the unit has seen, by normal name."""
    names: dict[str, list[str]] = {}
    for row in await connection.fetch("SELECT name FROM event_types WHERE unit_id = $1 ORDER BY name", unit_id):
        names.setdefault(normal_name(row["name"]), []).append(row["name"])
    return names


async def _levels(connection: AnyConnection, unit_id: str) -> dict[str, list[Level]]:
    levels: dict[str, list[Level]] = {}
    for kind in LEVEL_KINDS:
        table, key = _LEVELS[kind]
        rows = await connection.fetch(
            f"SELECT {key}, name, min_score, max_score FROM {table} WHERE unit_id = $1 ORDER BY min_score, {key}",
            unit_id,
        )
        levels[kind] = [Level(*row) for row in rows]
    return levels


async def _primaries(connection: AnyConnection, unit_id: str) -> dict[str, str | None]:
    rows = await connection.fetch(
        """
        SELECT 'engagement_level' AS kind, ruleset_id FROM rulesets
        WHERE unit_id = $1 AND is_primary
        UNION ALL SELECT 'profile_level', id FROM profile_rulesets WHERE unit_id = $1 AND is_primary
        UNION ALL SELECT 'account_level', id FROM account_rulesets WHERE unit_id = $1 AND is_primary
        """,
        unit_id,
    )
    return {row["kind"]: row["ruleset_id"] for row in rows}


async def _abm_enabled(connection: AnyConnection, unit_id: str) -> bool:
    return bool(
        await connection.fetchval(
            """
            SELECT o.abm_enabled FROM org_units u JOIN organisations o ON o.org_id = u.org_id WHERE u.unit_id = $1
            """,
            unit_id,
        )
    )
