"""Decay as a pure function: cycles, deltas, the floor."""

from __future__ import annotations

from datetime import timedelta

import pytest

from leadvibe.scoring.decay import Decay, decayed
from leadvibe.scoring.model import LeadState
from tests.scoring.streams import at, config, ruleset

MONTH = Decay("dc_1", timedelta(days=30), 25)


@pytest.mark.parametrize(
    ("days", "cycles"), [(0, 0), (29.99, 0), (30, 1), (59.99, 1), (60, 2), (365, 12), (-1, 0)]
)  # fmt: skip
def test_a_cycle_is_a_whole_period_since_the_last_activity(days: float, cycles: int) -> None:
    assert MONTH.cycles(at(0), at(days * 86_400)) == cycles


def test_every_active_ruleset_in_which_the_lead_has_a_score_loses_points() -> None:
    world = config(ruleset("rs_a", view=1), ruleset("rs_b", view=1))
    lead = LeadState(scores={"rs_a": 100, "rs_inactive": 50})
    outcome = decayed(world, lead, MONTH, 7, at(0))
    assert outcome is not None and lead.scores == {"rs_a": 75, "rs_inactive": 50}
    assert {name: change.delta for name, change in outcome.contributions.items()} == {"rs_a": -25}


def test_what_is_taken_stops_at_the_floor_and_then_there_is_no_event() -> None:
    world, lead = config(ruleset("rs_a", view=1)), LeadState(scores={"rs_a": 10})
    outcome = decayed(world, lead, MONTH, 7, at(0))
    assert outcome is not None and outcome.contributions["rs_a"].delta == -10
    assert decayed(world, lead, MONTH, 8, at(0)) is None
    assert lead.scores == {"rs_a": 0}


def test_without_a_floor_a_score_goes_below_zero() -> None:
    world, lead = config(ruleset("rs_a", view=1), allow_negative_scores=True), LeadState(scores={"rs_a": 10})
    assert decayed(world, lead, MONTH, 7, at(0)) is not None
    assert lead.scores == {"rs_a": -15}


def test_it_is_no_activity() -> None:
    lead = LeadState(
        scores={"rs_a": 100}, session_count=3, session_at=at(0), last_event_at=at(0), last_event_type="view"
    )
    decayed(config(ruleset("rs_a", view=1)), lead, MONTH, 7, at(99))
    assert (lead.session_count, lead.session_at, lead.last_event_at, lead.last_event_type) == (3, at(0), at(0), "view")
