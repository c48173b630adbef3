"""Who belongs to which segment, read and written for many leads at once. The caller holds the unit's lane."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from leadvibe.scoring.segments import Condition, Person, SegmentPlan
from leadvibe.store import segment_config
from leadvibe.store.fit_state import ACCOUNT, Surface
from leadvibe.store.queue import AnyConnection
from leadvibe.store.segment_sql import Compiler

Fact = tuple[str, str]  # lead, rule


class Known(NamedTuple):
    """A lead, and the segments that it is kept as a member of."""

    person: Person
    segments: frozenset[str]


class Change(NamedTuple):
    """A lead enters a segment, or leaves it."""

    segment_id: str
    lead_id: str
    entered: bool


async def load(connection: AnyConnection, unit_id: str, lead_ids: Collection[str]) -> dict[str, Known]:
    """The leads that lists show; one that is not there, was merged away or is being deleted is missing."""
    rows = await connection.fetch(
        """
        SELECT l.lead_id, l.metadata, l.score, l.profile_score, a.metadata AS account, a.account_score,
               ARRAY(SELECT f.rule_id FROM segment_facts f WHERE f.unit_id = $1 AND f.lead_id = l.lead_id) AS facts,
               ARRAY(SELECT m.segment_id FROM segment_members m
                     WHERE m.unit_id = $1 AND m.lead_id = l.lead_id) AS segments
        FROM unnest($2::text[]) AS t (lead_id)
        CROSS JOIN LATERAL (
            SELECT lead_id, metadata, score, profile_score, account_id FROM leads
            WHERE unit_id = $1 AND lead_id = t.lead_id AND merged_into IS NULL AND NOT deleting LIMIT 1
        ) l
        LEFT JOIN LATERAL (
            SELECT metadata, account_score FROM accounts WHERE unit_id = $1 AND account_id = l.account_id LIMIT 1
        ) a ON true
        """,
        unit_id,
        sorted(lead_ids),
    )
    return {
        lead_id: Known(
            Person(metadata, score, profile_score, account, account_score, frozenset(facts)), frozenset(segments)
        )
        for lead_id, metadata, score, profile_score, account, account_score, facts, segments in rows
    }


async def apply(connection: AnyConnection, unit_id: str, changes: Collection[Change], now: datetime) -> None:
    """Writes members, and notes that they entered or left. A change that is there already is none: a lead that was
    deleted and has come anew may still be kept as a member."""
    if not changes:
        return
    ordered = sorted(changes)
    entered = [each for each in ordered if each.entered]
    left = [each for each in ordered if not each.entered]
    inserted = await connection.fetch(
        """
        INSERT INTO segment_members AS m (unit_id, segment_id, lead_id, entered_at)
        SELECT $1, t.segment_id, t.lead_id, $4 FROM unnest($2::text[], $3::text[]) AS t (segment_id, lead_id)
        ON CONFLICT (unit_id, segment_id, lead_id) DO NOTHING
        RETURNING m.segment_id, m.lead_id, true AS entered
        """,
        unit_id,
        [each.segment_id for each in entered],
        [each.lead_id for each in entered],
        now,
    )
    removed = await connection.fetch(
        """
        DELETE FROM segment_members m USING unnest($2::text[], $3::text[]) AS t (segment_id, lead_id)
        WHERE m.unit_id = $1 AND m.segment_id = t.segment_id AND m.lead_id = t.lead_id
        RETURNING m.segment_id, m.lead_id, false AS entered
        """,
        unit_id,
        [each.segment_id for each in left],
        [each.lead_id for each in left],
    )
    last = await connection.fetchval(
        "SELECT seq FROM segment_changes WHERE unit_id = $1 ORDER BY seq DESC LIMIT 1", unit_id
    )
    await connection.copy_records_to_table(
        "segment_changes",
        columns=("unit_id", "seq", "segment_id", "lead_id", "entered", "changed_at"),
        records=[(unit_id, seq, *each, now) for seq, each in enumerate([*inserted, *removed], (last or 0) + 1)],
    )


async def new_facts(connection: AnyConnection, unit_id: str, seen: Mapping[str, set[str]]) -> list[Fact]:
    """Notes what was seen of leads' events (lead → rules); answers what was not known before: little of it, so that
    reading what is known of the leads costs less than the try to write all."""
    known = await connection.fetch(
        """
        SELECT t.lead_id, ARRAY(SELECT f.rule_id FROM segment_facts f WHERE f.unit_id = $1 AND f.lead_id = t.lead_id)
        FROM unnest($2::text[]) AS t (lead_id)
        """,
        unit_id,
        list(seen),
    )
    ordered = sorted((lead_id, rule_id) for lead_id, rules in known for rule_id in seen[lead_id].difference(rules))
    if not ordered:
        return []
    rows = await connection.fetch(
        """
        INSERT INTO segment_facts AS f (unit_id, lead_id, rule_id)
        SELECT $1, t.lead_id, t.rule_id FROM unnest($2::text[], $3::text[]) AS t (lead_id, rule_id)
        ON CONFLICT (unit_id, lead_id, rule_id) DO NOTHING
        RETURNING f.lead_id, f.rule_id
        """,
        unit_id,
        [lead_id for lead_id, _ in ordered],
        [rule_id for _, rule_id in ordered],
    )
    return [(lead_id, rule_id) for lead_id, rule_id in rows]


async def refresh_facts(
    connection: AnyConnection, unit_id: str, plan: SegmentPlan, rules: Sequence[Condition], lead_ids: Sequence[str]
) -> None:
    """Reads anew from the log which of these leads have an event that one of these rules looks for."""
    await connection.execute(
        "DELETE FROM segment_facts WHERE unit_id = $1 AND lead_id = ANY($2::text[]) AND rule_id = ANY($3::text[])",
        unit_id,
        lead_ids,
        [each.rule_id for each in rules],
    )
    if not rules:
        return
    names = await segment_config.type_names(connection, unit_id)
    values: list[Any] = [unit_id, lead_ids]

    def bind(value: Any) -> str:
        values.append(value)
        return f"${len(values)}::text{'[]' if isinstance(value, list) else ''}"

    compiler = Compiler(plan, names, unit_id, bind)
    cases = ", ".join(f"({bind(each.rule_id)}, {compiler.event(each)})" for each in rules)
    await connection.execute(
        f"""
        INSERT INTO segment_facts AS f (unit_id, lead_id, rule_id)
        SELECT DISTINCT $1, m.lead_id, r.rule_id
        FROM engagement_events m CROSS JOIN LATERAL (VALUES {cases}) AS r (rule_id, found)
        WHERE m.unit_id = $1 AND m.lead_id = ANY($2::text[]) AND r.found
        ON CONFLICT (unit_id, lead_id, rule_id) DO NOTHING
        """,
        *values,
    )


async def forget_hidden(connection: AnyConnection, unit_id: str, lead_ids: Collection[str]) -> list[Change]:
    """For leads that lists do not show any more: removes what is known of their events; what they leave."""
    gone = sorted(lead_ids)
    await connection.execute(
        "DELETE FROM segment_facts WHERE unit_id = $1 AND lead_id = ANY($2::text[])", unit_id, gone
    )
    rows = await connection.fetch(
        "SELECT segment_id, lead_id FROM segment_members WHERE unit_id = $1 AND lead_id = ANY($2::text[])",
        unit_id,
        gone,
    )
    return [Change(row["segment_id"], row["lead_id"], False) for row in rows]


async def touch(connection: AnyConnection, unit_id: str, lead_ids: Iterable[str]) -> None:
    """These leads changed outside the scoring of events: their segments are to be looked at again."""
    await connection.execute(
        """
        INSERT INTO segment_touched AS s (unit_id, lead_id)
        SELECT $1, t.lead_id FROM unnest($2::text[]) AS t (lead_id)
        WHERE EXISTS (SELECT FROM segments g WHERE g.unit_id = $1)
        ON CONFLICT (unit_id, lead_id) DO NOTHING
        """,
        unit_id,
        sorted(set(lead_ids)),
    )


async def touch_accounts(connection: AnyConnection, unit_id: str, account_ids: Iterable[str]) -> None:
    """The same for all leads of these accounts."""
    await connection.execute(
        """
        INSERT INTO segment_touched AS s (unit_id, lead_id)
        SELECT $1, l.lead_id FROM leads l
        WHERE l.unit_id = $1 AND l.account_id = ANY($2::text[])
          AND EXISTS (SELECT FROM segments g WHERE g.unit_id = $1)
        ON CONFLICT (unit_id, lead_id) DO NOTHING
        """,
        unit_id,
        sorted(set(account_ids)),
    )


async def touch_rows(connection: AnyConnection, unit_id: str, surface: Surface, row_ids: Iterable[str]) -> None:
    """The same for rows of a surface: leads, or accounts with all their leads."""
    await (touch_accounts if surface is ACCOUNT else touch)(connection, unit_id, row_ids)


async def touch_events(connection: AnyConnection, unit_id: str, events: Mapping[int, datetime]) -> None:
    """The same for the leads of these events (seq → time)."""
    await connection.execute(
        """
        INSERT INTO segment_touched AS s (unit_id, lead_id)
        SELECT DISTINCT $1, e.lead_id FROM unnest($2::bigint[], $3::timestamptz[]) AS t (seq, at)
        JOIN engagement_events e ON e.unit_id = $1 AND e.occurred_at = t.at AND e.seq = t.seq
        WHERE e.lead_id IS NOT NULL AND EXISTS (SELECT FROM segments g WHERE g.unit_id = $1)
        ON CONFLICT (unit_id, lead_id) DO NOTHING
        """,
        unit_id,
        list(events),
        list(events.values()),
    )


async def claim_touched(connection: AnyConnection, unit_id: str, most: int) -> list[str]:
    """Takes some of the touched leads off the list; up to an id, for the reason that `queue.claim` gives."""
    rows = await connection.fetch(
        """
        DELETE FROM segment_touched WHERE unit_id = $1 AND lead_id <= (
            SELECT max(first.lead_id) FROM (
                SELECT lead_id FROM segment_touched WHERE unit_id = $1 ORDER BY lead_id LIMIT $2
            ) first
        ) RETURNING lead_id
        """,
        unit_id,
        most,
    )
    return [row["lead_id"] for row in rows]
