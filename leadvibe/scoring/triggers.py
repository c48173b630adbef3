"""When triggers fire: a score crosses a milestone, a sequence of events is complete, a pattern holds.

Pure functions over a lead's past. Event types are compared by their normal names.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from leadvibe.scoring.conditions import holds


class Seen(NamedTuple):
    """A counted event of a lead: neither suppressed nor only observed. `name`: its type's normal name."""

    at: datetime
    seq: int
    name: str
    metadata: Mapping[str, Any]


# A lead's counted events by name, each list sorted by (time, arrival).
History = Mapping[str, Sequence[Seen]]

_BEHIND_ALL = 2**63


class Condition(NamedTuple):
    """What must hold of a named value."""

    field: str
    operator: str
    value: str | None

    def holds(self, values: Mapping[str, Any]) -> bool:
        return holds(self.operator, values.get(self.field), self.value)


@dataclass(frozen=True, slots=True)
class Step:
    """An event of a type whose metadata meets all filters."""

    name: str
    filters: tuple[Condition, ...] = ()

    def takes(self, event: Seen) -> bool:
        return event.name == self.name and all(each.holds(event.metadata) for each in self.filters)


@dataclass(frozen=True, slots=True)
class Gate:
    """What a trigger asks beside the event: how often it fires for a lead, and for which leads.

    `cooldown` is event time: an event from before the last firing is within it, however short it is (None: there is
    none). `profile` looks at levels and properties, `attributes` at the lead's metadata.
    """

    once: bool = True
    cooldown: timedelta | None = None
    profile: tuple[Condition, ...] = ()
    attributes: tuple[Condition, ...] = ()

    @property
    def filters(self) -> bool:
        return bool(self.profile or self.attributes)

    def forbids(self, last: datetime | None) -> bool:
        """Whether a firing at `last` forbids one at any time."""
        return self.once and last is not None

    def rests(self, last: datetime | None, at: datetime) -> bool:
        """Whether a firing at `last` forbids one at `at` (event times)."""
        if last is None or self.once:
            return last is not None
        return self.cooldown is not None and at - last < self.cooldown

    def passes(self, levels: Mapping[str, str | None], metadata: Mapping[str, Any]) -> bool:
        """`levels`: engagement_level, profile_level and account_level of the lead."""
        known = {**metadata, **levels} if self.profile else {}
        return all(each.holds(known) for each in self.profile) and all(each.holds(metadata) for each in self.attributes)


@dataclass(frozen=True, slots=True)
class Milestone:
    """The primary score reaches `threshold` by an event named `name` (None: any)."""

    trigger_id: str
    name: str | None
    threshold: int
    gate: Gate = Gate()


@dataclass(frozen=True, slots=True)
class SequenceOf:
    """All steps within `window`, in their order or in any. `needs`: how many events of each name that takes."""

    trigger_id: str
    steps: tuple[Step, ...]
    window: timedelta
    ordered: bool
    gate: Gate = Gate()
    needs: Counter[str] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "needs", Counter(step.name for step in self.steps))

    @property
    def parts(self) -> Sequence[Step]:
        return self.steps

    @property
    def names(self) -> Collection[str]:
        return self.needs.keys()

    @property
    def reach(self) -> timedelta:
        """How far back from an event others matter."""
        return self.window

    @property
    def closers(self) -> Collection[str]:
        """The names of events that may complete it."""
        return {self.steps[-1].name} if self.ordered else self.names


@dataclass(frozen=True, slots=True)
class Pattern:
    """Each step as often as its number says within `window` (None: ever). `needs`: how many events of each name
    that takes at least."""

    trigger_id: str
    conditions: tuple[tuple[Step, int], ...]
    window: timedelta | None = None
    gate: Gate = Gate(once=False, cooldown=timedelta())  # a late event begins no burst before the last one
    needs: dict[str, int] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        needs: dict[str, int] = {}
        for step, least in self.conditions:
            needs[step.name] = max(least, needs.get(step.name, 0))
        object.__setattr__(self, "needs", needs)

    @property
    def parts(self) -> Sequence[Step]:
        return [step for step, _ in self.conditions]

    @property
    def names(self) -> Collection[str]:
        return self.needs.keys()

    @property
    def reach(self) -> timedelta | None:
        """The event before may be a window away, and looks a window back itself."""
        return None if self.window is None else 2 * self.window

    @property
    def closers(self) -> Collection[str]:
        return self.names

    def goes_on(self, past: Mapping[str, Sequence[datetime]], first: datetime, last: datetime) -> bool:
        """Whether no event from `first` to `last` can begin a burst behind the `past` (name → times in order): one
        goes on through all of them."""
        if any(step.filters for step, _ in self.conditions):
            return False
        for step, least in self.conditions:
            times = past.get(step.name, ())
            start = 0 if self.window is None else bisect_right(times, last - self.window)
            if bisect_right(times, first) - start < least:
                return False
        return True


Direction = Literal["reached", "left"]


def crossing(threshold: int, before: int, after: int) -> Direction | None:
    """What a change of the score means for a milestone."""
    if before < threshold <= after:
        return "reached"
    return "left" if after < threshold <= before else None


def completion(
    sequence: SequenceOf, history: History, event: Seen, used: Collection[int] = ()
) -> tuple[Seen, ...] | None:
    """The events that complete the sequence with this one, which is in the history; None: it does not.

    Ordered: e1 ≤ … ≤ en by (time, arrival), tn − t1 ≤ window, en is the event. Unordered: the event and others
    in (t − window, t]. Nothing of `used` (seqs of earlier completions) counts again. The latest are taken.
    """
    if event.name not in sequence.closers:
        return None
    return (_ordered if sequence.ordered else _unordered)(sequence, history, event, used)


def _ordered(sequence: SequenceOf, history: History, event: Seen, used: Collection[int]) -> tuple[Seen, ...] | None:
    if not sequence.steps[-1].takes(event):
        return None
    chosen, first = [event], event.at - sequence.window
    for step in reversed(sequence.steps[:-1]):
        events = history.get(step.name, ())
        place = bisect_left(events, (chosen[-1].at, chosen[-1].seq)) - 1
        while place >= 0 and (events[place].seq in used or not step.takes(events[place])):
            place -= 1
        if place < 0 or events[place].at < first:
            return None
        chosen.append(events[place])
    return tuple(reversed(chosen))


def _unordered(sequence: SequenceOf, history: History, event: Seen, used: Collection[int]) -> tuple[Seen, ...] | None:
    chosen: list[Seen] = []
    # The event's own name first: most often it decides.
    for name in sorted(sequence.needs, key=lambda name: name != event.name):
        free = [each for each in _within(history, name, event, sequence.window) if each.seq not in used]
        if len(free) < sequence.needs[name]:
            return None
        steps = [step for step in sequence.steps if step.name == name]
        found = _assigned(steps, free[::-1], event if name == event.name else None)
        if found is None:
            return None
        chosen += found
    return tuple(sorted(chosen))


def _within(history: History, name: str, event: Seen, window: timedelta | None) -> Sequence[Seen]:
    """The events of a name in (t − window, t], up to the event."""
    events = history.get(name, ())
    start, end = _bounds(events, event, window)
    return events[start:end]


def _bounds(events: Sequence[Seen], event: Seen, window: timedelta | None) -> tuple[int, int]:
    """Where those in (t − window, t] are, up to the event."""
    at, last = event.at, len(events)
    # Most often the event is the newest one, and all others are within the window.
    if last and (events[-1].at, events[-1].seq) > (at, event.seq):
        last = bisect_left(events, (at, event.seq + 1))
    if window is None or not last or events[0].at > (since := at - window):
        return 0, last
    return bisect_left(events, (since, _BEHIND_ALL), 0, last), last


def _assigned(steps: Sequence[Step], events: Sequence[Seen], must: Seen | None) -> list[Seen] | None:
    """An event of its own for each step, `must` among them; the first events are preferred."""
    if not any(step.filters for step in steps):
        chosen = events[: len(steps)]
        return list(chosen) if must is None or must in chosen else None
    if must is None:
        return _matching(steps, events)
    others = [each for each in events if each.seq != must.seq]
    for number, step in enumerate(steps):
        if step.takes(must):
            rest = _matching([*steps[:number], *steps[number + 1 :]], others)
            if rest is not None:
                return [must, *rest]
    return None


def _matching(steps: Sequence[Step], events: Sequence[Seen]) -> list[Seen] | None:
    """A maximum bipartite matching by augmenting paths; None when a step is left without event."""
    takers: dict[int, int] = {}

    def give(step: int, tried: set[int]) -> bool:
        for place, event in enumerate(events):
            if place in tried or not steps[step].takes(event):
                continue
            tried.add(place)
            if place not in takers or give(takers[place], tried):
                takers[place] = step
                return True
        return False

    if not all(give(step, set()) for step in range(len(steps))):
        return None
    return [events[place] for place in takers]


def pattern_counts(pattern: Pattern, history: History, event: Seen) -> dict[str, int] | None:
    """How many events there are for each type when this event, which is in the history, begins a burst.

    A burst goes on while each of the pattern's events finds all conditions met and the one before it within the
    window: only its first such event fires.
    """
    counts = _counts(pattern, history, event)
    if counts is None:
        return None
    last: Seen | None = None
    for name in pattern.names:
        events = history.get(name, ())
        start, end = _bounds(events, event, pattern.window)
        for each in events[max(start, end - 2) : end]:
            if each.seq != event.seq and (last is None or last < each):
                last = each
    if last is not None and _counts(pattern, history, last) is not None:
        return None
    return counts


def _counts(pattern: Pattern, history: History, event: Seen) -> dict[str, int] | None:
    """The numbers of events up to this one; None when a condition is not met."""
    counts: dict[str, int] = {}
    for step, least in pattern.conditions:
        events = history.get(step.name, ())
        start, end = _bounds(events, event, pattern.window)
        count = sum(map(step.takes, events[start:end])) if step.filters else end - start
        if count < least:
            return None
        counts[step.name] = max(count, counts.get(step.name, 0))
    return counts if counts else None


@dataclass(slots=True)
class Past:
    """A lead's history that grows with each event."""

    events: dict[str, list[Seen]] = field(default_factory=dict)

    def take(self, event: Seen) -> None:
        events = self.events.setdefault(event.name, [])
        events.insert(bisect_left(events, event), event)

    def forget(self, seqs: Collection[int]) -> None:
        """Events of a burst that a filter took back count no more."""
        for name, events in self.events.items():
            self.events[name] = [each for each in events if each.seq not in seqs]


def steps_of(parts: Iterable[tuple[Step, int]]) -> tuple[Step, ...]:
    """Steps that ask for several events, as one step for each."""
    return tuple(step for step, count in parts for _ in range(count))
