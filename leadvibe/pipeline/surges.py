"""Surge detection in a batch of the worker, for units that have it on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from leadvibe.pipeline.messages import EventRow, tell_surges
from leadvibe.scoring.model import DECAY, NOTES, Event, LeadState, Outcome, UnitConfig
from leadvibe.scoring.surge_detection import Activity, detect, forget, watched
from leadvibe.store import surge_events
from leadvibe.store.queue import AnyConnection
from leadvibe.store.surge_events import Reach, Surge

if TYPE_CHECKING:
    from leadvibe.pipeline.batch import People


@dataclass(slots=True)
class Surges:
    """Watches the events of a batch. `taken_back`: seq of an event → seq of the one that took it back.
    `rows`: the events that made what was found, by seq."""

    config: UnitConfig
    activity: dict[str, Activity]
    found: list[Surge] = field(default_factory=list)
    rows: dict[int, EventRow] = field(default_factory=dict)
    taken_back: dict[int, int] = field(default_factory=dict)

    @classmethod
    async def load(
        cls, connection: AnyConnection, unit_id: str, config: UnitConfig, rows: Sequence[EventRow], people: People
    ) -> Surges:
        """With the part of the leads' past that the triggers look at."""
        triggers = config.surge_triggers
        spans = people.spans(rows, lambda event_type: watched(triggers, event_type))
        activity: dict[str, Activity] = {}
        reach = _reach(config)
        counted = await surge_events.load_counted(connection, unit_id, spans, reach)
        for (lead_id, event_type), moments in counted.items():
            activity.setdefault(lead_id, Activity()).counted[event_type] = moments
        if spans:
            since = min(first for first, _ in spans.values()) - max(each.window for each in reach.values())
            last = await surge_events.last_detections(connection, unit_id, activity, since)
            for (lead_id, trigger_id), at in last.items():
                activity[lead_id].detected[trigger_id] = at
        return cls(config, activity)

    def see(self, lead_id: str, state: LeadState, event: Event, outcome: Outcome, row: EventRow, channel: str) -> None:
        """Takes in a scored event. It sets nothing off when its type may only be scored (scope `decide`), or
        when it is imported without triggers."""
        activity = self.activity.setdefault(lead_id, Activity())
        if outcome.taken_back:
            self.taken_back.update((past.seq, event.seq) for past in outcome.taken_back)
            forget(activity, outcome.taken_back)
        if outcome.suppression_reason or outcome.observed or event.event_type == DECAY or event.event_type in NOTES:
            return
        silent = row["skip_triggers"] or event.event_type in self.config.ceilings
        for trigger in detect(self.config.surge_triggers, activity, event, silent):
            snapshot = self._snapshot(state, row["metadata"], channel)
            named = trigger.trigger_id, lead_id, trigger.event_type, trigger.window
            self.found.append(Surge(*named, event.at, event.seq, snapshot))
            self.rows[event.seq] = row

    async def save(self, connection: AnyConnection, unit_id: str, now: datetime) -> bool:
        """When the batch's events, leads and aliases are written, and before the events that it took back are
        marked; whether somebody is to be told."""
        if not self.found:
            return False
        ids = await surge_events.save(connection, unit_id, self.found, self.taken_back)
        return await tell_surges(connection, unit_id, list(zip(ids, self.found, strict=True)), self.rows, now)

    def _snapshot(self, state: LeadState, metadata: dict[str, Any], channel: str) -> dict[str, Any]:
        primary = self.config.primary_ruleset_id
        source = metadata.get("source")
        return {
            "channel": channel,
            "source": source if isinstance(source, str) else None,
            "score": state.scores.get(primary, 0) if primary else 0,
        }


def _reach(config: UnitConfig) -> dict[str | None, Reach]:
    """How far the triggers of each type look back. The nearest events decide, unless a filter may take some
    of them back: then any of the window may be needed."""
    reach: dict[str | None, Reach] = {}
    for name in {each.event_type for each in config.surge_triggers}:
        same = [each for each in config.surge_triggers if each.event_type == name]
        filters = [each for of, some in config.filters.items() if name in (None, of) for each in some]
        most = None if any(each.group_events for each in filters) else max(each.threshold_count for each in same) - 1
        reach[name] = Reach(max(each.window for each in same), most)
    return reach
