"""Surge detection: whether an event makes a lead's events within a rolling window as many as a trigger asks for."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from leadvibe.scoring.model import Event, Past, SurgeTrigger

# The time of an event and its place in the order of arrival.
Moment = tuple[datetime, int]

_BEHIND_ALL = 2**63


@dataclass(slots=True)
class Activity:
    """What detection must know of a lead before its next event.

    `counted`: for each event type that a trigger watches (None: any), the lead's events that were neither
    suppressed nor only observed, sorted, at least as far back as the triggers look. `detected`: when each
    trigger last went off (trigger id → time).
    """

    counted: dict[str | None, list[Moment]] = field(default_factory=dict)
    detected: dict[str, datetime] = field(default_factory=dict)


def watched(triggers: Iterable[SurgeTrigger], event_type: str) -> set[str | None]:
    """What an event of this type counts as: under its own name, as any (None), or both."""
    return {each.event_type for each in triggers} & {None, event_type}


def detect(
    triggers: Sequence[SurgeTrigger], activity: Activity, event: Event, silent: bool = False
) -> list[SurgeTrigger]:
    """Takes a counted event into the lead's activity; the triggers that it sets off.

    A trigger goes off when (t − window, t] holds `threshold_count` events, unless t is less than a window
    behind the last time it did. A `silent` event counts and sets off nothing.
    """
    fired = []
    for name in watched(triggers, event.event_type):
        insort(activity.counted.setdefault(name, []), (event.at, event.seq))
    for trigger in triggers:
        last = activity.detected.get(trigger.trigger_id)
        rests = last is not None and event.at - last < trigger.window
        if silent or rests or trigger.event_type not in (None, event.event_type):
            continue
        moments = activity.counted[trigger.event_type]
        end = bisect_right(moments, (event.at, event.seq))
        start = bisect_right(moments, (event.at - trigger.window, _BEHIND_ALL))
        if end - start >= trigger.threshold_count:
            activity.detected[trigger.trigger_id] = event.at
            fired.append(trigger)
    return fired


def forget(activity: Activity, taken_back: Iterable[Past]) -> None:
    """Events of a burst that a filter took back count no more."""
    gone = {(past.at, past.seq) for past in taken_back}
    for name, moments in activity.counted.items():
        activity.counted[name] = [moment for moment in moments if moment not in gone]
