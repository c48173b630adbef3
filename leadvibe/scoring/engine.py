"""What one event does to one lead. The same function scores live, replays, simulates and explains."""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

from leadvibe.scoring import surge, velocity
from leadvibe.scoring.model import (
    DECAY,
    NOTES,
    Contribution,
    Event,
    LeadState,
    Outcome,
    Past,
    Rule,
    Ruleset,
    SuppressionReason,
    SurgePolicy,
    UnitConfig,
)


def apply(config: UnitConfig, lead: LeadState, event: Event) -> Outcome:
    """Scores an event, in the contract's order: filters, ceiling, session, rules, floor.

    Brings `lead` up to date. The caller hands in a lead's events one after another, by `seq`.
    """
    if event.event_type == DECAY:
        return Outcome(None, False, _recorded(config, lead, event.recorded or {}))
    if event.event_type in NOTES:
        return Outcome(None, True, {})
    if config.ceilings.get(event.event_type) == "observe":
        _seen(lead, event)
        return Outcome(None, True, {})
    past: Past | None = None
    reason: SuppressionReason | None = None
    taken_back: tuple[Past, ...] = ()
    if event.event_type in config.filters:
        past, reason, taken_back = _filter(config, lead, event)
    before = lead.scores
    lead.scores = _take_back(config, before, taken_back)
    gains: dict[str, _Gain] = {}
    if reason is None:
        gains = _score(config, lead, event)
        _seen(lead, event)
        if past is not None:
            past.deltas = {ruleset_id: gain.earned for ruleset_id, gain in gains.items() if gain.earned}
    return Outcome(reason, False, _contributions(before, lead.scores, gains), taken_back)


class _Gain(NamedTuple):
    """What a rule gave: the effective points, the surge part of the nominal ones, and the rule."""

    earned: int
    boost: int
    rule_id: str


def _seen(lead: LeadState, event: Event) -> None:
    if lead.last_event_at is None or event.at >= lead.last_event_at:
        lead.last_event_at, lead.last_event_type = event.at, event.event_type


def _recorded(config: UnitConfig, lead: LeadState, deltas: Mapping[str, int]) -> dict[str, Contribution]:
    """DECAY: takes over the recorded deltas; it touches neither session nor filters nor activity."""
    contributions = {}
    scores = dict(lead.scores)
    for ruleset_id, delta in deltas.items():
        before = scores.get(ruleset_id, 0)
        after = scores[ruleset_id] = _floored(config, before + delta)
        contributions[ruleset_id] = Contribution(after - before, before, after, after - before)
    lead.scores = scores
    return contributions


def _filter(
    config: UnitConfig, lead: LeadState, event: Event
) -> tuple[Past, SuppressionReason | None, tuple[Past, ...]]:
    """Runs the velocity filters and takes the event into the lead's history.

    Several filters on a type: any that triggers suppresses. Returns the event as history, why it is
    suppressed, and the earlier events of bursts that are now taken back.
    """
    history = lead.history.setdefault(event.event_type, [])
    past = Past(event.at, event.seq)
    reason: SuppressionReason | None = None
    out: dict[int, Past] = {}
    for rule in config.filters[event.event_type]:
        if not rule.group_events:
            if velocity.too_many(rule, history, event.at):
                reason = "inorganic"
            continue
        start, end = velocity.burst(rule, history, event.at)
        if end - start + 1 <= rule.count_threshold:
            continue
        run = history[start:end]
        # The event stands behind all earlier arrivals of its time, so it is first only when nothing
        # of the run is older or as old.
        is_first = not run or run[0].at > event.at
        if not is_first:
            reason = reason or "inorganic_grouped"
        out.update((each.seq, each) for each in (run if is_first else run[1:]) if each.deltas is not None)
    insort(history, past, key=_by_time)
    return past, reason, tuple(out[seq] for seq in sorted(out))


def _by_time(past: Past) -> tuple[object, int]:
    return past.at, past.seq


def _take_back(config: UnitConfig, scores: dict[str, int], taken_back: tuple[Past, ...]) -> dict[str, int]:
    """The scores without what the taken-back events gave; then the floor."""
    if not taken_back:
        return scores
    reduced = dict(scores)
    for past in taken_back:
        for ruleset_id, delta in (past.deltas or {}).items():
            reduced[ruleset_id] = reduced.get(ruleset_id, 0) - delta
        past.deltas = None
    return {ruleset_id: _floored(config, score) for ruleset_id, score in reduced.items()}


def _score(config: UnitConfig, lead: LeadState, event: Event) -> dict[str, _Gain]:
    """Takes the event into the session and adds the points of every rule that counts for it."""
    factor = _session(config.surge, lead, event)
    gains: dict[str, _Gain] = {}
    before = lead.scores
    for ruleset in config.rulesets:
        rule = ruleset.rules.get(event.event_type)
        if rule is None or not (_holds(ruleset, event) and _holds(rule, event)):
            continue
        if lead.scores is before:
            lead.scores = dict(before)
        points = surge.boosted(rule.weight, factor)
        old = before.get(ruleset.ruleset_id, 0)
        new = lead.scores[ruleset.ruleset_id] = _floored(config, old + points)
        gains[ruleset.ruleset_id] = _Gain(new - old, points - rule.weight, rule.rule_id)
    return gains


def _session(policy: SurgePolicy, lead: LeadState, event: Event) -> float:
    """The event's multiplier; a late event has 1.0 and changes nothing."""
    if lead.session_at is not None and event.at < lead.session_at:
        return 1.0
    idle = lead.session_at is None or event.at - lead.session_at > timedelta(seconds=policy.idle_reset_seconds)
    lead.session_count = 1 if idle else lead.session_count + 1
    lead.session_at = event.at
    return surge.multiplier(policy, lead.session_count)


def _holds(bounded: Rule | Ruleset, event: Event) -> bool:
    """Whether the event's time lies in [start_at, end_at]."""
    return (bounded.start_at is None or bounded.start_at <= event.at) and (
        bounded.end_at is None or event.at <= bounded.end_at
    )


def _floored(config: UnitConfig, score: int) -> int:
    return score if score > 0 or config.allow_negative_scores else 0


def _contributions(
    before: Mapping[str, int], after: Mapping[str, int], gains: Mapping[str, _Gain]
) -> dict[str, Contribution]:
    """Every ruleset whose score moved, or in which a rule counted."""
    contributions: dict[str, Contribution] = {}
    if before is after:
        return contributions
    for ruleset_id, new in after.items():
        old, gain = before.get(ruleset_id, 0), gains.get(ruleset_id)
        if gain is not None:
            contributions[ruleset_id] = Contribution(new - old, old, new, *gain)
        elif new != old:
            contributions[ruleset_id] = Contribution(new - old, old, new, 0)
    return contributions
