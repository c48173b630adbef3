"""Triggers beside an implementation that tries everything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadvibe.scoring.event_names import normal_name
from leadvibe.scoring.trigger_index import Triggers
from leadvibe.scoring.trigger_walk import Arrival, walk
from leadvibe.scoring.triggers import Condition, Milestone, Pattern, Seen, SequenceOf, Step, crossing
from tests.scoring.streams import at

NAMES = "abc"
FILTER = (Condition("k", "equals", "1"),)

steps = st.builds(Step, st.sampled_from(NAMES), st.sampled_from([(), FILTER]))
sequences = st.builds(
    SequenceOf, st.just("sq"), st.lists(steps, min_size=1, max_size=3).map(tuple), st.integers(1, 6).map(
        lambda seconds: timedelta(seconds=seconds)
    ), st.booleans(),
)  # fmt: skip
patterns = st.builds(
    Pattern, st.just("pt"), st.lists(st.tuples(steps, st.integers(1, 3)), min_size=1, max_size=2).map(tuple),
    st.none() | st.integers(1, 6).map(lambda seconds: timedelta(seconds=seconds)),
)  # fmt: skip
arrivals = st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 9), st.sampled_from(["1", "2"])), max_size=8).map(
    lambda of: [Seen(at(second), seq, name, {"k": k}) for seq, (name, second, k) in enumerate(of, 1)]
)


def completes(sequence: SequenceOf, arrived: Sequence[Seen], event: Seen) -> bool:
    """Whether some choice of events completes it with this one: every choice is tried."""
    for chosen in permutations(arrived, len(sequence.steps)):
        if event not in chosen or not all(s.takes(e) for s, e in zip(sequence.steps, chosen, strict=True)):
            continue
        if sequence.ordered:
            in_order = list(chosen) == sorted(chosen, key=lambda each: (each.at, each.seq))
            if in_order and chosen[-1] == event and event.at - chosen[0].at <= sequence.window:
                return True
        elif all(event.at - sequence.window < each.at <= event.at for each in chosen):
            return True
    return False


def state(pattern: Pattern, arrived: Sequence[Seen], event: Seen) -> bool:
    def inside(each: Seen) -> bool:
        young = pattern.window is None or each.at > event.at - pattern.window
        return young and (each.at, each.seq) <= (event.at, event.seq)

    return all(
        sum(step.takes(each) and inside(each) for each in arrived) >= least for step, least in pattern.conditions
    )


def begins(pattern: Pattern, arrived: Sequence[Seen], event: Seen) -> bool:
    if event.name not in pattern.names or not state(pattern, arrived, event):
        return False
    older = [each for each in arrived if each.name in pattern.names and (each.at, each.seq) < (event.at, event.seq)]
    if pattern.window is not None:
        older = [each for each in older if each.at > event.at - pattern.window]
    return not older or not state(pattern, arrived, max(older, key=lambda each: (each.at, each.seq)))


def walked(watcher: SequenceOf | Pattern, events: Sequence[Seen]) -> list[int]:
    return [match.event.seq for match in walk(Triggers(watchers=(watcher,)), (), [Arrival(each) for each in events])]


@settings(max_examples=100)
@given(sequences, arrivals)
def test_a_sequence_completes_when_some_choice_does(sequence: SequenceOf, events: list[Seen]) -> None:
    assert walked(sequence, events) == [
        event.seq for i, event in enumerate(events) if completes(sequence, events[: i + 1], event)
    ]


@settings(max_examples=100)
@given(patterns, arrivals)
def test_a_pattern_fires_where_a_burst_begins(pattern: Pattern, events: list[Seen]) -> None:
    assert walked(pattern, events) == [
        event.seq for i, event in enumerate(events) if begins(pattern, events[: i + 1], event)
    ]


@given(st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(-9, 9)), max_size=9), st.integers(-9, 9),
       st.integers(-9, 9))  # fmt: skip
def test_the_index_finds_every_milestone_that_is_crossed(of: list[tuple[str | None, int]], low: int, high: int) -> None:
    milestones = tuple(Milestone(f"tr_{i}", name, threshold) for i, (name, threshold) in enumerate(of))
    index = Triggers(milestones=milestones)
    reached = {
        each for each in milestones if each.name in ("a", None) and crossing(each.threshold, low, high) == "reached"
    }
    assert set(index.reached("a", low, high)) == reached
    assert set(index.left(low, high)) == {each for each in milestones if crossing(each.threshold, low, high) == "left"}


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Page View", "page_view"),
        ("page-view", "page_view"),
        (" page__VIEW ", "page_view"),
        ("--", "--"),
        ("Ä.b", "ä_b"),
    ],
)
def test_event_types_are_compared_by_their_normal_names(typed: str, name: str) -> None:
    assert normal_name(typed) == name


@given(st.lists(sequences | patterns, min_size=1, max_size=4), arrivals, st.integers(0, 8))
def test_what_is_left_out_before_a_past_is_walked_matches_nothing(
    watchers: list[SequenceOf | Pattern], events: list[Seen], past: int
) -> None:
    triggers = Triggers(watchers=tuple(replace(each, trigger_id=f"w{n}") for n, each in enumerate(watchers)))
    before, arrived = events[:past], events[past:]
    matches = list(walk(triggers, before, map(Arrival, arrived)))
    counts = Counter(each.name for each in events)
    possible = [each for name in {event.name for event in arrived} for each in triggers.completed_by(name, counts)]
    assert all(match.watcher in possible for match in matches)
    times = {name: sorted(each.at for each in before if each.name == name) for name in counts}
    for match in matches:
        first, last = min(each.at for each in arrived), max(each.at for each in arrived)
        assert not (isinstance(match.watcher, Pattern) and match.watcher.goes_on(times, first, last))
