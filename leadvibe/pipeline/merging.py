"""Merging leads: one person who was tracked twice becomes one lead (contract: leads.md, "Merge")."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from asyncpg import Record

from leadvibe.errors import bad_request, not_found
from leadvibe.ids import new_id
from leadvibe.pipeline.fit import rescore_profiles
from leadvibe.pipeline.rescore import rescore_leads
from leadvibe.scoring.model import LEAD_MERGED
from leadvibe.store import decay_state, event_log, merging, queue, segment_members
from leadvibe.store.database import Database
from leadvibe.store.event_log import DayCount
from leadvibe.store.partitions import existing_months, make_partitions, month_of
from leadvibe.store.queue import AnyConnection


@dataclass(frozen=True, slots=True)
class Truncation:
    """Which of the sources' events are dropped instead of moved: all but the `keep_last` latest, those
    `before` a time, or none."""

    keep_last: int | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Merge:
    """What a merge did. `seq`: the place of its `lead_merged` event in the unit's order of arrival."""

    seq: int
    moved_events: int
    truncated_events: int


async def merge(
    database: Database, unit_id: str, target: str, sources: Sequence[str], truncation: Truncation, actor: str
) -> Merge:
    """Moves all that the sources have to the target and rescores it, in one transaction under the lane.

    404 for a lead that is unknown or being deleted, 400 for one that was merged before. Events that
    still wait under a source's id land on the target, because the worker follows `merged_into`.
    """
    now = datetime.now(UTC)
    async with database.pool.acquire() as connection:
        if month_of(now) not in await existing_months(connection):
            await make_partitions(connection, [month_of(now)])
        async with connection.transaction():
            lane = await queue.lock_lane(connection, unit_id, wait=True)
            assert lane is not None, "a unit has a lane"
            leads = check(await merging.lock_leads(connection, unit_id, [target, *sources]), target, sources)
            dropped = await _truncate(connection, unit_id, sources, truncation)
            moved = await merging.move_events(connection, unit_id, sources, target)
            await merging.move_belongings(connection, unit_id, sources, target)
            await merging.fill_target(connection, unit_id, target, _united(leads), now)
            await merging.mark_merged(connection, unit_id, sources, target, now)
            await segment_members.touch(connection, unit_id, sources)
            done = Merge(lane.last_seq + 1, moved, dropped.total())
            counts = await _note(connection, unit_id, target, sources, done, actor, now)
            counts.subtract(dropped)
            await event_log.count_events(connection, unit_id, counts)
            await rescore_leads(connection, unit_id, [target])
            await rescore_profiles(connection, unit_id, [target], now)
            await decay_state.inherit(connection, unit_id, target, sources)
            await queue.advance_lane(connection, unit_id, done.seq, -len(sources))
    return done


def check(found: Mapping[str, Record], target: str, sources: Sequence[str]) -> list[Record]:
    """The leads in the order of the merge, target first; 404 and 400 for those that cannot be merged."""
    for lead_id in (target, *sources):
        if lead_id not in found:
            raise not_found(f"Lead {lead_id}")
        if merged_into := found[lead_id]["merged_into"]:
            field = "targetLeadId" if lead_id == target else "sourceLeadIds"
            text = f"The lead {lead_id} was merged into {merged_into} before."
            raise bad_request(text, code="already_merged", **{field: "names a merged lead"})
    return [found[lead_id] for lead_id in (target, *sources)]


async def _truncate(
    connection: AnyConnection, unit_id: str, sources: Sequence[str], truncation: Truncation
) -> Counter[DayCount]:
    if truncation.keep_last is not None:
        last = await merging.last_but(connection, unit_id, sources, truncation.keep_last)
        end = None if last is None else (last[0], last[1] + 1)
    else:
        end = None if truncation.before is None else (truncation.before, 0)
    return Counter() if end is None else await merging.drop_events(connection, unit_id, sources, end)


def _united(leads: Sequence[Record]) -> dict[str, Any]:
    """What the target has, and what it lacks from the first source that has it. An owner's id and name
    belong together."""
    owner = next((lead for lead in leads if lead["owner_id"] is not None), leads[0])
    metadata: dict[str, Any] = {}
    for lead in reversed(leads):
        metadata |= lead["metadata"]
    return {
        "account_id": next((lead["account_id"] for lead in leads if lead["account_id"] is not None), None),
        "owner_id": owner["owner_id"],
        "owner_name": owner["owner_name"],
        "metadata": metadata,
    }


async def _note(
    connection: AnyConnection,
    unit_id: str,
    target: str,
    sources: Sequence[str],
    done: Merge,
    actor: str,
    now: datetime,
) -> Counter[DayCount]:
    """Writes the `lead_merged` event into the target's timeline; it counts nowhere but in the unit's counts."""
    metadata = {
        "channel": "system",
        "source_lead_ids": list(sources),
        "moved_events": done.moved_events,
        "truncated_events": done.truncated_events,
        "merged_by": actor,
    }
    about = (new_id("ev"), target, LEAD_MERGED, "system", metadata)
    await event_log.append(connection, [(unit_id, now, done.seq, *about, None, True, None, now, now)])
    await event_log.name_event_types(connection, unit_id, [LEAD_MERGED], now)
    return Counter({(now.date(), LEAD_MERGED, "system"): 1})
