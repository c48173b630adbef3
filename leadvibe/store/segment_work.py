"""How far the members of segments are made. The caller holds the unit's lane, unless it only asks."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from leadvibe.scoring.segments import SegmentPlan
from leadvibe.store.queue import AnyConnection


class Due(NamedTuple):
    """Segments whose members are made up to the lead `after`."""

    after: str
    segment_ids: list[str]


async def unfinished(connection: AnyConnection, unit_id: str, plan: SegmentPlan) -> frozenset[str]:
    """The segments whose members are not (all) those of their present definition."""
    rows = await connection.fetch(
        "SELECT segment_id, digest FROM segment_states WHERE unit_id = $1 AND last_lead_id IS NULL", unit_id
    )
    done = {row["segment_id"]: row["digest"] for row in rows}
    return frozenset(
        each.segment_id for each in plan.segments if done.get(each.segment_id) != plan.digest(each.segment_id)
    )


async def is_settled(connection: AnyConnection, unit_id: str, plan: SegmentPlan, segment_id: str) -> bool:
    """Whether the members that are kept are those that belong."""
    touched = await connection.fetchval("SELECT EXISTS (SELECT FROM segment_touched WHERE unit_id = $1)", unit_id)
    return not touched and segment_id not in await unfinished(connection, unit_id, plan)


async def begin(connection: AnyConnection, unit_id: str, plan: SegmentPlan) -> None:
    """Notes which segments are to be made anew, from the first lead on, because they are defined differently."""
    digests = {each.segment_id: plan.digest(each.segment_id) for each in plan.segments}
    await connection.execute(
        """
        INSERT INTO segment_states AS s (unit_id, segment_id, digest, last_lead_id)
        SELECT $1, t.segment_id, t.digest, '' FROM unnest($2::text[], $3::text[]) AS t (segment_id, digest)
        ON CONFLICT (unit_id, segment_id) DO UPDATE SET digest = excluded.digest, last_lead_id = ''
        WHERE s.digest <> excluded.digest
        """,
        unit_id,
        list(digests),
        list(digests.values()),
    )


async def next_due(connection: AnyConnection, unit_id: str) -> Due | None:
    """The segments that are least far; None when all are made."""
    rows = await connection.fetch(
        """
        SELECT segment_id, last_lead_id FROM segment_states
        WHERE unit_id = $1 AND last_lead_id IS NOT NULL ORDER BY last_lead_id
        """,
        unit_id,
    )
    if not rows:
        return None
    after = rows[0]["last_lead_id"]
    return Due(after, [row["segment_id"] for row in rows if row["last_lead_id"] == after])


async def advance(connection: AnyConnection, unit_id: str, segment_ids: Collection[str], after: str | None) -> None:
    """These segments are made up to a lead, or (None) for all leads."""
    await connection.execute(
        "UPDATE segment_states SET last_lead_id = $3 WHERE unit_id = $1 AND segment_id = ANY($2::text[])",
        unit_id,
        list(segment_ids),
        after,
    )


async def units_with_work(connection: AnyConnection) -> list[str]:
    """The units that have segments, or did."""
    rows = await connection.fetch(
        "SELECT unit_id FROM segments UNION SELECT unit_id FROM segment_touched ORDER BY unit_id"
    )
    return [row["unit_id"] for row in rows]


async def next_leads(connection: AnyConnection, unit_id: str, after: str, most: int) -> list[str]:
    rows = await connection.fetch(
        """
        SELECT lead_id FROM leads WHERE unit_id = $1 AND lead_id > $2 AND merged_into IS NULL AND NOT deleting
        ORDER BY lead_id LIMIT $3
        """,
        unit_id,
        after,
        most,
    )
    return [row["lead_id"] for row in rows]


async def forget_segment(connection: AnyConnection, unit_id: str, segment_id: str) -> None:
    """Removes all that is kept of a segment, its rules included."""
    for statement in (
        """
        DELETE FROM segment_facts WHERE unit_id = $1 AND rule_id IN (
            SELECT rule_id FROM segment_rules WHERE unit_id = $1 AND segment_id = $2
        )
        """,
        "DELETE FROM segment_rules WHERE unit_id = $1 AND segment_id = $2",
        "DELETE FROM segment_members WHERE unit_id = $1 AND segment_id = $2",
        "DELETE FROM segment_changes WHERE unit_id = $1 AND segment_id = $2",
        "DELETE FROM segment_states WHERE unit_id = $1 AND segment_id = $2",
    ):
        await connection.execute(statement, unit_id, segment_id)


async def forget_rule(connection: AnyConnection, unit_id: str, rule_id: str) -> None:
    await connection.execute("DELETE FROM segment_facts WHERE unit_id = $1 AND rule_id = $2", unit_id, rule_id)
