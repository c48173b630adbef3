"""Lead state for the worker: set-based reads before a batch, set-based writes after it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from leadvibe.ids import new_id
from leadvibe.scoring.model import LeadState, Past
from leadvibe.store.grams import fold, grams
from leadvibe.store.queue import AnyConnection

# A chain of merges is followed this far; each step is one query for all leads of a batch.
_LONGEST_MERGE_CHAIN = 32

AliasKey = tuple[str, str]  # kind, normal value


@dataclass(slots=True)
class BatchLead:
    """A lead that a batch touches. `stored` is false for one that the batch may bring into being."""

    lead_id: str
    state: LeadState = field(default_factory=LeadState)
    stored: bool = True
    changed: bool = False


async def load_aliases(connection: AnyConnection, unit_id: str, keys: Collection[AliasKey]) -> dict[AliasKey, str]:
    """The lead of each alias that is known."""
    rows = await connection.fetch(
        """
        SELECT a.alias_kind, a.normal_value, a.lead_id
        FROM unnest($2::text[], $3::text[]) AS t (kind, value)
        JOIN lead_aliases a ON a.unit_id = $1 AND a.alias_kind = t.kind AND a.normal_value = t.value
        """,
        unit_id,
        [kind for kind, _ in keys],
        [value for _, value in keys],
    )
    return {(row["alias_kind"], row["normal_value"]): row["lead_id"] for row in rows}


async def load_leads(
    connection: AnyConnection, unit_id: str, lead_ids: Collection[str]
) -> tuple[dict[str, BatchLead], dict[str, str]]:
    """The leads that exist, and for those that were merged away, into which (id → next id)."""
    leads: dict[str, BatchLead] = {}
    merged: dict[str, str] = {}
    wanted = set(lead_ids)
    # One by one: before the table is analysed, the planner would take any index that begins with the
    # unit and read all its leads.
    for _ in range(_LONGEST_MERGE_CHAIN):
        if not wanted:
            break
        rows = await connection.fetch(
            """
            SELECT l.* FROM unnest($2::text[]) AS t (lead_id) CROSS JOIN LATERAL (
                SELECT lead_id, merged_into, scores, session_count, session_at, last_event_at, last_event_type
                FROM leads WHERE unit_id = $1 AND lead_id = t.lead_id LIMIT 1
            ) l
            """,
            unit_id,
            list(wanted),
        )
        for row in rows:
            lead_id, merged_into, *state = row
            if merged_into is None:
                leads[lead_id] = BatchLead(lead_id, LeadState(*state))
            else:
                merged[lead_id] = merged_into
        wanted = {target for target in merged.values() if target not in leads and target not in merged}
    return leads, merged


async def load_history(
    connection: AnyConnection,
    unit_id: str,
    spans: Mapping[tuple[str, str], tuple[datetime, datetime]],
    neighbours: Mapping[str, int],
) -> dict[tuple[str, str], list[Past]]:
    """The counted events near the batch's, by (lead, type), sorted by (time, seq).

    For each pair: all inside the batch's span of time, and on either side the nearest `neighbours` of
    the type. What lies further away changes no verdict: a window that holds more than the threshold
    holds it among the nearest, and of a run that is longer than the threshold only the first event
    still scores, which the filter has seen already. (tests/scoring/test_neighbours.py)

    The type stands in an expression, so that its index does not fit (see `trigger_state.load_past`).
    """
    if not spans:
        return {}
    rows = await connection.fetch(
        """
        WITH pair AS (
            SELECT * FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::bigint[])
                AS t (lead_id, event_type, first_at, last_at, near)
        )
        SELECT p.lead_id, p.event_type, e.occurred_at, e.seq, e.suppression_reason, e.scores
        FROM pair p CROSS JOIN LATERAL (
            (SELECT occurred_at, seq, suppression_reason, scores FROM engagement_events
             WHERE unit_id = $1 AND lead_id = p.lead_id AND (event_type || '') = p.event_type
               AND NOT observed AND suppression_reason IS DISTINCT FROM 'metadata_filter'
               AND occurred_at < p.first_at ORDER BY occurred_at DESC, seq DESC LIMIT p.near)
            UNION ALL
            (SELECT occurred_at, seq, suppression_reason, scores FROM engagement_events
             WHERE unit_id = $1 AND lead_id = p.lead_id AND (event_type || '') = p.event_type
               AND NOT observed AND suppression_reason IS DISTINCT FROM 'metadata_filter'
               AND occurred_at BETWEEN p.first_at AND p.last_at)
            UNION ALL
            (SELECT occurred_at, seq, suppression_reason, scores FROM engagement_events
             WHERE unit_id = $1 AND lead_id = p.lead_id AND (event_type || '') = p.event_type
               AND NOT observed AND suppression_reason IS DISTINCT FROM 'metadata_filter'
               AND occurred_at > p.last_at ORDER BY occurred_at, seq LIMIT p.near)
        ) e
        """,
        unit_id,
        [lead_id for lead_id, _ in spans],
        [event_type for _, event_type in spans],
        [first for first, _ in spans.values()],
        [last for _, last in spans.values()],
        [neighbours[event_type] for _, event_type in spans],
    )
    history: dict[tuple[str, str], list[Past]] = {pair: [] for pair in spans}
    for row in rows:
        past = Past(row["occurred_at"], row["seq"])
        if row["suppression_reason"] is None:
            deltas = {ruleset_id: earned(entry) for ruleset_id, entry in (row["scores"] or {}).items()}
            past.deltas = {ruleset_id: delta for ruleset_id, delta in deltas.items() if delta}
        history[row["lead_id"], row["event_type"]].append(past)
    for events in history.values():
        events.sort(key=lambda past: (past.at, past.seq))
    return history


def earned(entry: Sequence[int]) -> int:
    """What an event itself gave to a score: the delta, unless a take-back made the two differ."""
    return entry[5] if len(entry) > 5 else entry[0]


async def save_leads(
    connection: AnyConnection, unit_id: str, leads: Iterable[BatchLead], primary: str | None, now: datetime
) -> None:
    """Creates and updates leads; only what scoring owns is written to those that exist."""
    rows = [
        (
            lead.lead_id,
            lead.state.scores.get(primary, 0) if primary else 0,
            lead.state.scores,
            lead.state.session_count,
            lead.state.session_at,
            lead.state.last_event_at,
            lead.state.last_event_type,
        )
        for lead in leads
    ]
    columns = zip(*sorted(rows), strict=True) if rows else [()] * 7
    await connection.execute(
        """
        INSERT INTO leads AS l (unit_id, lead_id, score, scores, session_count, session_at, last_event_at,
                                last_event_type, metadata, created_at, updated_at)
        SELECT $1, t.lead_id, t.score, t.scores, t.session_count, t.session_at, t.last_event_at,
               t.last_event_type, '{}', $9, $9
        FROM unnest($2::text[], $3::bigint[], $4::jsonb[], $5::int[], $6::timestamptz[], $7::timestamptz[],
                    $8::text[])
             AS t (lead_id, score, scores, session_count, session_at, last_event_at, last_event_type)
        ON CONFLICT (unit_id, lead_id) DO UPDATE SET
            score = excluded.score, scores = excluded.scores, session_count = excluded.session_count,
            session_at = excluded.session_at, last_event_at = excluded.last_event_at,
            last_event_type = excluded.last_event_type, updated_at = excluded.updated_at
        """,
        unit_id,
        *map(list, columns),
        now,
    )


async def save_aliases(
    connection: AnyConnection, unit_id: str, aliases: Mapping[AliasKey, tuple[str, str]], now: datetime
) -> None:
    """New aliases: (kind, normal value) → (raw value, lead)."""
    keys = sorted(aliases)
    folded = [fold(aliases[key][0]) for key in keys]
    await connection.execute(
        """
        INSERT INTO lead_aliases AS a (unit_id, alias_kind, normal_value, raw_value, alias_id, lead_id, created_at,
                                       folded, grams)
        SELECT $1, t.kind, t.value, t.raw, t.alias_id, t.lead_id, $7,
               t.folded, ARRAY(SELECT jsonb_array_elements_text(t.grams -> 'all'))
        FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $8::text[], $9::jsonb[])
             AS t (kind, value, raw, alias_id, lead_id, folded, grams)
        ON CONFLICT (unit_id, alias_kind, normal_value) DO NOTHING
        """,
        unit_id,
        [kind for kind, _ in keys],
        [value for _, value in keys],
        [aliases[key][0] for key in keys],
        [new_id("al") for _ in keys],
        [aliases[key][1] for key in keys],
        now,
        folded,
        [{"all": grams(unit_id, text)} for text in folded],  # a bare list would become a dimension
    )
