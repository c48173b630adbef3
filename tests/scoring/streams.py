"""Small worlds: configurations and event streams, by hand and at random, on a clock of whole seconds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from leadvibe.scoring import surge
from leadvibe.scoring.model import DECAY, Band, Event, Rule, Ruleset, SurgePolicy, UnitConfig, VelocityFilter

START = datetime(2026, 3, 1, tzinfo=UTC)
TYPES = ("view", "click", "buy")
RULESETS = ("rs_a", "rs_b", "rs_c")


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def ruleset(ruleset_id: str = "rs_a", start: float | None = None, end: float | None = None, **weights: int) -> Ruleset:
    """A ruleset with one rule for each named event type."""
    rules = {name: Rule(f"rl_{ruleset_id}_{name}", name, weight) for name, weight in weights.items()}
    return Ruleset(ruleset_id, rules, *(None if bound is None else at(bound) for bound in (start, end)))


def config(*rulesets: Ruleset, filters: Sequence[VelocityFilter] = (), **options: Any) -> UnitConfig:
    by_type: dict[str, tuple[VelocityFilter, ...]] = {}
    for each in filters:
        by_type[each.event_type] = (*by_type.get(each.event_type, ()), each)
    return UnitConfig(rulesets, by_type, **{"surge": surge.OFF} | options)


def plain(threshold: int, seconds: float, event_type: str = "view") -> VelocityFilter:
    return VelocityFilter("fl_plain", event_type, threshold, int(seconds * 1000))


def grouped(threshold: int, seconds: float, event_type: str = "view") -> VelocityFilter:
    return VelocityFilter("fl_grouped", event_type, threshold, int(seconds * 1000), group_events=True)


def stream(*events: tuple[str, float]) -> list[Event]:
    """Events (type, second) in their order of arrival."""
    return [Event(seq, event_type, at(seconds)) for seq, (event_type, seconds) in enumerate(events, 1)]


SHORT_SESSIONS = SurgePolicy("custom", (Band(1, 1, 1.0), Band(2, 3, 1.15), Band(5, None, 2.5)), 4, 2.0)

_weights = st.integers(-12, 30)
_seconds = st.integers(0, 40)
_bounds = st.one_of(st.none(), _seconds)
_policies = st.sampled_from((surge.OFF, surge.STANDARD, surge.GENTLE, SHORT_SESSIONS))


@st.composite
def _rules(draw: st.DrawFn, ruleset_id: str) -> Ruleset:
    rules = {}
    for event_type in draw(st.sets(st.sampled_from(TYPES))):
        start, end = (None if bound is None else at(bound) for bound in (draw(_bounds), draw(_bounds)))
        rules[event_type] = Rule(f"rl_{ruleset_id}_{event_type}", event_type, draw(_weights), start, end)
    start, end = (None if bound is None else at(bound) for bound in (draw(_bounds), draw(_bounds)))
    return Ruleset(ruleset_id, rules, start, end)


@st.composite
def _filters(draw: st.DrawFn) -> VelocityFilter:
    threshold, window = draw(st.integers(1, 4)), draw(st.integers(1, 6)) * 1000
    return VelocityFilter("fl", draw(st.sampled_from(TYPES[:2])), threshold, window, draw(st.booleans()))


@st.composite
def configs(draw: st.DrawFn) -> UnitConfig:
    """Any configuration; open rule windows and plain weights are the simplest."""
    rulesets = [draw(_rules(name)) for name in RULESETS[: draw(st.integers(1, 3))]]
    return config(
        *rulesets,
        filters=draw(st.lists(_filters(), max_size=3)),
        surge=draw(_policies),
        allow_negative_scores=draw(st.booleans()),
        ceilings=draw(st.dictionaries(st.sampled_from(TYPES), st.sampled_from(("observe", "decide")), max_size=1)),
    )


@st.composite
def guarded(draw: st.DrawFn) -> UnitConfig:
    """A configuration in which filters on `view` have much to do."""
    rulesets = ruleset("rs_a", view=5, click=2), ruleset("rs_b", view=-2, buy=8)
    window = st.integers(2, 9)
    filters = draw(st.lists(st.builds(draw(st.sampled_from((plain, grouped))), st.integers(1, 3), window), min_size=1))
    return config(*rulesets, filters=filters[:2], surge=surge.STANDARD, allow_negative_scores=draw(st.booleans()))


# Most streams go on in time; late ones and ties come often enough.
_steps = st.one_of(st.integers(0, 3), st.integers(-12, 12))


@st.composite
def streams(draw: st.DrawFn, fewest: int = 1, most: int = 30, types: Sequence[str] = TYPES) -> list[Event]:
    events, now = [], 20
    for seq in range(1, draw(st.integers(fewest, most)) + 1):
        now = max(0, now + draw(_steps))
        events.append(Event(seq, draw(st.sampled_from(types)), at(now)))
    return events


_losses = st.dictionaries(st.sampled_from(RULESETS), st.integers(-9, -1))


@st.composite
def streams_with_decay(draw: st.DrawFn) -> list[Event]:
    """Some events of a stream are DECAYs with recorded deltas."""
    return [
        Event(event.seq, DECAY, event.at, draw(_losses)) if draw(st.integers(0, 9)) == 9 else event
        for event in draw(streams())
    ]
