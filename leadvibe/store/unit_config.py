"""A unit's scoring configuration, from its tables to what the scoring core takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from leadvibe.scoring.fit import FieldMapping, FitConfig, FitRule, FitRuleset, Surface
from leadvibe.scoring.model import Band, Rule, Ruleset, Scope, SurgePolicy, SurgeTrigger, UnitConfig, VelocityFilter
from leadvibe.scoring.surge import STANDARD
from leadvibe.store import trigger_config
from leadvibe.store.queue import AnyConnection


async def load(connection: AnyConnection, unit_id: str) -> UnitConfig:
    rulesets = await connection.fetch(
        """
        SELECT ruleset_id, is_primary, active, start_at, end_at FROM rulesets
        WHERE unit_id = $1 ORDER BY created_at, ruleset_id
        """,
        unit_id,
    )
    allow_negative_scores, _ = await _switches(connection, unit_id)
    return UnitConfig(
        rulesets=await _rulesets(connection, unit_id, [row for row in rulesets if row["active"]]),
        filters=await _filters(connection, unit_id),
        surge=await _surge(connection, unit_id),
        allow_negative_scores=allow_negative_scores,
        ceilings=await _ceilings(connection, unit_id),
        primary_ruleset_id=next((row["ruleset_id"] for row in rulesets if row["is_primary"]), None),
        profile=await load_fit(connection, unit_id, "profile"),
        account=await load_account(connection, unit_id),
        surge_triggers=await _surge_triggers(connection, unit_id),
        triggers=await trigger_config.load(connection, unit_id),
    )


async def load_account(connection: AnyConnection, unit_id: str) -> FitConfig | None:
    """The account configuration; None while account-based scoring is off."""
    _, abm_enabled = await _switches(connection, unit_id)
    return await load_fit(connection, unit_id, "account") if abm_enabled else None


async def load_fit(connection: AnyConnection, unit_id: str, surface: Surface) -> FitConfig:
    """The enabled rulesets of profiles or accounts, and the mappings."""
    rulesets = await connection.fetch(
        f"SELECT id, is_primary, enabled FROM {surface}_rulesets WHERE unit_id = $1 ORDER BY created_at, id", unit_id
    )
    rules: dict[str, list[FitRule]] = {row["id"]: [] for row in rulesets if row["enabled"]}
    for row in await connection.fetch(
        f"""
        SELECT id, ruleset_id, {surface}_property, condition, comparison_value, weight FROM {surface}_rules
        WHERE unit_id = $1 ORDER BY id
        """,
        unit_id,
    ):
        rule_id, ruleset_id, *fields = row
        if ruleset_id in rules:
            rules[ruleset_id].append(FitRule(rule_id, *fields))
    mappings = await connection.fetch(
        f"""
        SELECT source_field, {surface}_property, update_behavior FROM {surface}_mappings
        WHERE unit_id = $1 ORDER BY created_at, id
        """,
        unit_id,
    )
    allow_negative_scores, _ = await _switches(connection, unit_id)
    return FitConfig(
        rulesets=tuple(FitRuleset(ruleset_id, tuple(of)) for ruleset_id, of in rules.items()),
        mappings=tuple(FieldMapping(*row) for row in mappings),
        primary_ruleset_id=next((row["id"] for row in rulesets if row["is_primary"]), None),
        allow_negative_scores=allow_negative_scores,
    )


async def _rulesets(connection: AnyConnection, unit_id: str, active: list[Any]) -> tuple[Ruleset, ...]:
    rows = await connection.fetch(
        "SELECT rule_id, ruleset_id, event_type, weight, start_at, end_at FROM rules WHERE unit_id = $1 AND active",
        unit_id,
    )
    rules: dict[str, dict[str, Rule]] = {row["ruleset_id"]: {} for row in active}
    for row in rows:
        if row["ruleset_id"] in rules:
            rule = Rule(row["rule_id"], row["event_type"], row["weight"], row["start_at"], row["end_at"])
            rules[row["ruleset_id"]][row["event_type"]] = rule
    return tuple(Ruleset(row["ruleset_id"], rules[row["ruleset_id"]], row["start_at"], row["end_at"]) for row in active)


async def _filters(connection: AnyConnection, unit_id: str) -> dict[str, tuple[VelocityFilter, ...]]:
    rows = await connection.fetch(
        """
        SELECT filter_id, event_type, count_threshold, time_window_ms, group_events FROM velocity_filters
        WHERE unit_id = $1 ORDER BY created_at, filter_id
        """,
        unit_id,
    )
    filters: dict[str, tuple[VelocityFilter, ...]] = {}
    for row in rows:
        filters[row["event_type"]] = (*filters.get(row["event_type"], ()), VelocityFilter(*row))
    return filters


async def _surge(connection: AnyConnection, unit_id: str) -> SurgePolicy:
    """The stored policy, else the standard one; what names no gap of its own has the unit's session timeout."""
    row = await connection.fetchrow(
        """
        SELECT p.mode, p.bands, coalesce(p.idle_reset_seconds, 60 * u.session_timeout_minutes) AS idle_reset_seconds,
               p.multiplier_cap
        FROM org_units u LEFT JOIN surge_policies p ON p.unit_id = $1 WHERE u.unit_id = $1
        """,
        unit_id,
    )
    assert row is not None, "a unit that is scored exists"
    if row["mode"] is None:
        return replace(STANDARD, idle_reset_seconds=row["idle_reset_seconds"])
    bands = tuple(Band(band["min_events"], band["max_events"], band["multiplier"]) for band in row["bands"])
    return SurgePolicy(row["mode"], bands, row["idle_reset_seconds"], row["multiplier_cap"])


async def _surge_triggers(connection: AnyConnection, unit_id: str) -> tuple[SurgeTrigger, ...]:
    """None while the unit's detection is off."""
    rows = await connection.fetch(
        """
        SELECT trigger_id, event_type, window_seconds, threshold_count FROM surge_triggers
        WHERE unit_id = $1 AND EXISTS (SELECT FROM org_units WHERE unit_id = $1 AND surge_triggers_enabled)
        ORDER BY trigger_id
        """,
        unit_id,
    )
    return tuple(
        SurgeTrigger(trigger_id, event_type, timedelta(seconds=seconds), threshold)
        for trigger_id, event_type, seconds, threshold in rows
    )


async def _switches(connection: AnyConnection, unit_id: str) -> tuple[bool, bool]:
    """What holds for the unit's whole organisation: allow_negative_scores, abm_enabled."""
    row = await connection.fetchrow(
        """
        SELECT o.allow_negative_scores, o.abm_enabled FROM org_units u JOIN organisations o ON o.org_id = u.org_id
        WHERE u.unit_id = $1
        """,
        unit_id,
    )
    assert row is not None, "a unit has an organisation"
    return row["allow_negative_scores"], row["abm_enabled"]


async def _ceilings(connection: AnyConnection, unit_id: str) -> dict[str, Scope]:
    """Event types below `activate`; a hidden one counts as observed."""
    rows = await connection.fetch(
        """
        SELECT name, CASE WHEN hidden THEN 'observe' ELSE max_processing_scope END AS scope FROM event_types
        WHERE unit_id = $1 AND (hidden OR max_processing_scope <> 'activate')
        """,
        unit_id,
    )
    return {row["name"]: row["scope"] for row in rows}
