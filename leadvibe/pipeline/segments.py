"""Segments in a batch of the worker: only those that its events can change are looked at, and only for the
leads of these events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from leadvibe.scoring.model import UnitConfig
from leadvibe.scoring.segments import Condition, SegmentPlan
from leadvibe.store import segment_members, segment_work
from leadvibe.store.queue import AnyConnection
from leadvibe.store.segment_members import Change

if TYPE_CHECKING:
    from leadvibe.pipeline.batch import Aftermath, People

# What a lead's own properties decide.
_OF_PROPERTIES = ("lead_metadata", "profile_level")


class SegmentWatch:
    """Watches the events of a batch, then brings the members of the unit's segments up to date.

    An event that meets a rule matters once: that its lead has such an event is remembered as a fact, so
    nothing of the lead's past is read. A segment whose members are still being made by the job is left to it.
    """

    def __init__(self, plan: SegmentPlan, config: UnitConfig, people: People) -> None:
        self._plan, self._primary = plan, config.primary_ruleset_id
        self._before = {lead_id: self._score(lead.state.scores) for lead_id, lead in people.leads.items()}
        self._met: dict[tuple[str | None, ...], tuple[str, ...]] = {}
        self._seen: dict[str, set[str]] = {}

    def see(self, lead_id: str, event_type: str, metadata: Mapping[str, Any]) -> None:
        """Takes in an event that is not suppressed."""
        rules = self._plan.heard(event_type)
        if rules and (met := self._rules_met(event_type, metadata, rules)):
            self._seen.setdefault(lead_id, set()).update(met)

    def _rules_met(self, event_type: str, metadata: Mapping[str, Any], rules: Sequence[Condition]) -> tuple[str, ...]:
        """Remembered for the next event that says the same, since the events of a batch are much alike. Texts
        alone: 1 and true are equal and do not read the same."""
        said = [metadata.get(name) for name in self._plan.fields_heard(event_type)]
        key = (event_type, *said) if all(each is None or type(each) is str for each in said) else None
        met = self._met.get(key) if key else None
        if met is None:
            met = tuple(rule.rule_id for rule in rules if rule.happens(metadata))
            if key:
                self._met[key] = met
        return met

    async def save(
        self, connection: AnyConnection, unit_id: str, people: People, aftermath: Aftermath, now: datetime
    ) -> None:
        """When all else of the batch is written."""
        unfinished = await segment_work.unfinished(connection, unit_id, self._plan)
        after = {lead.lead_id: self._score(lead.state.scores) for lead in people.leads.values() if lead.changed}
        new = after.keys() - self._before.keys()
        suspects = await self._suspects(connection, unit_id, after, aftermath.heard)
        await self._leave_to_job(connection, unit_id, aftermath, unfinished, {*suspects, *new})
        changes = [
            Change(segment_id, lead_id, True)
            for lead_id in new - suspects.keys()
            for segment_id in self._plan.of_new(after[lead_id]) - unfinished
        ]
        known = await segment_members.load(connection, unit_id, suspects) if suspects else {}
        for lead_id, (person, kept) in known.items():
            looked_at = suspects[lead_id] | (self._plan.of_new(after[lead_id]) if lead_id in new else frozenset())
            looked_at -= unfinished
            belongs = self._plan.all_of(person, looked_at)
            changes += [Change(each, lead_id, True) for each in belongs - kept]
            changes += [Change(each, lead_id, False) for each in (looked_at & kept) - belongs]
        await segment_members.apply(connection, unit_id, changes, now)

    async def _suspects(
        self, connection: AnyConnection, unit_id: str, after: Mapping[str, int], heard: Iterable[str]
    ) -> dict[str, frozenset[str]]:
        """The leads whose segments may be others now, and which segments."""
        suspects: dict[str, frozenset[str]] = {}

        def suspect(lead_id: str, segment_ids: Iterable[str]) -> None:
            suspects[lead_id] = suspects.get(lead_id, frozenset()).union(segment_ids)

        if self._seen:
            for lead_id, rule_id in await segment_members.new_facts(connection, unit_id, self._seen):
                suspect(lead_id, (self._plan.of_rule[rule_id],))
        if on_level := self._plan.by_kind.get("engagement_level"):
            for lead_id, score in after.items():
                if lead_id in self._before and self._level(score) != self._level(self._before[lead_id]):
                    suspect(lead_id, on_level)
        if on_properties := frozenset().union(*(self._plan.by_kind.get(kind, ()) for kind in _OF_PROPERTIES)):
            for lead_id in heard:
                suspect(lead_id, on_properties)
        return suspects

    async def _leave_to_job(
        self,
        connection: AnyConnection,
        unit_id: str,
        aftermath: Aftermath,
        unfinished: frozenset[str],
        lead_ids: Iterable[str],
    ) -> None:
        """What the batch does not decide: unfinished segments, and leads whose earlier events count no more."""
        if unfinished:
            await segment_members.touch(connection, unit_id, lead_ids)
        if aftermath.taken_back and self._plan.on_events:
            await segment_members.touch_events(connection, unit_id, aftermath.taken_back)

    def _score(self, scores: Mapping[str, int]) -> int:
        return scores.get(self._primary, 0) if self._primary else 0

    def _level(self, score: int) -> str | None:
        return self._plan.level("engagement_level", score)
