"""The parts of an explanation add up to the score's change, whatever happened in the window."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from leadvibe.scoring import surge
from leadvibe.scoring.explanation import Explanation
from leadvibe.scoring.model import Event, UnitConfig
from leadvibe.scoring.replay import replay
from tests.scoring.streams import (
    SHORT_SESSIONS,
    config,
    configs,
    grouped,
    guarded,
    plain,
    ruleset,
    stream,
    streams,
    streams_with_decay,
)


def explained(
    config: UnitConfig, events: list[Event], today: UnitConfig | None = None, window: Any = ...
) -> Explanation:
    """What the log would tell of the events in the window (a set of seqs), with today's configuration."""
    result = replay(config, events)
    explanation = Explanation(today or config)
    for event in events:
        if window is ... or event.seq in window:
            contributions = result.outcomes[event.seq].contributions
            explanation.add(event.event_type, result.reasons.get(event.seq), contributions)
    return explanation


def parts(explanation: Explanation, ruleset_id: str = "rs_a") -> dict[str, int]:
    change = explanation.changes[ruleset_id]
    return {
        name: value
        for name in ("score_change", "drivers", "surge", "decay", "floor_adjustment", "taken_back")
        if (value := getattr(change, name))
    }


@given(st.one_of(guarded(), configs()), st.one_of(streams(), streams_with_decay()), st.data())
def test_the_parts_add_up_to_the_deltas_of_the_window(
    config: UnitConfig, events: list[Event], data: st.DataObject
) -> None:
    window = data.draw(st.sets(st.sampled_from([event.seq for event in events])))
    today = data.draw(st.one_of(st.just(config), configs()), label="today's configuration")
    explanation = explained(config, events, today, window)
    deltas: Counter[str] = Counter()
    for seq, outcome in replay(config, events).outcomes.items():
        if seq in window:
            deltas.update({ruleset_id: each.delta for ruleset_id, each in outcome.contributions.items()})
    assert set(explanation.changes) == {ruleset.ruleset_id for ruleset in today.rulesets}
    for ruleset_id, change in explanation.changes.items():
        assert change.score_change == deltas[ruleset_id]
        whole = change.drivers + change.surge + change.decay + change.floor_adjustment + change.taken_back
        assert whole == change.score_change
        drivers = [driver for driver in explanation.top_drivers if driver.ruleset_id == ruleset_id]
        assert change.drivers == sum(driver.total for driver in drivers)


@given(st.one_of(guarded(), configs()), st.one_of(streams(), streams_with_decay()))
def test_the_whole_history_explains_the_whole_score(config: UnitConfig, events: list[Event]) -> None:
    explanation, lead = explained(config, events), replay(config, events).lead
    for ruleset_id, change in explanation.changes.items():
        assert change.score_change == lead.scores.get(ruleset_id, 0)
        assert change.surge >= 0 >= change.decay
    for driver in explanation.top_drivers:
        assert driver.total == driver.count * driver.weight, "no rule was changed"


def test_surge_is_told_apart_from_weights() -> None:
    world = config(ruleset(view=10, click=1), surge=surge.STANDARD)
    explanation = explained(world, stream(*[("view", n) for n in range(4)], ("click", 5)))
    assert parts(explanation) == {"score_change": 47, "drivers": 41, "surge": 6}
    assert [(boost.event_type, boost.boost, boost.count) for boost in explanation.surge_boost] == [("view", 6, 2)]
    assert [(each.rule_id, each.count, each.weight, each.total) for each in explanation.top_drivers] == [
        ("rl_rs_a_view", 4, 10, 40),
        ("rl_rs_a_click", 1, 1, 1),
    ]


def test_points_below_the_floor_were_not_taken() -> None:
    world = config(ruleset(view=5, click=-12))
    explanation = explained(world, stream(("view", 0), ("click", 1), ("view", 2)))
    assert parts(explanation) == {"score_change": 5, "drivers": -2, "floor_adjustment": 7}
    assert [(each.event_type, each.total) for each in explanation.top_drivers] == [("click", -12), ("view", 10)]


def test_a_score_that_ends_at_0_by_itself_needs_no_adjustment() -> None:
    world = config(ruleset(view=12, click=-12))
    assert parts(explained(world, stream(("view", 0), ("click", 1)))) == {}
    lighter = config(ruleset(view=12, click=-3))
    explanation = explained(world, stream(("view", 0), ("click", 1)), lighter)
    assert parts(explanation) == {}, "the rule took 12 then, whatever it takes today"


def test_a_burst_that_was_taken_back_drives_nothing() -> None:
    world = config(ruleset(view=5), filters=[grouped(2, 5)])
    burst = stream(("view", 0), ("view", 1), ("view", 2))
    explanation = explained(world, burst)
    assert (parts(explanation), explanation.inorganic_count) == ({"score_change": 5, "drivers": 5}, 2)
    late = explained(world, burst, window={3})
    assert parts(late) == {"score_change": -5, "taken_back": -5}, "what the window took back was given before"
    early = explained(world, burst, window={1, 2})
    assert parts(early) == {"score_change": 10, "drivers": 5, "taken_back": 5}


def test_suppressed_events_are_counted_and_give_nothing() -> None:
    world = config(ruleset(view=5), filters=[plain(1, 5)])
    explanation = explained(world, stream(("view", 0), ("view", 1)))
    assert (parts(explanation), explanation.inorganic_count) == ({"score_change": 5, "drivers": 5}, 1)


def test_a_rule_that_changed_keeps_what_it_gave() -> None:
    then, now = config(ruleset(view=5), surge=SHORT_SESSIONS), config(ruleset(view=9))
    explanation = explained(then, stream(("view", 0)), now)
    assert parts(explanation) == {"score_change": 5, "drivers": 5}
    (driver,) = explanation.top_drivers
    assert (driver.weight, driver.total) == (9, 5)
    gone = replace(now, rulesets=(ruleset(click=1),))
    (driver,) = explained(then, stream(("view", 0)), gone).top_drivers
    assert (driver.weight, driver.total) == (5, 5)


def test_only_active_rulesets_are_explained() -> None:
    world = config(ruleset("rs_a", view=5), ruleset("rs_b", view=7))
    explanation = explained(world, stream(("view", 0)), config(ruleset("rs_b", view=7), ruleset("rs_c", view=1)))
    assert set(explanation.changes) == {"rs_b", "rs_c"}
    assert (parts(explanation, "rs_b"), parts(explanation, "rs_c")) == ({"score_change": 7, "drivers": 7}, {})
