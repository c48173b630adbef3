"""Decay: an inactive lead loses points, again and again (contract: "Decay")."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from leadvibe.scoring.engine import apply
from leadvibe.scoring.model import DECAY, Event, LeadState, Outcome, UnitConfig


@dataclass(frozen=True, slots=True)
class Decay:
    """After each `period` without activity, `decrease` points are taken off."""

    decay_id: str
    period: timedelta
    decrease: int

    def cycles(self, last_activity: datetime, now: datetime) -> int:
        """How many whole periods have passed since the last activity."""
        return max(0, (now - last_activity) // self.period)


def decayed(config: UnitConfig, lead: LeadState, decay: Decay, seq: int, at: datetime) -> Outcome | None:
    """Applies one cycle to the active rulesets in which the lead has a score, as the DECAY event `seq`.

    None when it would change nothing, because every score is at its floor: then there is no event.
    """
    recorded = {each.ruleset_id: -decay.decrease for each in config.rulesets if each.ruleset_id in lead.scores}
    before = lead.scores
    outcome = apply(config, lead, Event(seq, DECAY, at, recorded))
    moved = {ruleset_id: change for ruleset_id, change in outcome.contributions.items() if change.delta}
    if not moved:
        lead.scores = before
        return None
    return outcome._replace(contributions=moved)
