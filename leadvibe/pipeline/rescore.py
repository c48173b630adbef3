"""Rescoring: a lead's stored events are replayed with today's configuration."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from asyncpg import Record

from leadvibe.pipeline.unit_job import Kind, Place, Step
from leadvibe.scoring.model import DECAY, Event, UnitConfig
from leadvibe.scoring.replay import Replay, replay
from leadvibe.store import event_log, lead_state, segment_members, unit_config
from leadvibe.store.lead_state import BatchLead
from leadvibe.store.queue import AnyConnection

# Leads whose events are in memory at once, and for whose time live scoring of the unit waits.
LEADS_AT_ONCE = 200


async def _step(connection: AnyConnection, unit_id: str, place: Place) -> Step:
    leads = await next_leads(connection, unit_id, place.after)
    if not leads:
        return Step(None)
    await rescore_leads(connection, unit_id, leads)
    return Step(leads[-1], len(leads))


RESCORE = Kind("rescore", _step)


async def rescore_leads(connection: AnyConnection, unit_id: str, lead_ids: Sequence[str]) -> None:
    """Rescores some leads, in the caller's transaction, which holds the unit's lane."""
    config = await unit_config.load(connection, unit_id)
    events, replays = await replayed(connection, unit_id, config, lead_ids)
    leads = [BatchLead(lead_id, result.lead) for lead_id, result in replays.items()]
    await lead_state.save_leads(connection, unit_id, leads, config.primary_ruleset_id, datetime.now(UTC))
    await segment_members.touch(connection, unit_id, lead_ids)
    await _save_events(connection, unit_id, events, replays)


async def replayed(
    connection: AnyConnection, unit_id: str, config: UnitConfig, lead_ids: Sequence[str]
) -> tuple[Sequence[Record], dict[str, Replay]]:
    """The stored events of some leads, and each lead as they make it."""
    events = await connection.fetch(
        """
        SELECT lead_id, seq, event_type, occurred_at, scores FROM engagement_events
        WHERE unit_id = $1 AND lead_id = ANY($2::text[]) ORDER BY seq
        """,
        unit_id,
        lead_ids,
    )
    by_lead: dict[str, list[Record]] = {lead_id: [] for lead_id in lead_ids}
    for row in events:
        by_lead[row["lead_id"]].append(row)
    return events, {lead_id: replay(config, map(_event, rows)) for lead_id, rows in by_lead.items()}


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


async def _save_events(
    connection: AnyConnection, unit_id: str, events: Sequence[Record], replays: dict[str, Replay]
) -> None:
    outcomes = [replays[row["lead_id"]].outcomes[row["seq"]] for row in events]
    await connection.execute(
        """
        UPDATE engagement_events AS e
        SET suppression_reason = t.reason, observed = t.observed, scores = t.scores
        FROM unnest($2::timestamptz[], $3::bigint[], $4::text[], $5::bool[], $6::jsonb[])
             AS t (at, seq, reason, observed, scores)
        WHERE e.unit_id = $1 AND e.occurred_at = t.at AND e.seq = t.seq
          AND (e.suppression_reason IS DISTINCT FROM t.reason OR e.observed <> t.observed
               OR e.scores IS DISTINCT FROM t.scores)
        """,
        unit_id,
        [row["occurred_at"] for row in events],
        [row["seq"] for row in events],
        [replays[row["lead_id"]].reasons.get(row["seq"]) for row in events],
        [outcome.observed for outcome in outcomes],
        [event_log.stored_scores(outcome.contributions) for outcome in outcomes],
    )
