"""Fit: how well a lead or an account matches, from its properties alone (contract: "Profile rules").

A fit score is a function of the properties as they are now: the sum of the weights of all rules whose
condition holds. It does not remember events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

Surface = Literal["profile", "account"]
UpdateBehavior = Literal["always_latest", "set_once", "append"]

# What `append` keeps, newest last.
_MOST_APPENDED = 10

_SAME = {"greater_than": "gt", "less_than": "lt"}


@dataclass(frozen=True, slots=True)
class FitRule:
    """`weight` points when the property meets the condition."""

    rule_id: str
    property: str
    condition: str
    comparison_value: str
    weight: int


@dataclass(frozen=True, slots=True)
class FitRuleset:
    """An enabled ruleset with its rules."""

    ruleset_id: str
    rules: tuple[FitRule, ...]


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """Copies `source` of an event's metadata to `target` of the properties."""

    source: str
    target: str
    update_behavior: UpdateBehavior = "always_latest"


@dataclass(frozen=True, slots=True)
class FitConfig:
    """What an OU's configuration says about one surface: profile or account."""

    rulesets: tuple[FitRuleset, ...] = ()
    mappings: tuple[FieldMapping, ...] = ()
    primary_ruleset_id: str | None = None
    allow_negative_scores: bool = False


def fit_scores(config: FitConfig, properties: Mapping[str, Any]) -> dict[str, int]:
    """The score in every enabled ruleset."""
    return {each.ruleset_id: _score(config, each.rules, properties) for each in config.rulesets}


def _score(config: FitConfig, rules: Iterable[FitRule], properties: Mapping[str, Any]) -> int:
    points = sum(rule.weight for rule in rules if meets(rule, properties.get(rule.property)))
    return points if points > 0 or config.allow_negative_scores else 0


def meets(rule: FitRule, value: Any) -> bool:
    """Whether a property's value meets a rule's condition.

    A property that is missing or empty meets none, not even `not_equals`. Of a list any value may meet
    it. Texts compare without case and outer blanks; gt, gte, lt and lte compare numbers only.
    """
    if isinstance(value, list):
        return any(meets(rule, each) for each in value)
    if value is None or value == "" or isinstance(value, dict):
        return False
    condition = _SAME.get(rule.condition, rule.condition)
    if condition in ("gt", "gte", "lt", "lte"):
        return _compares(condition, _number(value), _number(rule.comparison_value))
    text, wanted = _text(value), _text(rule.comparison_value)
    match condition:
        case "equals":
            return text == wanted
        case "not_equals":
            return text != wanted
        case "contains":
            return wanted in text
        case "starts_with":
            return text.startswith(wanted)
    return False


def _compares(condition: str, value: Decimal | None, wanted: Decimal | None) -> bool:
    if value is None or wanted is None:
        return False
    match condition:
        case "gt":
            return value > wanted
        case "gte":
            return value >= wanted
        case "lt":
            return value < wanted
    return value <= wanted


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip().casefold()


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def mapped(
    mappings: Sequence[FieldMapping], source: Mapping[str, Any], properties: Mapping[str, Any]
) -> dict[str, Any]:
    """The properties after an event's metadata went through the mappings; the same ones if none applies.

    `append` keeps the last ten values in the list `<target>_list`, and the newest in the target itself,
    which rules read; a value that repeats the newest one is no new value.
    """
    new = dict(properties)
    for each in mappings:
        value = source.get(each.source)
        if value is None or value == "":
            continue
        match each.update_behavior:
            case "always_latest":
                new[each.target] = value
            case "set_once":
                if new.get(each.target) in (None, ""):
                    new[each.target] = value
            case "append":
                values = _appended(each, new)
                if not values or values[-1] != value:
                    new[f"{each.target}_list"] = [*values, value][-_MOST_APPENDED:]
                new[each.target] = value
    return new


def filled(mappings: Sequence[FieldMapping], properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """The properties after they went through the mappings themselves, again and again until nothing changes.

    For a backfill, which must change nothing when it comes again: a value that is in an `append` list already
    is no new one.
    """
    for _ in mappings:
        fresh = [
            each
            for each in mappings
            if each.update_behavior != "append" or properties.get(each.source) not in _appended(each, properties)
        ]
        after = mapped(fresh, properties, properties)
        if after == properties:
            break
        properties = after
    return properties


def _appended(mapping: FieldMapping, properties: Mapping[str, Any]) -> list[Any]:
    listed = properties.get(f"{mapping.target}_list")
    return listed if isinstance(listed, list) else []
