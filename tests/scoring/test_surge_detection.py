"""Surge detection against a second implementation, which looks at the whole past at each event."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from leadvibe.scoring.model import Event, SurgeTrigger
from leadvibe.scoring.surge_detection import Activity, detect
from tests.scoring.streams import TYPES, streams

triggers = st.lists(
    st.builds(
        SurgeTrigger,
        st.sampled_from(("sg_1", "sg_2", "sg_3")),
        st.sampled_from((*TYPES, None)),
        st.integers(1, 15).map(lambda seconds: timedelta(seconds=seconds)),
        st.integers(1, 5),
    ),
    max_size=3,
    unique_by=lambda each: each.trigger_id,
)


def naive(triggers: list[SurgeTrigger], events: list[Event]) -> list[tuple[int, str]]:
    fired: list[tuple[int, str]] = []
    for trigger in triggers:
        last: datetime | None = None
        for i, event in enumerate(events):
            counts = [each for each in events[: i + 1] if trigger.event_type in (None, each.event_type)]
            inside = [each for each in counts if event.at - trigger.window < each.at <= event.at]
            rests = last is not None and event.at < last + trigger.window
            if event in counts and len(inside) >= trigger.threshold_count and not rests:
                last = event.at
                fired.append((event.seq, trigger.trigger_id))
    return sorted(fired)


@given(triggers, streams())
def test_detection_is_what_the_whole_past_says(triggers: list[SurgeTrigger], events: list[Event]) -> None:
    activity = Activity()
    fired = [(event.seq, each.trigger_id) for event in events for each in detect(triggers, activity, event)]
    assert sorted(fired) == naive(triggers, events)
