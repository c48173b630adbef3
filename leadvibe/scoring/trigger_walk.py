"""One lead's events on their way past the sequences and patterns of a unit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

from leadvibe.scoring.trigger_index import Some, Triggers, Watcher
from leadvibe.scoring.triggers import Past, Seen, SequenceOf, completion, pattern_counts


class Arrival(NamedTuple):
    """An event in the order of arrival. `silent`: it counts and sets nothing off. `forgotten`: seqs of earlier
    events that it took back. An event that does not count itself has none of its own (`seen` is None)."""

    seen: Seen | None
    silent: bool = False
    forgotten: tuple[int, ...] = ()


class Match(NamedTuple):
    """A sequence or pattern that an event makes true: how many events of each type, and which (seqs)."""

    watcher: Watcher
    event: Seen
    counts: dict[str, int]
    seqs: tuple[int, ...] = ()


Used = Callable[[str], Collection[int]]


def _nothing(trigger_id: str) -> Collection[int]:
    return ()


def walk(
    triggers: Triggers | Some, past: Iterable[Seen], arrivals: Iterable[Arrival], used: Used = _nothing
) -> Iterator[Match]:
    """What each arrival makes true, behind the `past`. `used` says which events a trigger's earlier completions
    have consumed: it is asked anew for each arrival, so that whoever reads the matches may add to it."""
    history, names = Past(), triggers.reach
    for earlier in sorted(past):
        history.events.setdefault(earlier.name, []).append(earlier)
    for event, silent, forgotten in arrivals:
        if forgotten:
            history.forget(forgotten)
        if event is None or event.name not in names:
            continue
        history.take(event)
        if silent:
            continue
        for watcher in triggers.closed_by(event.name):
            match = _match(watcher, history, event, used)
            if match is not None:
                yield match


def _match(watcher: Watcher, history: Past, event: Seen, used: Used) -> Match | None:
    if isinstance(watcher, SequenceOf):
        chosen = completion(watcher, history.events, event, used(watcher.trigger_id))
        if chosen is None:
            return None
        return Match(watcher, event, dict(watcher.needs), tuple(each.seq for each in chosen))
    counts = pattern_counts(watcher, history.events, event)
    return None if counts is None else Match(watcher, event, counts)
