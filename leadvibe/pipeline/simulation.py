"""Simulating a trigger against history: the same pure functions as live, which send and record nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from asyncpg import Record

from leadvibe.scoring.event_names import normal_name
from leadvibe.scoring.levels import level_name
from leadvibe.scoring.trigger_index import Triggers
from leadvibe.scoring.trigger_walk import Arrival, walk
from leadvibe.scoring.triggers import Gate, Seen
from leadvibe.store import trigger_config, trigger_state
from leadvibe.store.database import Database
from leadvibe.store.queue import AnyConnection

_MOST_LEADS_TOLD = 100
_ROWS_AT_ONCE = 2_000
_LEADS_AT_ONCE = 500

_EVENTS = """
    SELECT lead_id, occurred_at, seq, event_type, metadata, scores -> $4 AS score FROM engagement_events
    WHERE unit_id = $1 AND occurred_at >= $2 AND lead_id IS NOT NULL AND ($3::text IS NULL OR lead_id = $3)
      AND ($5::text[] IS NULL OR event_type = ANY($5)) AND NOT observed AND suppression_reason IS NULL
      AND event_type <> 'DECAY'
    ORDER BY lead_id, seq
"""


@dataclass(slots=True)
class Simulation:
    """How many leads a trigger would have fired for, and the first 100 of them."""

    total_matches: int = 0
    matched_leads: list[str] = field(default_factory=list)


async def simulate(
    database: Database, unit_id: str, table: str, trigger_id: str, lead_id: str | None, since: datetime
) -> Simulation | None:
    """The leads for which the trigger, active or not, would have fired by events from `since` on; None: there is
    no such trigger. Once and cooldown do not count; filters look at the leads as they are. The log is read as a
    stream, of which one lead's events are held."""
    found = Simulation()
    async with (
        database.pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        triggers = await trigger_config.load_one(connection, unit_id, table, trigger_id)
        if not triggers:
            return None
        primary = await connection.fetchval(
            "SELECT ruleset_id FROM rulesets WHERE unit_id = $1 AND is_primary ORDER BY ruleset_id LIMIT 1", unit_id
        )
        types = await trigger_state.types_named(connection, unit_id, triggers.reach) if triggers.reach else None
        waiting: list[tuple[str, list[int]]] = []
        async for of_lead, rows in _by_lead(connection, unit_id, since, lead_id, primary or "", types):
            if scores := _scores(triggers, rows):
                waiting.append((of_lead, scores))
            if len(waiting) == _LEADS_AT_ONCE:
                await _count(connection, unit_id, triggers, waiting, found)
                waiting = []
        await _count(connection, unit_id, triggers, waiting, found)
    return found


async def _by_lead(connection: AnyConnection, *arguments: Any) -> AsyncIterator[tuple[str, list[Record]]]:
    unit_id, since, lead_id, primary, types = arguments
    rows: list[Record] = []
    async for row in connection.cursor(_EVENTS, unit_id, since, lead_id, primary, types, prefetch=_ROWS_AT_ONCE):
        if rows and rows[-1]["lead_id"] != row["lead_id"]:
            yield rows[-1]["lead_id"], rows
            rows = []
        rows.append(row)
    if rows:
        yield rows[-1]["lead_id"], rows


def _scores(triggers: Triggers, rows: list[Record]) -> list[int]:
    """The lead's scores at the moments when the trigger would fire, filters aside."""
    return list(islice(_firing_scores(triggers, rows), _ROWS_AT_ONCE))


def _firing_scores(triggers: Triggers, rows: list[Record]) -> Iterator[int]:
    scores: dict[int, int] = {}
    score = 0
    for row in rows:
        entry = row["score"]
        score = scores[row["seq"]] = entry[2] if entry else score
        if entry and any(triggers.reached(normal_name(row["event_type"]), entry[1], entry[2])):
            yield score
    if triggers.watchers:
        arrivals = (
            Arrival(Seen(r["occurred_at"], r["seq"], normal_name(r["event_type"]), r["metadata"])) for r in rows
        )
        for match in walk(triggers, (), arrivals):
            yield scores[match.event.seq]


async def _count(
    connection: AnyConnection,
    unit_id: str,
    triggers: Triggers,
    leads: list[tuple[str, list[int]]],
    found: Simulation,
) -> None:
    (gate,) = [each.gate for each in (*triggers.milestones, *triggers.watchers)]
    passing = await _passing(connection, unit_id, gate, leads) if gate.filters else [lead_id for lead_id, _ in leads]
    found.total_matches += len(passing)
    found.matched_leads += passing[: _MOST_LEADS_TOLD - len(found.matched_leads)]


async def _passing(
    connection: AnyConnection, unit_id: str, gate: Gate, leads: list[tuple[str, list[int]]]
) -> list[str]:
    facts = await trigger_state.load_facts(connection, unit_id, [lead_id for lead_id, _ in leads])
    levels = await trigger_state.load_levels(connection, unit_id, "engagement", "stage_id")
    passing = []
    for lead_id, scores in leads:
        lead = facts.get(lead_id)
        if lead is None:
            continue
        fit = {"profile_level": lead.profile_level, "account_level": lead.account_level}
        names = {level_name(levels, score) for score in scores}
        if any(gate.passes({"engagement_level": name, **fit}, lead.metadata) for name in names):
            passing.append(lead_id)
    return passing
