"""The contract's scoring a second time: slow and simple. It keeps every event and counts anew each time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

from leadvibe.scoring.model import DECAY, Contribution, Event, UnitConfig, VelocityFilter


@dataclass
class Entry:
    """A stored event and what is known of it today."""

    event: Event
    observed: bool = False
    reason: str | None = None
    in_session: bool = False
    earned: dict[str, int] = field(default_factory=dict)


class NaiveLead:
    def __init__(self, config: UnitConfig) -> None:
        self.config = config
        self.entries: list[Entry] = []
        self.scores: dict[str, int] = {}

    def apply(self, event: Event) -> dict[str, Contribution]:
        """Scores an event; returns what happened to each ruleset."""
        before, entry = dict(self.scores), Entry(event)
        self.entries.append(entry)
        counted: dict[str, tuple[int, int, str | None]] = {}
        if event.event_type == DECAY:
            counted = {name: (self._add(name, delta), 0, None) for name, delta in (event.recorded or {}).items()}
        elif self.config.ceilings.get(event.event_type) == "observe":
            entry.observed = True
        else:
            self._filter(entry)
            if entry.reason is None:
                counted = self._score(entry)
                entry.earned = {name: earned for name, (earned, _, _) in counted.items()}
        return self._contributions(before, counted)

    def _add(self, name: str, points: int) -> int:
        old = self.scores.get(name, 0)
        new = old + points
        if not self.config.allow_negative_scores:
            new = max(0, new)
        self.scores[name] = new
        return new - old

    def _filter(self, entry: Entry) -> None:
        taken: list[Entry] = []
        for rule in self.config.filters.get(entry.event.event_type, ()):
            if rule.group_events:
                taken += [each for each in self._too_long_burst(rule, entry)[1:] if each.reason is None]
            elif self._in_window(rule, entry) > rule.count_threshold:
                entry.reason = "inorganic"
        reversed_points: dict[str, int] = {}
        for each in taken:
            if each.reason is None:
                each.reason = "inorganic_grouped"
                for name, points in each.earned.items():
                    reversed_points[name] = reversed_points.get(name, 0) - points
        for name, points in reversed_points.items():
            self._add(name, points)

    def _same_type(self, entry: Entry) -> list[Entry]:
        return [each for each in self.entries if each.event.event_type == entry.event.event_type and not each.observed]

    def _in_window(self, rule: VelocityFilter, entry: Entry) -> int:
        ages = [(entry.event.at - each.event.at).total_seconds() * 1000 for each in self._same_type(entry)]
        return sum(0 <= age < rule.time_window_ms for age in ages)

    def _too_long_burst(self, rule: VelocityFilter, entry: Entry) -> list[Entry]:
        """The burst that the event belongs to, when it is longer than the threshold."""
        bursts: list[list[Entry]] = []
        for each in sorted(self._same_type(entry), key=lambda each: (each.event.at, each.event.seq)):
            if bursts and (each.event.at - bursts[-1][-1].event.at).total_seconds() * 1000 <= rule.time_window_ms:
                bursts[-1].append(each)
            else:
                bursts.append([each])
        (mine,) = [burst for burst in bursts if entry in burst]
        return mine if len(mine) > rule.count_threshold else []

    def _multiplier(self, entry: Entry) -> Fraction:
        """Walks through all sessions of the lead up to the event."""
        entry.in_session = True
        count, last = 0, None
        for each in self.entries:
            if not each.in_session:
                continue
            late = last is not None and each.event.at < last
            if late:
                continue
            idle = last is None or (each.event.at - last).total_seconds() > self.config.surge.idle_reset_seconds
            count, last = (1 if idle else count + 1), each.event.at
        if late:
            return Fraction(1)
        for band in self.config.surge.bands:
            if count in range(band.min_events, (band.max_events or 10**9) + 1):
                return Fraction(str(min(band.multiplier, self.config.surge.multiplier_cap)))
        return Fraction(1)

    def _score(self, entry: Entry) -> dict[str, tuple[int, int, str | None]]:
        """Ruleset → effective points, nominal boost, rule."""
        factor, found = self._multiplier(entry), {}
        for ruleset in self.config.rulesets:
            rule = ruleset.rules.get(entry.event.event_type)
            if rule is None:
                continue
            starts = [bound.start_at for bound in (rule, ruleset) if bound.start_at is not None]
            ends = [bound.end_at for bound in (rule, ruleset) if bound.end_at is not None]
            if all(start <= entry.event.at for start in starts) and all(entry.event.at <= end for end in ends):
                points = rule.weight
                if points > 0:
                    points = math.floor(points * factor + Fraction(1, 2))
                found[ruleset.ruleset_id] = self._add(ruleset.ruleset_id, points), points - rule.weight, rule.rule_id
        return found

    def _contributions(
        self, before: dict[str, int], counted: dict[str, tuple[int, int, str | None]]
    ) -> dict[str, Contribution]:
        result = {}
        for name, after in self.scores.items():
            old = before.get(name, 0)
            if name in counted or after != old:
                earned, boost, rule_id = counted.get(name, (0, 0, None))
                result[name] = Contribution(after - old, old, after, earned, boost, rule_id)
        return result
