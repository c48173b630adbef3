"""What firing reads and writes, for all leads of a batch at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import repeat
from typing import Any, NamedTuple

from leadvibe.scoring.event_names import normal_name
from leadvibe.scoring.levels import level_name
from leadvibe.scoring.model import DECAY, Level
from leadvibe.scoring.trigger_index import Triggers
from leadvibe.scoring.triggers import Seen
from leadvibe.store.queue import AnyConnection

LeadAndTrigger = tuple[str, str]

# Of a lead's past so many of the newest events are looked at, and of its firings of a trigger.
_MOST_EVENTS = 1_000
_MOST_FIRINGS = 1_000
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


async def types_named(connection: AnyConnection, unit_id: str, names: Collection[str]) -> list[str]:
    """The unit's event types whose normal names these are."""
    rows = await connection.fetch("SELECT name FROM event_types WHERE unit_id = $1", unit_id)
    return [row["name"] for row in rows if row["name"] != DECAY and normal_name(row["name"]) in names]


class Past(NamedTuple):
    """Events of a lead's past, column by column: most leads have too few of them for anyone to look at one.
    `metadata` is read where triggers look at it."""

    types: Sequence[str] = ()
    times: Sequence[datetime] = ()
    seqs: Sequence[int] = ()
    metadata: Sequence[Mapping[str, Any] | None] | None = None

    def counts(self) -> dict[str, int]:
        """How many events of each name."""
        counts: dict[str, int] = {}
        for event_type, count in Counter(self.types).items():
            name = normal_name(event_type)
            counts[name] = counts.get(name, 0) + count
        return counts

    def times_of(self, names: Collection[str]) -> dict[str, list[datetime]]:
        """When the events of each of these names were, in their order."""
        found: dict[str, list[datetime]] = {}
        lists = {each: found.setdefault(name, []) for each in {*self.types} if (name := normal_name(each)) in names}
        for event_type, at in zip(self.types, self.times, strict=True):
            if (times := lists.get(event_type)) is not None:
                times.append(at)
        for times in found.values():
            times.sort()
        return found

    def seen(self, names: Collection[str]) -> list[Seen]:
        """The events of these names."""
        metadata = self.metadata or repeat(None)
        return [
            Seen(at, seq, name, about or {})
            for event_type, at, seq, about in zip(self.types, self.times, self.seqs, metadata, strict=False)
            if (name := normal_name(event_type)) in names
        ]


async def load_past(
    connection: AnyConnection,
    unit_id: str,
    triggers: Triggers,
    spans: Mapping[str, tuple[datetime, datetime]],
    up_to_seq: int,
) -> dict[str, Past]:
    """The counted events, up to `up_to_seq`, that matter to sequences and patterns: lead → events, inside the
    span of its own and as far before it as triggers reach, at most the newest 1,000.

    Position and type stand in expressions, so that no index but that of leads fits: statistics that are a minute old
    make another one look as good, which is then read through for each lead.
    """
    types = await types_named(connection, unit_id, triggers.reach)
    filtered = [each for each in types if normal_name(each) in triggers.filtered]
    reaches = [reach for reach in triggers.reach.values() if reach is not None]
    longest = max(reaches) if len(reaches) == len(triggers.reach) else None
    metadata = "jsonb_agg(CASE WHEN event_type = ANY($7::text[]) THEN metadata END)" if filtered else "NULL::jsonb"
    rows = await connection.fetch(
        f"""
        SELECT t.lead_id, e.*
        FROM unnest($2::text[], $3::timestamptz[], $4::timestamptz[]) AS t (lead_id, since, upto)
        CROSS JOIN LATERAL (
            SELECT array_agg(event_type) AS types, array_agg(occurred_at) AS times, array_agg(seq) AS seqs, {metadata}
            FROM (
                SELECT occurred_at, seq, event_type, metadata FROM engagement_events
                WHERE unit_id = $1 AND lead_id = t.lead_id AND occurred_at >= t.since AND occurred_at <= t.upto
                  AND seq + 0 <= $5 AND (event_type || '') = ANY($6::text[])
                  AND NOT observed AND suppression_reason IS NULL
                ORDER BY occurred_at DESC, seq DESC LIMIT {_MOST_EVENTS}
            ) newest
        ) e
        WHERE e.types IS NOT NULL
        """,  # noqa: S608  (constants)
        unit_id,
        list(spans),
        [_LONG_AGO if longest is None else first - longest for first, _ in spans.values()],
        [last for _, last in spans.values()],
        up_to_seq,
        types,
        *([filtered] if filtered else []),
    )
    return {lead_id: Past(*columns) for lead_id, *columns in rows}


@dataclass(slots=True)
class Fired:
    """What a trigger has done for a lead: when it last fired (event time), whether it is a milestone that the
    lead has not left since, and which events (seqs) its completions consumed."""

    last_at: datetime | None = None
    inside: bool = False
    used: set[int] = field(default_factory=set)


async def load_fired(
    connection: AnyConnection, unit_id: str, pairs: Collection[LeadAndTrigger]
) -> dict[LeadAndTrigger, Fired]:
    """The firings of each pair, those of leads that were merged into it included: they are the same person.

    The pairs are compared so that no index but that of leads and triggers fits: by statistics that are a minute old
    that of triggers looks as good, and all firings of a trigger are then read for each lead. The unit is hidden from
    the planner, which takes one that the statistics have not met to have no firings: then any index looks as good.
    """
    leads = sorted({lead_id for lead_id, _ in pairs})
    merged: dict[str, list[str]] = {}
    for row in await connection.fetch(
        "SELECT lead_id, merged_into FROM leads WHERE unit_id = $1 AND merged_into = ANY($2::text[])", unit_id, leads
    ):
        merged.setdefault(row["merged_into"], []).append(row["lead_id"])
    asked = [(lead_id, own, trigger_id) for lead_id, trigger_id in pairs for own in (lead_id, *merged.get(lead_id, ()))]
    rows = await connection.fetch(
        f"""
        SELECT p.lead_id, p.trigger_id, f.kind, f.occurred_at, f.seqs
        FROM unnest($2::text[], $3::text[], $4::text[]) AS p (lead_id, own_id, trigger_id) CROSS JOIN LATERAL (
            SELECT kind, occurred_at, seq, matched -> 'seqs' AS seqs FROM trigger_firings
            WHERE unit_id = (SELECT $1) AND (lead_id, trigger_id) >= (p.own_id, p.trigger_id)
              AND (lead_id, trigger_id) <= (p.own_id, p.trigger_id)
            ORDER BY seq + 0 DESC LIMIT {_MOST_FIRINGS}  -- an index by seq would be read far beyond the lead
        ) f
        ORDER BY f.seq
        """,  # noqa: S608  (a constant)
        unit_id,
        [lead_id for lead_id, _, _ in asked],
        [own for _, own, _ in asked],
        [trigger_id for _, _, trigger_id in asked],
    )
    fired = {pair: Fired() for pair in pairs}
    for lead_id, trigger_id, kind, at, seqs in rows:
        known = fired[lead_id, trigger_id]
        known.inside = kind == "milestone"
        known.used.update(seqs or ())
        if kind != "milestone_exit":
            known.last_at = at
    return fired


@dataclass(frozen=True, slots=True)
class LeadFacts:
    """A lead as filters and messages see it. `aliases`: {alias_kind, raw_value} each."""

    lead_id: str
    metadata: dict[str, Any]
    owner_name: str | None
    profile_level: str | None
    account_level: str | None
    aliases: list[dict[str, str]]


async def load_levels(connection: AnyConnection, unit_id: str, surface: str, key: str) -> list[Level]:
    """The levels of a surface: engagement (whose key is stage_id), profile or account (level_id)."""
    query = f"SELECT {key}, name, min_score, max_score FROM {surface}_levels WHERE unit_id = $1 ORDER BY min_score"  # noqa: S608
    return [Level(*row) for row in await connection.fetch(query, unit_id)]


async def load_facts(connection: AnyConnection, unit_id: str, lead_ids: Collection[str]) -> dict[str, LeadFacts]:
    """The leads with their levels of fit and their aliases."""
    profile = await load_levels(connection, unit_id, "profile", "level_id")
    account = await load_levels(connection, unit_id, "account", "level_id")
    wanted = sorted(lead_ids)
    aliases: dict[str, list[dict[str, str]]] = {}
    for row in await connection.fetch(
        """
        SELECT lead_id, alias_kind, raw_value FROM lead_aliases WHERE unit_id = $1 AND lead_id = ANY($2::text[])
        ORDER BY lead_id, alias_kind, normal_value
        """,
        unit_id,
        wanted,
    ):
        known = {"alias_kind": row["alias_kind"], "raw_value": row["raw_value"]}
        aliases.setdefault(row["lead_id"], []).append(known)
    rows = await connection.fetch(
        """
        SELECT l.lead_id, l.metadata, l.owner_name, l.profile_score, a.account_score
        FROM leads l LEFT JOIN accounts a ON a.unit_id = $1 AND a.account_id = l.account_id
        WHERE l.unit_id = $1 AND l.lead_id = ANY($2::text[])
        """,
        unit_id,
        wanted,
    )
    return {
        lead_id: LeadFacts(
            lead_id,
            metadata,
            owner_name,
            level_name(profile, profile_score),
            None if account_score is None else level_name(account, account_score),
            aliases.get(lead_id, []),
        )
        for lead_id, metadata, owner_name, profile_score, account_score in rows
    }


TABLE_OF = {
    "milestone": "milestone_triggers",
    "milestone_exit": "milestone_triggers",
    "sequence": "sequence_triggers",
    "pattern": "pattern_triggers",
    "surge": "surge_triggers",
}


async def load_triggers(
    connection: AnyConnection, unit_id: str, wanted: Mapping[str, Collection[str]]
) -> dict[str, dict[str, Any]]:
    """The rows of triggers: table → ids, to id → row."""
    rows: dict[str, dict[str, Any]] = {}
    for table, trigger_ids in wanted.items():
        query = f"SELECT * FROM {table} WHERE unit_id = $1 AND trigger_id = ANY($2::text[])"  # noqa: S608
        for row in await connection.fetch(query, unit_id, sorted(trigger_ids)):
            rows[row["trigger_id"]] = dict(row)
    return rows


_COLUMNS = {
    "firing_id": "text",
    "kind": "text",
    "trigger_id": "text",
    "trigger_name": "text",
    "lead_id": "text",
    "occasion": "bigint",
    "seq": "bigint",
    "event_id": "text",
    "event_type": "text",
    "occurred_at": "timestamptz",
    "score": "bigint",
    "previous_score": "bigint",
    "score_threshold": "bigint",
    "matched": "jsonb",
}


async def save(
    connection: AnyConnection, unit_id: str, firings: Sequence[Mapping[str, Any]], now: datetime
) -> set[str]:
    """Writes firings (column → value); the ids of those that are new. One that the lead and trigger had on this
    occasion already is left out."""
    names = ", ".join(_COLUMNS)
    arrays = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(_COLUMNS.values(), 3))
    rows = await connection.fetch(
        f"""
        INSERT INTO trigger_firings AS f (unit_id, fired_at, {names})
        SELECT $1, $2, {", ".join(f"t.{name}" for name in _COLUMNS)} FROM unnest({arrays}) AS t ({names})
        ON CONFLICT (unit_id, lead_id, trigger_id, kind, occasion) DO NOTHING
        RETURNING f.firing_id
        """,  # noqa: S608  (constants only)
        unit_id,
        now,
        *([firing[name] for firing in firings] for name in _COLUMNS),
    )
    return {row["firing_id"] for row in rows}
