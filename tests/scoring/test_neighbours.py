"""A worker sees only the neighbours of its batch's events; the verdicts are those of the whole history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from leadvibe.scoring.engine import apply
from leadvibe.scoring.model import Event, LeadState, Outcome, Past, UnitConfig, VelocityFilter
from leadvibe.scoring.replay import replay
from leadvibe.scoring.surge import STANDARD
from leadvibe.scoring.velocity import neighbours
from tests.scoring.streams import config, configs, grouped, plain, ruleset, stream, streams

Stored = dict[int, tuple[Event, Outcome]]


def visible(config: UnitConfig, batch: Sequence[Event], stored: Stored, marked: set[int]) -> dict[str, list[Past]]:
    """What `lead_state.load_history` loads for a batch of one lead."""
    history: dict[str, list[Past]] = {}
    for event_type in {event.event_type for event in batch} & config.filters.keys():
        times = [event.at for event in batch if event.event_type == event_type]
        near = neighbours(config.filters[event_type])
        counted = sorted(
            (
                Past(event.at, seq, None if seq in marked else points(outcome))
                for seq, (event, outcome) in stored.items()
                if event.event_type == event_type and not outcome.observed
            ),
            key=lambda past: (past.at, past.seq),
        )
        earlier = [past for past in counted if past.at < min(times)]
        inside = [past for past in counted if min(times) <= past.at <= max(times)]
        later = [past for past in counted if past.at > max(times)]
        history[event_type] = [*earlier[max(0, len(earlier) - near) :], *inside, *later[:near]]
    return history


def points(outcome: Outcome) -> dict[str, int]:
    return {name: entry.earned for name, entry in outcome.contributions.items() if entry.earned}


def batches(events: Sequence[Event], cuts: Sequence[int]) -> Iterator[Sequence[Event]]:
    edges = sorted({0, *(cut for cut in cuts if cut < len(events)), len(events)})
    for start, end in pairwise(edges):
        yield events[start:end]


def scored_in_batches(config: UnitConfig, events: Sequence[Event], cuts: Sequence[int]) -> tuple[Stored, LeadState]:
    lead, stored, marked = LeadState(), Stored(), set[int]()
    for batch in batches(events, cuts):
        lead.history = visible(config, batch, stored, marked)
        for event in batch:
            outcome = apply(config, lead, event)
            stored[event.seq] = event, outcome
            marked |= {past.seq for past in outcome.taken_back}
            if outcome.suppression_reason is not None:
                marked.add(event.seq)
    return stored, lead


def seen(outcome: Outcome) -> object:
    return outcome.contributions, outcome.suppression_reason, [past.seq for past in outcome.taken_back]


def assert_same_as_whole(config: UnitConfig, events: Sequence[Event], cuts: Sequence[int]) -> None:
    whole = replay(config, events)
    stored, lead = scored_in_batches(config, events, cuts)
    for seq, (_, outcome) in stored.items():
        assert seen(outcome) == seen(whole.outcomes[seq])
    lead.history = whole.lead.history
    assert lead == whole.lead


@st.composite
def filters(draw: st.DrawFn) -> VelocityFilter:
    threshold, window = draw(st.integers(1, 4)), draw(st.integers(1, 5)) * 1000
    return VelocityFilter("fl", "view", threshold, window, draw(st.booleans()))


cuts = st.lists(st.integers(1, 40), max_size=12)
every_event = list(range(1, 100))


@settings(max_examples=150)
@given(configs(), streams(most=40), cuts)
def test_neighbours_give_the_outcomes_of_the_whole_history(
    config: UnitConfig, events: list[Event], cuts: list[int]
) -> None:
    assert_same_as_whole(config, events, cuts)


@settings(max_examples=250)
@given(st.lists(filters(), min_size=1, max_size=3), streams(most=60, types=["view"]), st.one_of(st.none(), cuts))
def test_neighbours_suffice_for_dense_streams_of_one_type(
    filters: list[VelocityFilter], events: list[Event], cuts: list[int] | None
) -> None:
    world = config(ruleset("rs_a", view=5), ruleset("rs_b", view=-2), filters=filters, surge=STANDARD)
    assert_same_as_whole(world, events, every_event if cuts is None else cuts)


def test_a_late_event_that_bridges_two_bursts_takes_the_second_ones_first_event_back() -> None:
    world = config(ruleset(view=10), filters=[grouped(2, 2)])
    left, right = [("view", s) for s in (0, 1, 2, 3, 4)], [("view", s) for s in (8, 9, 10, 11)]
    events = stream(*left, *right, ("view", 6))
    assert_same_as_whole(world, events, every_event)
    stored, lead = scored_in_batches(world, events, every_event)
    assert [past.seq for past in stored[10][1].taken_back] == [6]
    assert lead.scores == {"rs_a": 10}


def test_a_late_event_in_front_of_a_long_burst_takes_its_first_place() -> None:
    world = config(ruleset(view=10), filters=[grouped(1, 1)])
    events = stream(*[("view", s) for s in range(5, 30)], ("view", 4))
    assert_same_as_whole(world, events, every_event)
    stored, lead = scored_in_batches(world, events, every_event)
    assert [past.seq for past in stored[26][1].taken_back] == [1]
    assert stored[26][1].suppression_reason is None
    assert lead.scores == {"rs_a": 10}


def test_as_many_neighbours_are_loaded_as_the_largest_threshold_needs() -> None:
    assert neighbours([plain(3, 1), grouped(7, 1), plain(5, 60)]) == 8
    assert neighbours([]) == 0
