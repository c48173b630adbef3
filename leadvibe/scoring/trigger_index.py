"""A unit's active triggers, found by what may set them off: a thousand cost little more than those concerned."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from leadvibe.scoring.triggers import Milestone, Pattern, SequenceOf

Watcher = SequenceOf | Pattern


class Thresholds:
    """Milestones in the order of their thresholds."""

    def __init__(self, milestones: Iterable[Milestone]) -> None:
        self._milestones = sorted(milestones, key=lambda each: (each.threshold, each.trigger_id))
        self._thresholds = [each.threshold for each in self._milestones]

    def between(self, low: int, high: int) -> Sequence[Milestone]:
        """Those with low < threshold ≤ high."""
        return self._milestones[bisect_right(self._thresholds, low) : bisect_right(self._thresholds, high)]


Counts = Mapping[str, int]

# Of so many sets of names it is remembered which watchers they do for.
_MOST_SETS = 1_000


class _Among(NamedTuple):
    """The watchers for which some names do: how many events of the closer's name each needs, in rising order, and
    of which other names it needs more than one."""

    needs: list[int]
    watchers: list[tuple[Watcher, tuple[tuple[str, int], ...]]]


class Closers:
    """Sequences and patterns that an event of one name may complete, by how many such events they need.

    A lead has events of few names: those that need others are not even looked at.
    """

    def __init__(self, name: str, watchers: Iterable[Watcher]) -> None:
        self._name = name
        self.all: Sequence[Watcher] = sorted(watchers, key=lambda each: each.needs[name])
        self._least = self.all[0].needs[name] if self.all else 0
        self._others = frozenset(other for each in self.all for other in each.needs if other != name)
        self._remembered: dict[frozenset[str], _Among] = {}

    def with_events(self, counts: Counts) -> Iterator[Watcher]:
        """Those for which so many events of the names may do."""
        count = counts.get(self._name, 0)
        if count < self._least:
            return
        needs, watchers = self._among(self._others.intersection(counts))
        for watcher, others in watchers[: bisect_right(needs, count)]:
            if all(counts[name] >= least for name, least in others):
                yield watcher

    def _among(self, names: frozenset[str]) -> _Among:
        found = self._remembered.get(names)
        if found is None:
            if len(self._remembered) >= _MOST_SETS:
                self._remembered.clear()
            found = self._remembered[names] = _Among([], [])
            for each in self.all:
                if all(name in names for name in each.needs if name != self._name):
                    others = ((name, least) for name, least in each.needs.items() if name != self._name and least > 1)
                    found.needs.append(each.needs[self._name])
                    found.watchers.append((each, tuple(others)))
        return found


_NO_CLOSERS = Closers("", ())


class Some:
    """Some sequences and patterns by themselves, as the events of one lead pass them. Made quickly."""

    def __init__(self, watchers: Iterable[Watcher]) -> None:
        self.reach: set[str] = set()
        self._closing: dict[str, list[Watcher]] = {}
        for each in sorted(watchers, key=lambda each: each.trigger_id):
            self.reach.update(each.names)
            for name in each.closers:
                self._closing.setdefault(name, []).append(each)
        for name, those in self._closing.items():
            if len(those) > 1:
                those.sort(key=lambda each: each.needs[name])

    def closed_by(self, name: str) -> Sequence[Watcher]:
        return self._closing.get(name, ())


@dataclass(frozen=True, slots=True)
class Triggers:
    """The active triggers. `closing`: sequences and patterns by the events that may complete them. `reach`: how
    far back the events of a name matter (None: for ever). `filtered`: names whose metadata matters."""

    milestones: tuple[Milestone, ...] = ()
    watchers: tuple[Watcher, ...] = ()
    closing: dict[str, Closers] = field(init=False, compare=False)
    reach: dict[str, timedelta | None] = field(init=False, compare=False)
    filtered: frozenset[str] = field(init=False, compare=False)
    _reaching: dict[str | None, Thresholds] = field(init=False, compare=False)
    _all: Thresholds = field(init=False, compare=False)

    def __post_init__(self) -> None:
        closing: dict[str, list[Watcher]] = {}
        reach: dict[str, timedelta | None] = {}
        for each in self.watchers:
            for name in each.closers:
                closing.setdefault(name, []).append(each)
            for name in each.names:
                reach[name] = _longer(reach.get(name, timedelta()), each.reach)
        names = {None, *(each.name for each in self.milestones)}
        reaching = {name: Thresholds(each for each in self.milestones if each.name in (None, name)) for name in names}
        for name, value in {
            "closing": {name: Closers(name, of) for name, of in closing.items()},
            "reach": reach,
            "filtered": frozenset(step.name for each in self.watchers for step in each.parts if step.filters),
            "_reaching": reaching,
            "_all": Thresholds(self.milestones),
        }.items():
            object.__setattr__(self, name, value)

    def __bool__(self) -> bool:
        return bool(self.milestones or self.watchers)

    def closed_by(self, name: str) -> Sequence[Watcher]:
        """The sequences and patterns that an event of this name may complete."""
        return self.closing.get(name, _NO_CLOSERS).all

    def completed_by(self, name: str, counts: Counts) -> Iterator[Watcher]:
        """The sequences and patterns that an event of this name may complete for a lead with so many events of each
        name, itself among them, whenever they were. Every name that `counts` has has an event."""
        return self.closing.get(name, _NO_CLOSERS).with_events(counts)

    def reached(self, name: str, before: int, after: int) -> Sequence[Milestone]:
        """The milestones that an event of this name takes the score over."""
        return (self._reaching.get(name) or self._reaching[None]).between(before, after)

    def passed(self, before: int, after: int) -> Sequence[Milestone]:
        """The milestones that a rise takes the score over, whatever they ask of its event."""
        return self._all.between(before, after)

    def left(self, before: int, after: int) -> Sequence[Milestone]:
        """The milestones that the score falls below, whatever made it fall."""
        return self._all.between(after, before)


def _longer(one: timedelta | None, other: timedelta | None) -> timedelta | None:
    return None if one is None or other is None else max(one, other)
