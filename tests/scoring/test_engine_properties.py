"""The engine against a second implementation, over random configurations and streams."""

from __future__ import annotations

from hypothesis import given, settings

from leadvibe.scoring.engine import apply
from leadvibe.scoring.model import Event, LeadState, UnitConfig
from leadvibe.scoring.replay import replay
from tests.scoring.naive import NaiveLead
from tests.scoring.streams import configs, streams_with_decay

many = settings(max_examples=120)


@many
@given(configs(), streams_with_decay())
def test_the_engine_does_what_the_naive_reading_of_the_contract_does(config: UnitConfig, events: list[Event]) -> None:
    naive, lead = NaiveLead(config), LeadState()
    for event in events:
        outcome = apply(config, lead, event)
        assert outcome.contributions == naive.apply(event)
        assert outcome.observed == naive.entries[-1].observed
        assert outcome.suppression_reason == naive.entries[-1].reason
        assert {k: v for k, v in lead.scores.items() if v} == {k: v for k, v in naive.scores.items() if v}


@many
@given(configs(), streams_with_decay())
def test_every_event_of_a_burst_but_the_first_is_marked(config: UnitConfig, events: list[Event]) -> None:
    naive = NaiveLead(config)
    for event in events:
        naive.apply(event)
    marked = {entry.event.seq: entry.reason for entry in naive.entries if entry.reason}
    assert replay(config, events).reasons == marked


@many
@given(configs(), streams_with_decay())
def test_the_deltas_add_up_to_the_score(config: UnitConfig, events: list[Event]) -> None:
    result = replay(config, events)
    sums: dict[str, int] = {}
    for outcome in result.outcomes.values():
        for name, entry in outcome.contributions.items():
            assert entry.before == sums.get(name, 0)
            sums[name] = entry.after
            assert entry.before + entry.delta == entry.after
            assert config.allow_negative_scores or entry.after >= 0
    assert sums == result.lead.scores


@many
@given(configs(), streams_with_decay())
def test_a_replay_is_the_live_application(config: UnitConfig, events: list[Event]) -> None:
    lead = LeadState()
    outcomes = {event.seq: apply(config, lead, event) for event in events}
    result = replay(config, events)
    assert result.outcomes == outcomes
    assert result.lead == lead
