"""One batch of one unit: who the events belong to, what they score, and what must be written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from leadvibe.ids import new_id
from leadvibe.pipeline import accounts, fit
from leadvibe.pipeline.channels import channel_of
from leadvibe.pipeline.messages import EventRow
from leadvibe.pipeline.segments import SegmentWatch
from leadvibe.pipeline.surges import Surges
from leadvibe.pipeline.triggers import Firings
from leadvibe.scoring.engine import apply
from leadvibe.scoring.free_mail import company_domain
from leadvibe.scoring.model import Event, UnitConfig
from leadvibe.scoring.segments import SegmentPlan
from leadvibe.scoring.velocity import neighbours
from leadvibe.store import event_log, lead_state, queue
from leadvibe.store.event_log import DayCount
from leadvibe.store.fit_state import PROFILE
from leadvibe.store.lead_state import AliasKey, BatchLead
from leadvibe.store.queue import AnyConnection

Row = EventRow
Name = TypeVar("Name", bound=str | None)


@dataclass(slots=True)
class People:
    """The leads and aliases that a batch names, as they are known so far."""

    leads: dict[str, BatchLead]
    merged: dict[str, str]
    aliases: dict[AliasKey, str]
    new_aliases: dict[AliasKey, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    async def load(cls, connection: AnyConnection, unit_id: str, rows: Sequence[Row]) -> People:
        keys = {(kind, normal) for row in rows for kind, _, normal in row["aliases"]}
        aliases = await lead_state.load_aliases(connection, unit_id, keys) if keys else {}
        lead_ids = {row["lead_id"] for row in rows if row["lead_id"] is not None} | set(aliases.values())
        leads, merged = await lead_state.load_leads(connection, unit_id, lead_ids)
        return cls(leads, merged, aliases)

    def lead_of(self, row: Row) -> BatchLead:
        """`lead_id` decides, else the first alias that is known, else it is a new lead."""
        lead_id = row["lead_id"]
        if lead_id is None:
            known = (self.aliases.get((kind, normal)) for kind, _, normal in row["aliases"])
            lead_id = next((found for found in known if found is not None), None) or new_id("ld")
        while lead_id in self.merged:
            lead_id = self.merged[lead_id]
        return self.leads.get(lead_id) or BatchLead(lead_id, stored=False)

    def attach(self, row: Row, lead: BatchLead) -> None:
        """The lead now exists, and has the event's aliases as far as they are free."""
        self.leads[lead.lead_id] = lead
        lead.changed = True
        for kind, raw, normal in row["aliases"]:
            if (kind, normal) not in self.aliases:
                self.aliases[kind, normal] = lead.lead_id
                self.new_aliases[kind, normal] = raw, lead.lead_id

    def new_domains(self) -> dict[str, str]:
        """The company that a lead's first new e-mail address tells: lead → domain."""
        domains: dict[str, str] = {}
        for (kind, normal), (_, lead_id) in self.new_aliases.items():
            if kind == "email" and (domain := company_domain(normal)):
                domains.setdefault(lead_id, domain)
        return domains

    def spans(
        self, rows: Iterable[Row], names_of: Callable[[str], Iterable[Name]]
    ) -> dict[tuple[str, Name], tuple[datetime, datetime]]:
        """The first and last time of the events of each stored lead, for each name that `names_of` gives their
        type."""
        spans: dict[tuple[str, Name], tuple[datetime, datetime]] = {}
        # An alias may become a stored lead's with one event of the batch and name that lead in a later one.
        known = replace(self, aliases=dict(self.aliases))
        for row in rows:
            lead = known.lead_of(row)
            if not lead.stored:
                continue
            for kind, _, normal in row["aliases"]:
                known.aliases.setdefault((kind, normal), lead.lead_id)
            for name in names_of(row["event_type"]):
                pair, at = (lead.lead_id, name), row["occurred_at"]
                first, last = spans.get(pair, (at, at))
                spans[pair] = min(first, at), max(last, at)
        return spans


async def load_history(
    connection: AnyConnection, unit_id: str, config: UnitConfig, rows: Sequence[Row], people: People
) -> None:
    """Gives the leads of filtered events the part of their past that the filters look at."""
    spans = people.spans(rows, lambda event_type: (event_type,) if event_type in config.filters else ())
    near = {event_type: neighbours(filters) for event_type, filters in config.filters.items()}
    history = await lead_state.load_history(connection, unit_id, spans, near)
    for (lead_id, event_type), past in history.items():
        people.leads[lead_id].state.history[event_type] = past


@dataclass(slots=True)
class Aftermath:
    """What a batch leaves to be written, beside its events and the people it changed: how many events of
    which day, type and channel it has, how many leads are new, what of its events is to be mapped to
    properties (lead → metadata in order) or tells of accounts ((lead, metadata) in order), and which earlier
    events no longer count (seq → time). `told`: whether messages of firings wait for their delivery."""

    counts: Counter[DayCount] = field(default_factory=Counter)
    new_leads: int = 0
    heard: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    of_accounts: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    taken_back: dict[int, datetime] = field(default_factory=dict)
    told: bool = False

    @property
    def event_types(self) -> set[str]:
        return {event_type for _, event_type, _ in self.counts}


def score(
    unit_id: str,
    config: UnitConfig,
    rows: Iterable[Row],
    people: People,
    aftermath: Aftermath,
    last_seq: int,
    now: datetime,
    surges: Surges | None = None,
    firings: Firings | None = None,
    segments: SegmentWatch | None = None,
) -> Iterator[tuple[Any, ...]]:
    """Scores the events in their order and yields each as its row of the log, numbered from
    `last_seq` + 1 on. Pure but for new ids."""
    sources = frozenset(each.source for each in config.profile.mappings)
    of_accounts = accounts.telling_keys(config.account)
    for seq, row in enumerate(rows, last_seq + 1):
        event_type, occurred_at, metadata = row["event_type"], row["occurred_at"], row["metadata"]
        lead = people.lead_of(row)
        event = Event(seq, event_type, occurred_at)
        outcome = reason, observed, contributions, taken_back = apply(config, lead.state, event)
        # A suppressed event brings no lead into being.
        if lead.stored or reason is None:
            people.attach(row, lead)
            aftermath.new_leads += not lead.stored
            lead.stored = True
        for past in taken_back:
            aftermath.taken_back[past.seq] = past.at
        if sources and reason is None and not observed and not sources.isdisjoint(metadata):
            aftermath.heard.setdefault(lead.lead_id, []).append(metadata)
        if of_accounts and reason is None and not observed and not of_accounts.isdisjoint(metadata):
            aftermath.of_accounts.append((lead.lead_id, metadata))
        channel = channel_of(event_type, metadata)
        if surges is not None and lead.stored:
            surges.see(lead.lead_id, lead.state, event, outcome, row, channel)
        if firings is not None and lead.stored:
            firings.see(lead.lead_id, lead.state, event, outcome, row)
        if segments is not None and lead.stored and reason is None:
            segments.see(lead.lead_id, event_type, metadata)
        aftermath.counts[occurred_at.date(), event_type, channel] += 1
        yield (
            unit_id,
            occurred_at,
            seq,
            row["event_id"],
            lead.lead_id if lead.stored else None,
            event_type,
            channel,
            metadata,
            reason,
            observed,
            event_log.stored_scores(contributions),
            row["received_at"],
            now,
        )


async def score_and_save(
    connection: AnyConnection,
    unit_id: str,
    config: UnitConfig,
    rows: Sequence[Row],
    people: People,
    last_seq: int,
    now: datetime,
    surges: Surges | None = None,
    firings: Firings | None = None,
    segments: SegmentWatch | None = None,
) -> Aftermath:
    """Scores while the database already takes in the first of the rows; then writes what follows from it."""
    aftermath = Aftermath()
    scored = score(unit_id, config, rows, people, aftermath, last_seq, now, surges, firings, segments)
    await event_log.append(connection, scored)
    changed = [lead for lead in people.leads.values() if lead.changed]
    await lead_state.save_leads(connection, unit_id, changed, config.primary_ruleset_id, now)
    await event_log.count_events(connection, unit_id, aftermath.counts)
    if aftermath.heard:
        await fit.take_in(connection, PROFILE, unit_id, config.profile, aftermath.heard, now)
    if people.new_aliases:
        await lead_state.save_aliases(connection, unit_id, people.new_aliases, now)
    if config.account is not None:
        domains = people.new_domains()
        if aftermath.of_accounts or domains:
            await accounts.take_in(connection, unit_id, config.account, aftermath.of_accounts, domains, now)
    if surges is not None:
        aftermath.told |= await surges.save(connection, unit_id, now)
    if firings is not None:
        aftermath.told |= await firings.save(connection, unit_id, now)
    if aftermath.taken_back:
        taken = [(at, seq) for seq, at in aftermath.taken_back.items()]
        await event_log.mark_taken_back(connection, unit_id, taken)
    if segments is not None:
        await segments.save(connection, unit_id, people, aftermath, now)
    return aftermath


async def process(
    connection: AnyConnection,
    unit_id: str,
    config: UnitConfig,
    plan: SegmentPlan,
    rows: Sequence[Row],
    last_seq: int,
    now: datetime,
) -> Aftermath:
    """Scores events as the next ones of a unit's log, and moves its lane on, in the transaction that holds it."""
    people = await People.load(connection, unit_id, rows)
    if config.filters:
        await load_history(connection, unit_id, config, rows, people)
    surges = await Surges.load(connection, unit_id, config, rows, people) if config.surge_triggers else None
    firings = Firings(config, last_seq) if config.triggers else None
    segments = SegmentWatch(plan, config, people) if plan else None
    aftermath = await score_and_save(
        connection, unit_id, config, rows, people, last_seq, now, surges, firings, segments
    )
    await queue.advance_lane(connection, unit_id, last_seq + len(rows), aftermath.new_leads)
    return aftermath
