"""Scoring a lead's stored events anew, in the order in which they arrived."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from leadvibe.scoring.engine import apply
from leadvibe.scoring.model import Event, LeadState, Outcome, SuppressionReason, UnitConfig


@dataclass(frozen=True, slots=True)
class Replay:
    """A lead as its events make it. `outcomes` by seq; `reasons` by seq, after all take-backs."""

    lead: LeadState = field(default_factory=LeadState)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    reasons: dict[int, SuppressionReason] = field(default_factory=dict)


def replay(config: UnitConfig, events: Iterable[Event]) -> Replay:
    """Applies one lead's events, sorted by seq, to an empty state."""
    result = Replay()
    for event in events:
        outcome = result.outcomes[event.seq] = apply(config, result.lead, event)
        if outcome.suppression_reason is not None:
            result.reasons[event.seq] = outcome.suppression_reason
        for past in outcome.taken_back:
            result.reasons[past.seq] = "inorganic_grouped"
    return result
