"""Surge: presets, caps, rounding, and what a session is."""

from __future__ import annotations

import pytest

from leadvibe.scoring import surge
from leadvibe.scoring.model import Band, SurgePolicy, UnitConfig
from leadvibe.scoring.replay import Replay, replay
from tests.scoring.streams import config, grouped, plain, ruleset, stream


@pytest.mark.parametrize(
    ("mode", "idle", "cap", "expected"),
    [
        ("off", 1800, 1.0, {1: 1.0, 2: 1.0, 100: 1.0}),
        ("standard", 1800, 2.0, {1: 1.0, 2: 1.0, 3: 1.25, 5: 1.25, 6: 1.5, 9: 1.5, 10: 2.0, 500: 2.0}),
        ("gentle", 1800, 1.5, {1: 1.0, 3: 1.0, 4: 1.1, 7: 1.1, 8: 1.25, 14: 1.25, 15: 1.5, 500: 1.5}),
    ],
)
def test_the_presets_are_the_contracts(mode: str, idle: int, cap: float, expected: dict[int, float]) -> None:
    policy = surge.PRESETS[mode]
    assert (policy.mode, policy.idle_reset_seconds, policy.multiplier_cap) == (mode, idle, cap)
    assert {n: surge.multiplier(policy, n) for n in expected} == expected


def test_the_cap_bounds_every_band() -> None:
    policy = SurgePolicy("custom", (Band(1, 2, 1.2), Band(3, None, 9.0)), 60, 1.5)
    assert [surge.multiplier(policy, n) for n in (1, 3, 50)] == [1.2, 1.5, 1.5]


def test_an_event_that_no_band_holds_counts_once() -> None:
    policy = SurgePolicy("custom", (Band(3, 4, 1.5),), 60, 2.0)
    assert [surge.multiplier(policy, n) for n in (1, 2, 3, 4, 5)] == [1.0, 1.0, 1.5, 1.5, 1.0]


@pytest.mark.parametrize(
    ("weight", "factor", "points"),
    [
        (10, 1.25, 13),  # 12.5
        (2, 1.25, 3),  # 2.5: not to the even neighbour
        (6, 1.25, 8),  # 7.5
        (1, 1.25, 1),
        (10, 1.15, 12),  # 11.5, which as a binary fraction is a little less
        (10, 1.1, 11),
        (5, 1.5, 8),
        (3, 0.5, 2),  # 1.5
        (1, 0.4, 0),
        (0, 2.0, 0),
        (-7, 2.0, -7),
        (1_000_000, 2.0, 2_000_000),
    ],
)
def test_points_are_rounded_half_away_from_zero_and_only_positive_ones_multiplied(
    weight: int, factor: float, points: int
) -> None:
    assert surge.boosted(weight, factor) == points


MINUTES = 60
STANDARD = config(ruleset(view=10, buy=-10), surge=surge.STANDARD)


def deltas(result: Replay, name: str = "rs_a") -> list[int]:
    entries = [outcome.contributions.get(name) for outcome in result.outcomes.values()]
    return [entry.delta if entry else 0 for entry in entries]


def session(result: Replay) -> tuple[int, str | None]:
    at = result.lead.session_at
    return result.lead.session_count, at and at.strftime("%H:%M:%S")


def test_a_session_is_worth_more_the_longer_it_is() -> None:
    result = replay(STANDARD, stream(*[("view", second) for second in range(11)]))
    assert deltas(result) == [10, 10, 13, 13, 13, 15, 15, 15, 15, 20, 20]
    assert result.outcomes[3].contributions["rs_a"].boost == 3
    assert result.outcomes[2].contributions["rs_a"].boost == 0


@pytest.mark.parametrize(("gap", "count"), [(30 * MINUTES, 3), (30 * MINUTES + 0.001, 1)])
def test_only_a_gap_longer_than_the_idle_time_ends_a_session(gap: float, count: int) -> None:
    result = replay(STANDARD, stream(("view", 0), ("view", 1), ("view", 1 + gap)))
    assert result.lead.session_count == count


def test_a_late_event_counts_once_and_leaves_the_session_alone() -> None:
    on_time = [("view", 100 + second) for second in range(5)]
    result = replay(STANDARD, stream(*on_time, ("view", 50), ("view", 105)))
    assert deltas(result) == [10, 10, 13, 13, 13, 10, 15]
    assert session(result) == (6, "00:01:45")


def test_an_event_of_the_same_time_is_not_late() -> None:
    result = replay(STANDARD, stream(("view", 5), ("view", 5), ("view", 5)))
    assert deltas(result) == [10, 10, 13]


def test_events_without_a_rule_count_in_the_session() -> None:
    result = replay(STANDARD, stream(("other", 0), ("other", 1), ("view", 2)))
    assert deltas(result) == [0, 0, 13]


def test_a_negative_weight_is_not_multiplied_but_counts_in_the_session() -> None:
    free = config(ruleset(view=10, buy=-10), surge=surge.STANDARD, allow_negative_scores=True)
    result = replay(free, stream(("buy", 0), ("buy", 1), ("buy", 2), ("view", 3)))
    assert deltas(result) == [-10, -10, -10, 13]


@pytest.mark.parametrize(
    "world",
    [
        config(ruleset(view=10), surge=surge.STANDARD, filters=[plain(1, 60, "click")]),
        config(ruleset(view=10), surge=surge.STANDARD, filters=[grouped(1, 60, "click")]),
    ],
    ids=["plain", "grouped"],
)
def test_suppressed_events_open_and_prolong_no_session(world: UnitConfig) -> None:
    result = replay(world, stream(("click", 0), ("click", 1), ("click", 2), ("view", 3)))
    assert session(result) == (2, "00:00:03")


def test_observed_events_and_decay_are_in_no_session() -> None:
    world = config(ruleset(view=10), surge=surge.STANDARD, ceilings={"click": "observe"})
    result = replay(world, stream(("click", 0), ("DECAY", 1), ("view", 2), ("DECAY", 3), ("click", 4)))
    assert session(result) == (1, "00:00:02")


def test_a_rule_of_every_ruleset_has_the_same_multiplier() -> None:
    world = config(ruleset("rs_a", view=10), ruleset("rs_b", view=2), surge=surge.STANDARD)
    result = replay(world, stream(("view", 0), ("view", 1), ("view", 2)))
    assert (deltas(result, "rs_a"), deltas(result, "rs_b")) == ([10, 10, 13], [2, 2, 3])
