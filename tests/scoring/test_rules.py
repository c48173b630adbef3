"""Which rules count for an event, what floor and ceilings do, and what DECAY and levels are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from leadvibe.scoring import surge
from leadvibe.scoring.levels import level_of
from leadvibe.scoring.model import Contribution, Event, Level, Rule, Ruleset, UnitConfig
from leadvibe.scoring.replay import replay
from tests.scoring.streams import at, config, plain, ruleset, stream


def scores(world: UnitConfig, *events: tuple[str, float]) -> dict[str, int]:
    return replay(world, stream(*events)).lead.scores


inside_or_not = pytest.mark.parametrize(
    ("start", "end", "counts"),
    [
        (None, None, True),
        (10, None, True),
        (10.001, None, False),
        (None, 10, True),
        (None, 9.999, False),
        (10, 10, True),
        (5, 15, True),
        (11, 15, False),
        (5, 9, False),
    ],
)


@inside_or_not
def test_a_rule_counts_when_the_event_time_lies_in_its_window(
    start: float | None, end: float | None, counts: bool
) -> None:
    bounds = [None if bound is None else at(bound) for bound in (start, end)]
    world = config(Ruleset("rs_a", {"view": Rule("rl_1", "view", 5, *bounds)}))
    assert scores(world, ("view", 10)) == ({"rs_a": 5} if counts else {})


@inside_or_not
def test_a_ruleset_counts_when_the_event_time_lies_in_its_window(
    start: float | None, end: float | None, counts: bool
) -> None:
    world = config(ruleset("rs_a", start, end, view=5), ruleset("rs_b", view=1))
    assert scores(world, ("view", 10)) == ({"rs_a": 5, "rs_b": 1} if counts else {"rs_b": 1})


def test_an_event_type_is_compared_exactly() -> None:
    assert scores(config(ruleset(view=5)), ("View", 0), (" view", 1), ("views", 2)) == {}


def test_rulesets_score_independently_and_events_without_a_rule_change_nothing() -> None:
    world = config(ruleset("rs_a", view=5, buy=7), ruleset("rs_b", view=-5, click=1), allow_negative_scores=True)
    result = replay(world, stream(("view", 0), ("buy", 1), ("other", 2), ("click", 3)))
    assert result.lead.scores == {"rs_a": 12, "rs_b": -4}
    assert result.outcomes[3].contributions == {}
    assert result.outcomes[4].contributions == {"rs_b": Contribution(1, -5, -4, 1, 0, "rl_rs_b_click")}


def test_with_the_floor_a_score_stays_at_0_and_the_effective_change_is_recorded() -> None:
    result = replay(config(ruleset(view=5, buy=-8)), stream(("view", 0), ("buy", 1), ("buy", 2), ("view", 3)))
    entries = [outcome.contributions["rs_a"] for outcome in result.outcomes.values()]
    assert [(entry.delta, entry.before, entry.after) for entry in entries] == [
        (5, 0, 5),
        (-5, 5, 0),
        (0, 0, 0),
        (5, 0, 5),
    ]


def test_without_the_floor_scores_go_below_0() -> None:
    world = config(ruleset(view=5, buy=-8), allow_negative_scores=True)
    assert scores(world, ("view", 0), ("buy", 1), ("buy", 2)) == {"rs_a": -11}


def test_a_weight_of_0_counts_and_changes_nothing() -> None:
    result = replay(config(ruleset(view=0)), stream(("view", 0)))
    assert result.outcomes[1].contributions == {"rs_a": Contribution(0, 0, 0, 0, 0, "rl_rs_a_view")}


@pytest.mark.parametrize(("scope", "score"), [("observe", {}), ("decide", {"rs_a": 5}), ("activate", {"rs_a": 5})])
def test_an_observed_type_is_not_scored(scope: str, score: dict[str, int]) -> None:
    result = replay(config(ruleset(view=5), ceilings={"view": scope}), stream(("view", 3)))
    assert result.lead.scores == score
    assert result.outcomes[1].observed == (scope == "observe")
    assert result.lead.last_event_at == at(3)


def test_an_observed_event_stands_in_no_velocity_window() -> None:
    observing = config(ruleset(view=5), filters=[plain(1, 60)], ceilings={"view": "observe"})
    result = replay(observing, stream(("view", 0), ("view", 1)))
    assert [outcome.suppression_reason for outcome in result.outcomes.values()] == [None, None]
    assert result.lead.history == {}


def test_decay_takes_over_the_recorded_deltas_and_touches_nothing_else() -> None:
    world = config(ruleset("rs_a", view=10, DECAY=100), ruleset("rs_b", view=3), surge=surge.STANDARD)
    before = replay(world, stream(("view", 0)))
    decay = Event(2, "DECAY", at(9), {"rs_a": -4, "rs_b": -2})
    result = replay(world, [*stream(("view", 0)), decay])
    assert result.lead == replace(before.lead, scores={"rs_a": 6, "rs_b": 1})
    assert result.outcomes[2].contributions == {"rs_a": Contribution(-4, 10, 6, -4), "rs_b": Contribution(-2, 3, 1, -2)}


def test_decay_stops_at_the_floor() -> None:
    result = replay(config(ruleset(view=3)), [*stream(("view", 0)), Event(2, "DECAY", at(9), {"rs_a": -5})])
    assert result.outcomes[2].contributions == {"rs_a": Contribution(-3, 3, 0, -3)}


def test_a_decay_event_without_recorded_deltas_changes_nothing() -> None:
    result = replay(config(ruleset(DECAY=50)), stream(("DECAY", 0)))
    assert (result.lead.scores, result.lead.last_event_at, result.lead.session_count) == ({}, None, 0)


def test_the_last_event_is_the_latest_by_event_time() -> None:
    lead = replay(config(), stream(("view", 5), ("buy", 9), ("click", 7))).lead
    assert (lead.last_event_at, lead.last_event_type) == (at(9), "buy")


COLD, WARM, HOT = Level("l1", "Cold", 0, 19), Level("l2", "Warm", 20, 49), Level("l3", "Hot", 60, None)


@pytest.mark.parametrize(
    ("score", "level"),
    [(-1, None), (0, COLD), (19, COLD), (20, WARM), (49, WARM), (50, None), (59, None), (60, HOT), (10**9, HOT)],
)
def test_a_level_holds_the_scores_between_its_bounds(score: int, level: Level | None) -> None:
    assert level_of([COLD, WARM, HOT], score) == level


def test_of_two_levels_the_first_counts() -> None:
    assert level_of([Level("a", "A", 0, 10), Level("b", "B", 10, 20)], 10) == Level("a", "A", 0, 10)
    assert level_of([], 10) is None
