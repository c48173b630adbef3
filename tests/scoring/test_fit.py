"""Fit rules, fit scores and field mappings as pure functions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadvibe.scoring.fit import FieldMapping, FitConfig, FitRule, FitRuleset, fit_scores, mapped, meets


def rule(condition: str, wanted: str, weight: int = 10, name: str = "p") -> FitRule:
    return FitRule(f"rl_{name}_{condition}", name, condition, wanted, weight)


@pytest.mark.parametrize(
    ("condition", "wanted", "value", "holds"),
    [
        ("equals", "VP", "vp ", True),
        ("equals", "VP", "SVP", False),
        ("equals", "true", True, True),
        ("equals", "50", 50, True),
        ("not_equals", "VP", "CTO", True),
        ("not_equals", "VP", "VP", False),
        ("not_equals", "VP", None, False),
        ("not_equals", "VP", "", False),
        ("contains", "vp", "Senior VP Sales", True),
        ("contains", "cto", "Senior VP", False),
        ("starts_with", "sen", "Senior VP", True),
        ("starts_with", "vp", "Senior VP", False),
        ("gt", "50", 51, True),
        ("gt", "50", 50, False),
        ("gt", "9", "10", True),
        ("greater_than", "50", "50.5", True),
        ("gte", "50", 50.0, True),
        ("lt", "50", 49, True),
        ("less_than", "50", "50", False),
        ("lte", "50", "50", True),
        ("gt", "50", "many", False),
        ("gt", "few", 51, False),
        ("gt", "50", True, False),
        ("lt", "50", "NaN", False),
        ("lt", "50", "-Infinity", False),
        ("equals", "b", ["a", "B"], True),
        ("equals", "c", ["a", "B"], False),
        ("equals", "a", {"a": 1}, False),
        ("sounds_like", "a", "a", False),
    ],
)
def test_a_condition(condition: str, wanted: str, value: Any, holds: bool) -> None:
    assert meets(rule(condition, wanted), value) is holds


def test_a_score_is_the_sum_of_all_rules_that_hold_in_each_ruleset() -> None:
    config = FitConfig(
        (
            FitRuleset("rs_a", (rule("contains", "VP", 30, "title"), rule("gte", "100", 20, "size"))),
            FitRuleset("rs_b", (rule("equals", "SaaS", 5, "industry"), rule("contains", "intern", -50, "title"))),
        )
    )
    assert fit_scores(config, {"title": "VP Sales", "size": "250", "industry": "SaaS"}) == {"rs_a": 50, "rs_b": 5}
    assert fit_scores(config, {}) == {"rs_a": 0, "rs_b": 0}


@pytest.mark.parametrize(("allowed", "score"), [(False, 0), (True, -50)])
def test_the_floor_holds_for_fit_scores_too(allowed: bool, score: int) -> None:
    config = FitConfig((FitRuleset("rs_a", (rule("equals", "intern", -50),)),), allow_negative_scores=allowed)
    assert fit_scores(config, {"p": "intern"}) == {"rs_a": score}


LATEST, ONCE, APPEND = (FieldMapping("job", "title", behavior) for behavior in ("always_latest", "set_once", "append"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mapping", "event", "before", "after"),
    [
        (LATEST, {"job": "CTO"}, {"title": "Dev", "a": 1}, {"title": "CTO", "a": 1}),
        (LATEST, {"other": "CTO"}, {"title": "Dev"}, {"title": "Dev"}),
        (LATEST, {"job": None}, {"title": "Dev"}, {"title": "Dev"}),
        (LATEST, {"job": ""}, {"title": "Dev"}, {"title": "Dev"}),
        (ONCE, {"job": "CTO"}, {}, {"title": "CTO"}),
        (ONCE, {"job": "CTO"}, {"title": ""}, {"title": "CTO"}),
        (ONCE, {"job": "CTO"}, {"title": "Dev"}, {"title": "Dev"}),
        (APPEND, {"job": "CTO"}, {}, {"title": "CTO", "title_list": ["CTO"]}),
        (APPEND, {"job": "CTO"}, {"title_list": ["CTO"]}, {"title": "CTO", "title_list": ["CTO"]}),
        (APPEND, {"job": "CTO"}, {"title_list": ["CTO", "Dev"]}, {"title": "CTO", "title_list": ["CTO", "Dev", "CTO"]}),
        (APPEND, {"job": 10}, {"title_list": list(range(10))}, {"title": 10, "title_list": list(range(1, 11))}),
        (APPEND, {"job": "CTO"}, {"title_list": "none"}, {"title": "CTO", "title_list": ["CTO"]}),
    ],
)
def test_a_mapping(mapping: FieldMapping, event: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> None:
    given_before = dict(before)
    assert mapped([mapping], event, before) == after
    assert before == given_before, "what it was given is not changed"


@given(st.lists(st.integers(0, 3), max_size=40))
def test_append_keeps_the_last_ten_changes(values: list[int]) -> None:
    properties: dict[str, Any] = {}
    for value in values:
        properties = mapped([APPEND], {"job": value}, properties)
    changes = [value for i, value in enumerate(values) if i == 0 or values[i - 1] != value]
    assert properties.get("title_list", []) == changes[-10:]
