"""Velocity filters: the edges of the window, bursts, and what a take-back leaves."""

from __future__ import annotations

import pytest

from leadvibe.scoring import surge
from leadvibe.scoring.model import Contribution, UnitConfig
from leadvibe.scoring.replay import Replay, replay
from tests.scoring.streams import config, grouped, plain, ruleset, stream


def views(world: UnitConfig, *seconds: float) -> Replay:
    return replay(world, stream(*[("view", second) for second in seconds]))


def reasons(result: Replay) -> str:
    """One letter for each event, in the order of arrival: scored, inorganic, grouped."""
    letters = {None: "s", "inorganic": "i", "inorganic_grouped": "g"}
    return "".join(letters[result.reasons.get(seq)] for seq in result.outcomes)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ((0, 1, 2), "ssi"),  # the third within ten seconds
        ((0, 1, 10), "sss"),  # the window is open at its old end: 0 lies just outside (0, 10]
        ((0, 1, 9.999), "ssi"),
        ((5, 5, 5), "ssi"),  # closed at the event's own time
        ((0, 1, 2, 3, 4), "ssiii"),
        ((0, 6, 7, 12, 13), "ssiii"),  # 7 is suppressed and counts all the same
        ((0, 1, 2, 11, 13), "ssiss"),  # at 11 there are 2 and 11
        ((20, 30, 15), "sss"),  # a late event looks back from its own time
        ((20, 21, 22, 5), "ssis"),
        ((20, 21, 20.5), "sss"),  # what is later than the event is outside its window
        ((20, 20.5, 21, 20.7), "ssii"),
    ],
)
def test_a_plain_filter_counts_the_window_that_ends_with_the_event(seconds: tuple[float, ...], expected: str) -> None:
    world = config(ruleset(view=1), filters=[plain(2, 10)])
    result = views(world, *seconds)
    assert reasons(result) == expected
    assert result.lead.scores == {"rs_a": expected.count("s")}


def test_a_flood_stays_suppressed_because_suppressed_events_count() -> None:
    result = views(config(ruleset(view=1), filters=[plain(3, 10)]), *range(50))
    assert reasons(result) == "sss" + "i" * 47


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ((0, 1, 2), "sss"),  # as long as the threshold
        ((0, 1, 2, 3), "sggg"),
        ((0, 1, 2, 3, 4, 5), "sggggg"),
        ((0, 2, 4, 6), "sggg"),  # a gap of the window's length belongs to the burst
        ((0, 2, 4, 6.001), "ssss"),
        ((0, 1, 2, 3, 20, 21), "sgggss"),  # the next burst begins anew
        ((0, 1, 4, 5, 3), "sgggg"),  # the late event joins two runs
        ((1, 2, 3, 0), "gggs"),  # the late event is the first one now
        ((0, 1, 2, 3, -1), "ggggs"),
        ((5, 5, 5, 5), "sggg"),  # of the same time, the first to arrive is first
        ((5, 6, 7, 5), "sggg"),
    ],
)
def test_of_a_burst_that_exceeds_the_threshold_only_the_first_event_scores(
    seconds: tuple[float, ...], expected: str
) -> None:
    result = views(config(ruleset(view=10), filters=[grouped(3, 2)]), *seconds)
    assert reasons(result) == expected
    assert result.lead.scores == {"rs_a": 10 * expected.count("s")}


def test_the_event_that_makes_a_burst_too_long_carries_the_take_back() -> None:
    result = views(config(ruleset(view=10), filters=[grouped(3, 2)]), 0, 1, 2, 3)
    last = result.outcomes[4]
    assert last.contributions == {"rs_a": Contribution(-20, 30, 10, 0)}
    assert [past.seq for past in last.taken_back] == [2, 3]


def test_a_new_first_event_scores_and_takes_back_in_one_delta() -> None:
    result = views(config(ruleset(view=10), filters=[grouped(3, 2)]), 1, 2, 3, 0)
    assert result.outcomes[4].contributions == {"rs_a": Contribution(-20, 30, 10, 10, 0, "rl_rs_a_view")}
    assert [past.seq for past in result.outcomes[4].taken_back] == [1, 2, 3]


def test_what_was_earned_is_taken_back_with_its_surge() -> None:
    world = config(ruleset(view=10), filters=[grouped(4, 2)], surge=surge.STANDARD)
    result = views(world, 0, 1, 2, 3, 4)
    assert [result.outcomes[seq].contributions["rs_a"].delta for seq in range(1, 6)] == [10, 10, 13, 13, -36]


def test_after_a_take_back_the_floor_holds() -> None:
    world = config(ruleset(view=10, buy=-15), filters=[grouped(2, 2)])
    result = replay(world, stream(("view", 0), ("view", 1), ("buy", 1.5), ("view", 2)))
    assert result.lead.scores == {"rs_a": 0}
    assert result.outcomes[4].contributions == {"rs_a": Contribution(-5, 5, 0, 0)}


def test_taking_a_floored_loss_back_returns_only_what_it_took() -> None:
    world = config(ruleset(view=-10, buy=4), filters=[grouped(2, 9)])
    result = replay(world, stream(("view", 0), ("buy", 1), ("view", 2), ("view", 3)))
    # The first view took nothing, the second one 4 of 10.
    assert [entry.delta for o in result.outcomes.values() for entry in o.contributions.values()] == [0, 4, -4, 4]


def test_a_taken_back_event_still_counts_in_the_session() -> None:
    world = config(ruleset(view=10, buy=10), filters=[grouped(2, 2)], surge=surge.STANDARD)
    result = replay(world, stream(("view", 0), ("view", 1), ("view", 2), ("buy", 3)))
    assert result.outcomes[4].contributions["rs_a"].delta == 13


def test_any_of_several_filters_suppresses_and_the_plain_one_names_the_reason() -> None:
    world = config(ruleset(view=1), filters=[grouped(2, 2), plain(3, 60)])
    assert reasons(views(world, 0, 20, 40, 50)) == "sssi"
    assert reasons(views(world, 0, 1, 2, 3)) == "sggi"


def test_filters_watch_one_type_of_one_lead_only() -> None:
    world = config(ruleset(view=1, click=1), filters=[plain(1, 60)])
    result = replay(world, stream(("click", 0), ("view", 1), ("click", 2)))
    assert reasons(result) == "sss"
