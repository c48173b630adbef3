"""Why a score moved: the deltas of a lead's events in a window, taken apart so that the parts add up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from leadvibe.scoring.model import DECAY, Contribution, UnitConfig


@dataclass(slots=True)
class Driver:
    """What a rule gave in the window: `count` events, `total` points without surge. `weight` is the rule's
    today, or what it last was; while a rule is not changed, total = count × weight."""

    ruleset_id: str
    rule_id: str
    event_type: str
    weight: int
    count: int = 0
    total: int = 0


@dataclass(slots=True)
class ScoreChange:
    """By how much a score moved in the window, and why:

    score_change = drivers + surge + decay + floor_adjustment + taken_back, always.

    `drivers`: the totals of the ruleset's drivers. `floor_adjustment`: points that events did not take
    because the score was at its floor. `taken_back`: points of bursts that a filter took back, less what
    their events had given inside the window.
    """

    ruleset_id: str
    score_change: int = 0
    drivers: int = 0
    surge: int = 0
    decay: int = 0
    floor_adjustment: int = 0
    taken_back: int = 0


@dataclass(slots=True)
class SurgeBoost:
    """The surge points of one event type, over all rulesets, and how many events had some."""

    event_type: str
    boost: int = 0
    count: int = 0


@dataclass(slots=True)
class Explanation:
    """Takes in the events of a window, one by one. Only active rulesets count; those that have not moved
    are there with zeros."""

    config: UnitConfig
    drivers: dict[tuple[str, str], Driver] = field(default_factory=dict)
    changes: dict[str, ScoreChange] = field(init=False)
    boosts: dict[str, SurgeBoost] = field(default_factory=dict)
    inorganic_count: int = 0
    _weights: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        rulesets = self.config.rulesets
        self.changes = {ruleset.ruleset_id: ScoreChange(ruleset.ruleset_id) for ruleset in rulesets}
        self._weights = {rule.rule_id: rule.weight for ruleset in rulesets for rule in ruleset.rules.values()}

    @property
    def top_drivers(self) -> list[Driver]:
        """The largest first, whether they gave or took."""
        return sorted(self.drivers.values(), key=lambda each: (-abs(each.total), each.rule_id))

    @property
    def surge_boost(self) -> list[SurgeBoost]:
        """The largest first."""
        return sorted(self.boosts.values(), key=lambda each: (-each.boost, each.event_type))

    def add(self, event_type: str, reason: str | None, contributions: Mapping[str, Contribution]) -> None:
        """An event as the log has it, with its suppression reason."""
        self.inorganic_count += reason in ("inorganic", "inorganic_grouped")
        boost = 0
        for ruleset_id, contribution in contributions.items():
            change = self.changes.get(ruleset_id)
            if change is None:
                continue
            change.score_change += contribution.delta
            if event_type == DECAY:
                change.decay += contribution.delta
            elif reason is not None:  # what it once gave was taken back, or it is what took others back
                change.taken_back += contribution.delta
            else:
                change.taken_back += contribution.delta - contribution.earned
                boost += self._credit(change, event_type, contribution)
        if boost:
            boosted = self.boosts.setdefault(event_type, SurgeBoost(event_type))
            boosted.boost += boost
            boosted.count += 1

    def _credit(self, change: ScoreChange, event_type: str, contribution: Contribution) -> int:
        """Divides what the event earned by a rule between the rule, surge and the floor; the surge part."""
        rule_id = contribution.rule_id
        if rule_id is None:
            return 0
        weight = self._weight(rule_id, contribution)
        key = change.ruleset_id, rule_id
        driver = self.drivers.setdefault(
            key, Driver(change.ruleset_id, rule_id, event_type, self._weights.get(rule_id, weight))
        )
        driver.count += 1
        driver.total += weight
        change.drivers += weight
        change.surge += contribution.boost
        change.floor_adjustment += contribution.earned - contribution.boost - weight
        return contribution.boost

    def _weight(self, rule_id: str, contribution: Contribution) -> int:
        """The rule's weight when it counted. The log has what the event earned; only where that brought the
        score to 0 may it be less than the rule took, and today's weight says how much that was."""
        earned = contribution.earned - contribution.boost
        today = self._weights.get(rule_id)
        if contribution.after == 0 and today is not None and today < earned:
            return today
        return earned
