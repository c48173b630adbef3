"""Wiping: what seeding put into a unit is deleted, and nothing else.

A sample lead that got events of its own stays, with these alone. Whoever the sample's rules had scored, or who
took over sample events in a merge, is rescored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from asyncpg import Record

from leadvibe.pipeline import unit_job
from leadvibe.pipeline.event_deletion import living
from leadvibe.pipeline.rescore import RESCORE
from leadvibe.pipeline.sample.setup import SEED
from leadvibe.store import event_log, queue, sample_data, segment_members
from leadvibe.store.database import Database
from leadvibe.store.queue import AnyConnection


async def wipe(database: Database, unit_id: str, actor: str) -> dict[str, int]:
    """How many rows of which table are gone; all 0 where there was no sample data."""
    async with database.pool.acquire() as connection, connection.transaction():
        gone, must_rescore = await _wipe(connection, unit_id)
    if must_rescore:
        await (await unit_job.begin(database, RESCORE, unit_id, actor)).run()
    return dict(sorted(gone.items()))


async def _wipe(connection: AnyConnection, unit_id: str) -> tuple[Counter[str], bool]:
    """What is gone, and whether leads that stay must be rescored."""
    last_seq = await sample_data.enter(connection, unit_id)
    rulesets = await sample_data.rulesets_of(connection, unit_id, SEED)
    gone = Counter(await sample_data.take_configuration(connection, unit_id, SEED))
    touched: list[str] = []
    if (data := await sample_data.find(connection, unit_id)) is not None:
        touched = await _take_people(connection, unit_id, data, last_seq, gone)
        gone.update(await sample_data.take_rest(connection, data))
    await sample_data.outdate_fit(connection, unit_id)
    return gone, bool(touched) or await sample_data.is_scored_by(connection, unit_id, rulesets)


async def _take_people(
    connection: AnyConnection, unit_id: str, data: Record, last_seq: int, gone: Counter[str]
) -> list[str]:
    """Takes the sample's events and its leads; the leads that had such events and stay."""
    seqs = data["first_seq"], data["last_seq"]
    gone.update(await sample_data.take_outcomes(connection, unit_id, *seqs))
    events = await sample_data.take_events(connection, unit_id, *seqs)
    active = await sample_data.active_leads(connection, unit_id, data["lead_ids"])
    leaving = [lead_id for lead_id in data["lead_ids"] if lead_id not in active]
    counts, more, counted = await sample_data.take_leads(connection, unit_id, leaving)
    gone.update(counts)
    gone["engagement_events"] += len(events) + len(more)
    await _uncount(connection, unit_id, [*events, *more])
    await queue.advance_lane(connection, unit_id, last_seq, -counted)
    touched = await living(connection, unit_id, {event["lead_id"] for event in events} - {None} - set(leaving))
    await segment_members.touch(connection, unit_id, touched)
    return touched


async def _uncount(connection: AnyConnection, unit_id: str, events: Iterable[Record]) -> None:
    days = Counter((each["occurred_at"].date(), each["event_type"], each["channel"]) for each in events)
    await event_log.count_events(connection, unit_id, {day: -count for day, count in days.items()})
