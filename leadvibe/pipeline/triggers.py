"""Milestones, sequences and patterns in a batch: what fires is written in the transaction of its events.

While the batch is scored, `see` only notes what may fire. What it needs of the past, of earlier firings and of
the leads is then read for those leads alone, all at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from leadvibe.ids import new_id
from leadvibe.pipeline import messages
from leadvibe.pipeline.messages import EventRow
from leadvibe.scoring.event_names import normal_name
from leadvibe.scoring.levels import level_name
from leadvibe.scoring.model import DECAY, Event, LeadState, Level, Outcome, UnitConfig
from leadvibe.scoring.trigger_index import Some, Watcher
from leadvibe.scoring.trigger_walk import Arrival, Match, walk
from leadvibe.scoring.triggers import Milestone, Pattern, Seen
from leadvibe.store import outbox, trigger_state
from leadvibe.store.outbox import NewDelivery
from leadvibe.store.queue import AnyConnection
from leadvibe.store.trigger_state import Fired, LeadFacts, Past
from leadvibe.store.trigger_tables import FiringKind

_PREFIXES: dict[FiringKind, str] = {
    "milestone": "mevt", "milestone_exit": "mevt", "sequence": "sevt", "pattern": "pevt",
}  # fmt: skip


class Moment(NamedTuple):
    """An event with the lead's primary score before and after it. `row` has event_id, event_type, occurred_at,
    received_at and metadata."""

    lead_id: str
    seq: int
    row: EventRow
    before: int
    after: int


class Possible(NamedTuple):
    """What fires unless the trigger fired already, rests, or filters the lead out."""

    kind: FiringKind
    trigger: Milestone | Match
    moment: Moment

    @property
    def trigger_id(self) -> str:
        return self.trigger.watcher.trigger_id if isinstance(self.trigger, Match) else self.trigger.trigger_id

    @property
    def pair(self) -> tuple[str, str]:
        return self.moment.lead_id, self.trigger_id


@dataclass(slots=True)
class _Followed:
    """The events of a lead that matter to sequences and patterns, in their order."""

    arrivals: list[Arrival] = field(default_factory=list)
    moments: dict[int, Moment] = field(default_factory=dict)


class _Suspect(NamedTuple):
    """A lead that has enough events for these sequences and patterns (by id), and its past."""

    watchers: dict[str, Watcher]
    past: Past


@dataclass(slots=True)
class Firings:
    """Watches the events of a batch, the first of which has the number `last_seq` + 1."""

    config: UnitConfig
    last_seq: int
    crossings: list[Possible] = field(default_factory=list)
    followed: dict[str, _Followed] = field(default_factory=dict)

    def see(self, lead_id: str, state: LeadState, event: Event, outcome: Outcome, row: EventRow) -> None:
        """Takes in a scored event. It fires nothing when its type may only be scored (scope `decide`) or it is
        imported without triggers; suppressed, it fires at most an exit."""
        triggers, primary = self.config.triggers, self.config.primary_ruleset_id or ""
        silent = row["skip_triggers"] or event.event_type in self.config.ceilings
        counts = outcome.suppression_reason is None and not outcome.observed and event.event_type != DECAY
        name = normal_name(event.event_type)
        change = outcome.contributions.get(primary)
        follows = counts and name in triggers.reach
        if not follows and (change is None or change.delta == 0) and not outcome.taken_back:
            return
        after = state.scores.get(primary, 0)
        moment = Moment(lead_id, event.seq, row, after if change is None else change.before, after)
        if not silent:
            self._cross(name if counts else None, moment)
        if triggers.reach and (follows or outcome.taken_back):
            seen = Seen(event.at, event.seq, name, row["metadata"]) if follows else None
            forgotten = tuple([past.seq for past in outcome.taken_back]) if outcome.taken_back else ()
            followed = self.followed.get(lead_id)
            if followed is None:
                followed = self.followed[lead_id] = _Followed()
            followed.arrivals.append(Arrival(seen, silent, forgotten))
            followed.moments[event.seq] = moment

    def _cross(self, name: str | None, moment: Moment) -> None:
        """Takes in a change of the score, by an event of that name if it counts."""
        before, after = moment.before, moment.after
        if after < before:
            kind: FiringKind = "milestone_exit"
            crossed = self.config.triggers.left(before, after)
        elif after > before and name is not None:
            kind, crossed = "milestone", self.config.triggers.reached(name, before, after)
        else:
            return
        for each in crossed:
            self.crossings.append(Possible(kind, each, moment))

    async def save(self, connection: AnyConnection, unit_id: str, now: datetime) -> bool:
        """Writes the batch's firings with their messages; whether there are messages. The batch's events, leads
        and aliases are written."""
        suspects = await self._suspects(connection, unit_id)
        pairs = {each.pair for each in self.crossings}
        pairs.update((lead_id, trigger_id) for lead_id, suspect in suspects.items() for trigger_id in suspect.watchers)
        if not pairs:
            return False
        fired = await trigger_state.load_fired(connection, unit_id, pairs)
        for lead_id, suspect in suspects.items():
            for trigger_id, each in [*suspect.watchers.items()]:
                if each.gate.forbids(fired[lead_id, trigger_id].last_at):
                    del suspect.watchers[trigger_id]
        possible = [*self.crossings, *self._matches(suspects)]
        if not possible:
            return False
        facts = await trigger_state.load_facts(connection, unit_id, {each.moment.lead_id for each in possible})
        levels = await trigger_state.load_levels(connection, unit_id, "engagement", "stage_id")
        decided = sorted(self._decided(possible, suspects, fired, facts, levels), key=lambda each: each.moment.seq)
        return await _record(connection, unit_id, decided, facts, levels, now) if decided else False

    async def _suspects(self, connection: AnyConnection, unit_id: str) -> dict[str, _Suspect]:
        """The leads one of whose events may complete something: there are enough events, whenever they were."""
        triggers, spans, closers = self.config.triggers, {}, {}
        for lead_id, followed in self.followed.items():
            names = {seen.name for seen, silent, _ in followed.arrivals if seen is not None and not silent}
            if not names.isdisjoint(triggers.closing):
                times = [seen.at for seen, _, _ in followed.arrivals if seen is not None]
                spans[lead_id], closers[lead_id] = (min(times), max(times)), names
        if not spans:
            return {}
        found = await trigger_state.load_past(connection, unit_id, triggers, spans, self.last_seq)
        suspects = {}
        for lead_id, names in closers.items():
            if suspect := self._suspect(self.followed[lead_id], found.get(lead_id, Past()), names, *spans[lead_id]):
                suspects[lead_id] = suspect
        return suspects

    def _suspect(
        self, followed: _Followed, past: Past, names: Iterable[str], first: datetime, last: datetime
    ) -> _Suspect | None:
        """A lead whose events from `first` to `last` have something to complete, if those of these `names` may."""
        counts = past.counts()
        for seen, _, _ in followed.arrivals:
            if seen is not None:
                counts[seen.name] = counts.get(seen.name, 0) + 1
        possible = {each.trigger_id: each for name in names for each in self.config.triggers.completed_by(name, counts)}
        patterns = [each for each in possible.values() if isinstance(each, Pattern)]
        if patterns and not any(forgotten for _, _, forgotten in followed.arrivals):
            times = past.times_of({name for each in patterns for name in each.names})
            for each in patterns:
                if each.goes_on(times, first, last):
                    del possible[each.trigger_id]
        return _Suspect(possible, past) if possible else None

    def _matches(self, suspects: Mapping[str, _Suspect]) -> Iterator[Possible]:
        """Sequences and patterns that the leads' events make true, whatever fired before."""
        for lead_id, suspect in suspects.items():
            if suspect.watchers:
                followed, some = self.followed[lead_id], Some(suspect.watchers.values())
                for match in walk(some, suspect.past.seen(some.reach), followed.arrivals):
                    yield _possible(match, followed)

    def _decided(
        self,
        possible: Sequence[Possible],
        suspects: Mapping[str, _Suspect],
        fired: dict[tuple[str, str], Fired],
        facts: Mapping[str, LeadFacts],
        levels: Sequence[Level],
    ) -> Iterator[Possible]:
        """What does fire. Brings `fired` up to date, which decides on what comes later in the batch."""

        def decide(each: Possible) -> bool:
            lead = facts.get(each.moment.lead_id)
            return lead is not None and _decide(each, fired[each.pair], lead, levels)

        matched: dict[str, list[Possible]] = {}
        for each in possible:
            if isinstance(each.trigger, Milestone):
                if decide(each):
                    yield each
            else:
                matched.setdefault(each.moment.lead_id, []).append(each)
        for lead_id, matches in matched.items():
            found: Iterable[Possible] = matches
            if any(each.kind == "sequence" for each in matches):
                found = self._unused(lead_id, {each.trigger_id for each in matches}, suspects[lead_id], fired)
            yield from (each for each in found if decide(each))

    def _unused(
        self, lead_id: str, trigger_ids: set[str], suspect: _Suspect, fired: Mapping[tuple[str, str], Fired]
    ) -> Iterator[Possible]:
        """The matches once more: what a firing of a sequence consumed is gone for the next."""
        some, followed = Some(suspect.watchers[each] for each in trigger_ids), self.followed[lead_id]
        used = {trigger_id: fired[lead_id, trigger_id].used for trigger_id in trigger_ids}
        for match in walk(some, suspect.past.seen(some.reach), followed.arrivals, used.__getitem__):
            yield _possible(match, followed)


def _possible(match: Match, followed: _Followed) -> Possible:
    kind: FiringKind = "sequence" if match.seqs else "pattern"
    return Possible(kind, match, followed.moments[match.event.seq])


def _decide(each: Possible, fired: Fired, lead: LeadFacts, levels: Sequence[Level]) -> bool:
    """Whether it fires, after what the trigger `fired` for the lead, which is brought up to date."""
    if each.kind == "milestone_exit":
        was_inside, fired.inside = fired.inside, False
        return was_inside
    gate = each.trigger.watcher.gate if isinstance(each.trigger, Match) else each.trigger.gate
    at = each.moment.row["occurred_at"]
    if gate.rests(fired.last_at, at):
        return False
    if gate.filters:
        known = {
            "engagement_level": level_name(levels, each.moment.after),
            "profile_level": lead.profile_level,
            "account_level": lead.account_level,
        }
        if not gate.passes(known, lead.metadata):
            return False
    fired.last_at, fired.inside = at, each.kind == "milestone"
    if isinstance(each.trigger, Match):
        fired.used.update(each.trigger.seqs)
    return True


async def _record(
    connection: AnyConnection,
    unit_id: str,
    decided: Sequence[Possible],
    facts: Mapping[str, LeadFacts],
    levels: Sequence[Level],
    now: datetime,
) -> bool:
    """Writes the firings, and the messages of those that are new; whether there are messages."""
    wanted: dict[str, set[str]] = {}
    for each in decided:
        wanted.setdefault(trigger_state.TABLE_OF[each.kind], set()).add(each.trigger_id)
    triggers = await trigger_state.load_triggers(connection, unit_id, wanted)
    named = [each for each in decided if each.trigger_id in triggers]
    firings = [_firing(each, triggers[each.trigger_id]) for each in named]
    new = await trigger_state.save(connection, unit_id, firings, now)
    deliveries: list[NewDelivery] = []
    for each, firing in zip(named, firings, strict=True):
        trigger, row = triggers[each.trigger_id], each.moment.row
        if firing["firing_id"] not in new or (each.kind == "milestone_exit" and not trigger["notify_exit"]):
            continue
        if not messages.tells(trigger):
            continue
        lead = facts[each.moment.lead_id]
        payload = messages.payload(unit_id, firing, trigger, lead, level_name(levels, firing["score"]), row, now)
        deliveries += messages.deliveries(payload, trigger, row["received_at"])
    if deliveries:
        await outbox.enqueue(connection, unit_id, deliveries, now)
    return bool(deliveries)


def _firing(each: Possible, trigger: Mapping[str, Any]) -> dict[str, Any]:
    moment, once = each.moment, trigger.get("fire_mode") == "once" and each.kind != "milestone_exit"
    matched: dict[str, Any] = {}
    if isinstance(each.trigger, Match):
        names = trigger["event_types"] if each.kind == "sequence" else [c["event_type"] for c in trigger["conditions"]]
        matched = {"event_types": names, "counts": each.trigger.counts, "seqs": list(each.trigger.seqs)}
    return {
        "firing_id": new_id(_PREFIXES[each.kind]),
        "kind": each.kind,
        "trigger_id": each.trigger_id,
        "trigger_name": trigger["name"],
        "lead_id": moment.lead_id,
        "occasion": 0 if once else moment.seq,
        "seq": moment.seq,
        "event_id": moment.row["event_id"],
        "event_type": moment.row["event_type"],
        "occurred_at": moment.row["occurred_at"],
        "score": moment.after,
        "previous_score": moment.before,
        "score_threshold": each.trigger.threshold if isinstance(each.trigger, Milestone) else None,
        "matched": matched,
    }
