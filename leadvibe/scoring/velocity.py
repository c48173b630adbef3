"""Velocity filters: events that come faster than a person makes them.

`history` holds the lead's earlier counted events of one type, sorted by (time, arrival).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta

from leadvibe.scoring.model import Past, VelocityFilter


def neighbours(filters: Sequence[VelocityFilter]) -> int:
    """How many counted events on either side of a moment decide what these filters say of it.

    A plain window asks whether more than `count_threshold` events lie in it, so the nearest
    `count_threshold` earlier ones suffice. A burst asks the same of a run; a run that is longer than
    the threshold has nothing left to take back but its first event, which is among the nearest.
    """
    return max((each.count_threshold for each in filters), default=-1) + 1


def too_many(rule: VelocityFilter, history: Sequence[Past], at: datetime) -> bool:
    """Plain filter: whether the event at `at` is more than the threshold in (at − window, at]."""
    start = at - timedelta(milliseconds=rule.time_window_ms)
    first = bisect_right(history, start, key=_time)
    return bisect_right(history, at, key=_time) - first + 1 > rule.count_threshold


def burst(rule: VelocityFilter, history: Sequence[Past], at: datetime) -> tuple[int, int]:
    """The run that an event at `at`, placed behind all of its time, would join: history[start:end]."""
    gap = timedelta(milliseconds=rule.time_window_ms)
    start = end = bisect_right(history, at, key=_time)
    moment = at
    while start > 0 and moment - history[start - 1].at <= gap:
        start -= 1
        moment = history[start].at
    moment = at
    while end < len(history) and history[end].at - moment <= gap:
        moment = history[end].at
        end += 1
    return start, end


def _time(past: Past) -> datetime:
    return past.at
