"""Rescoring: a lead's stored events are replayed with today's configuration."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from asyncpg import Record

from leadvibe.pipeline.unit_job import Kind, Place, Step
from leadvibe.scoring.model import DECAY, Event, UnitConfig
from leadvibe.scoring.replay import Replay, replay
from leadvibe.store import event_log, lead_state, segment_members, unit_config
from leadvibe.store.database import find_by_key
from leadvibe.store.lead_state import BatchLead
from leadvibe.store.queue import AnyConnection

# Leads whose events are in memory at once, and for whose time live scoring of the unit waits.
LEADS_AT_ONCE = 500
# Events that are replayed, in some 20 ms, while the database stores those before.
_EVENTS_AT_ONCE = 1_000

_SEQ = itemgetter("seq")


async def _step(connection: AnyConnection, unit_id: str, place: Place) -> Step:
    leads = await next_leads(connection, unit_id, place.after)
    if not leads:
        return Step(None)
    await rescore_leads(connection, unit_id, leads)
    return Step(leads[-1], len(leads))


RESCORE = Kind("rescore", _step)


async def rescore_leads(connection: AnyConnection, unit_id: str, lead_ids: Sequence[str]) -> None:
    """Rescores some leads, in the caller's transaction, which holds the unit's lane."""
    await find_by_key(connection)
    config = await unit_config.load(connection, unit_id)
    leads: list[BatchLead] = []
    saving: asyncio.Task[None] | None = None
    try:
        for rows, replays in replayed(config, lead_ids, await stored_events(connection, unit_id, lead_ids)):
            leads += [BatchLead(lead_id, result.lead) for lead_id, result in replays.items()]
            changed = _changed(rows, replays)
            if saving is not None:
                await saving
            saving = asyncio.create_task(_save_events(connection, unit_id, changed))
            await asyncio.sleep(0)  # the database works while the next group is replayed
    finally:
        if saving is not None:
            await saving
    await lead_state.save_leads(connection, unit_id, leads, config.primary_ruleset_id, datetime.now(UTC))
    await segment_members.touch(connection, unit_id, lead_ids)


async def stored_events(connection: AnyConnection, unit_id: str, lead_ids: Sequence[str]) -> Sequence[Record]:
    """The events of some leads, in no order: to have them by `seq` the planner would rather read all of the unit."""
    return await connection.fetch(
        """
        SELECT e.* FROM unnest($2::text[]) AS t (lead_id) CROSS JOIN LATERAL (
            SELECT lead_id, seq, event_type, occurred_at, suppression_reason, observed, scores FROM engagement_events
            WHERE unit_id = $1 AND lead_id = t.lead_id OFFSET 0
        ) e
        """,
        unit_id,
        lead_ids,
    )


def replayed(
    config: UnitConfig, lead_ids: Sequence[str], events: Sequence[Record]
) -> Iterator[tuple[list[Record], dict[str, Replay]]]:
    """Each lead as its events make it, group by group of leads with some hundred events: (events, lead → replay)."""
    by_lead: dict[str, list[Record]] = {lead_id: [] for lead_id in lead_ids}
    for row in events:
        by_lead[row["lead_id"]].append(row)
    rows: list[Record] = []
    replays: dict[str, Replay] = {}
    for lead_id, own in by_lead.items():
        own.sort(key=_SEQ)
        replays[lead_id] = replay(config, map(_event, own))
        rows += own
        if len(rows) >= _EVENTS_AT_ONCE:
            yield rows, replays
            rows, replays = [], {}
    yield rows, replays


async def next_leads(connection: AnyConnection, unit_id: str, after: str) -> list[str]:
    """Some of the unit's leads behind this one, in the order of their ids."""
    rows = await connection.fetch(
        """
        SELECT lead_id FROM leads WHERE unit_id = $1 AND lead_id > $2 AND merged_into IS NULL AND NOT deleting
        ORDER BY lead_id LIMIT $3
        """,
        unit_id,
        after,
        LEADS_AT_ONCE,
    )
    return [row["lead_id"] for row in rows]


def _event(row: Record) -> Event:
    recorded = None
    if row["event_type"] == DECAY:
        recorded = {ruleset_id: entry[0] for ruleset_id, entry in (row["scores"] or {}).items()}
    return Event(row["seq"], row["event_type"], row["occurred_at"], recorded)


def _changed(rows: Sequence[Record], replays: Mapping[str, Replay]) -> list[tuple[Any, ...]]:
    """The events that are no longer as they are stored: (time, seq, reason, observed, scores)."""
    changed = []
    for row in rows:
        seq, result = row["seq"], replays[row["lead_id"]]
        outcome = result.outcomes[seq]
        now = result.reasons.get(seq), outcome.observed, event_log.stored_scores(outcome.contributions)
        if now != (row["suppression_reason"], row["observed"], row["scores"]):
            changed.append((row["occurred_at"], seq, *now))
    return changed


async def _save_events(connection: AnyConnection, unit_id: str, changed: Sequence[tuple[Any, ...]]) -> None:
    if not changed:
        return
    await connection.execute(
        """
        UPDATE engagement_events AS e SET suppression_reason = t.reason, observed = t.observed, scores = t.scores
        FROM unnest($2::timestamptz[], $3::bigint[], $4::text[], $5::bool[], $6::jsonb[])
             AS t (at, seq, reason, observed, scores)
        WHERE e.unit_id = $1 AND e.occurred_at = t.at AND e.seq = t.seq
        """,
        unit_id,
        *zip(*changed, strict=True),
    )
