"""Makes the members of segments anew: of all leads when a segment is defined differently, of single leads when
they changed outside the scoring of events.

A group of leads, its members and the note of how far it is are one transaction under the unit's lane, so
that scoring goes on in between and whoever comes next takes it up where it was left.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from leadvibe.scoring.segments import SegmentPlan
from leadvibe.store import queue, segment_config, segment_members, segment_work
from leadvibe.store.database import Database
from leadvibe.store.queue import AnyConnection
from leadvibe.store.segment_members import Change

# Leads of one transaction, for whose time live scoring of the unit waits.
_LEADS_AT_ONCE = 1_000
_CHANGES_KEPT = timedelta(days=30)


async def bring_up_to_date(database: Database, now: datetime) -> str:
    """Of every unit; says how many leads were looked at."""
    async with database.pool.acquire() as connection:
        units = await segment_work.units_with_work(connection)
    looked_at = 0
    for unit_id in units:
        while count := await _step(database, unit_id):
            looked_at += count
    return f"{looked_at} leads were looked at for their segments."


async def forget_changes(database: Database, now: datetime) -> str:
    """Forgets who entered and left long ago. The last change of a unit stays: the next one is counted from it."""
    async with database.pool.acquire() as connection:
        for unit_id in await segment_work.units_with_work(connection):
            await connection.execute(
                """
                DELETE FROM segment_changes WHERE unit_id = $1 AND changed_at < $2
                  AND seq < (SELECT max(seq) FROM segment_changes WHERE unit_id = $1)
                """,
                unit_id,
                now - _CHANGES_KEPT,
            )
    return f"Changes of segments are kept for {_CHANGES_KEPT.days} days."


async def _step(database: Database, unit_id: str) -> int:
    """Looks at some leads; how many, 0 when nothing is left to do."""
    now = datetime.now(UTC)
    async with database.pool.acquire() as connection, connection.transaction():
        if await queue.lock_lane(connection, unit_id, wait=True) is None:
            return 0
        plan = await segment_config.load(connection, unit_id)
        await segment_work.begin(connection, unit_id, plan)
        due = await segment_work.next_due(connection, unit_id)
        if due is None:
            return await look_at_touched(connection, unit_id, plan, now)
        leads = await segment_work.next_leads(connection, unit_id, due.after, _LEADS_AT_ONCE)
        await _look_at(connection, unit_id, plan, leads, set(due.segment_ids), now)
        last = leads[-1] if len(leads) == _LEADS_AT_ONCE else None
        await segment_work.advance(connection, unit_id, due.segment_ids, last)
        return max(len(leads), 1)


async def look_at_touched(connection: AnyConnection, unit_id: str, plan: SegmentPlan, now: datetime) -> int:
    """Looks at some of the leads that changed outside the scoring of events, in the caller's transaction, which
    holds the unit's lane; how many."""
    touched = await segment_members.claim_touched(connection, unit_id, _LEADS_AT_ONCE)
    await _look_at(connection, unit_id, plan, touched, {each.segment_id for each in plan.segments}, now)
    return len(touched)


async def _look_at(
    connection: AnyConnection,
    unit_id: str,
    plan: SegmentPlan,
    lead_ids: Sequence[str],
    segment_ids: Collection[str],
    now: datetime,
) -> None:
    """Decides anew, from all that is stored, which of these segments these leads belong to."""
    if not lead_ids:
        return
    rules = [each for each in plan.on_events if plan.of_rule[each.rule_id] in segment_ids]
    await segment_members.refresh_facts(connection, unit_id, plan, rules, lead_ids)
    known = await segment_members.load(connection, unit_id, lead_ids)
    changes = await segment_members.forget_hidden(connection, unit_id, set(lead_ids) - known.keys())
    for lead_id, (person, kept) in known.items():
        belongs = plan.all_of(person, segment_ids)
        changes += [Change(each, lead_id, True) for each in belongs - kept]
        changes += [Change(each, lead_id, False) for each in kept.intersection(segment_ids) - belongs]
    await segment_members.apply(connection, unit_id, changes, now)
