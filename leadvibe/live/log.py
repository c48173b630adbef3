"""Reads the event log for subscribers, in the order of scoring."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import asyncpg

from leadvibe.live.events import LiveEvent, ScoreChange
from leadvibe.store.database import Database

_log = logging.getLogger(__name__)

# Most events of one read.
CHUNK = 500
# What a database that restarts or is out of reach raises.
AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0

# A worker numbers events under the lane's lock and commits before it lets go: whoever sees `last_seq`
# sees every event up to it, so a read bounded by it has no holes that fill later.
_LAST_SEQ = "SELECT unit_id, last_seq FROM lanes WHERE unit_id = ANY($1::text[])"

_EVENTS = """
    SELECT e.seq, e.event_id, e.lead_id, e.event_type, e.occurred_at, e.received_at, e.metadata,
           e.channel, e.suppression_reason, e.original_lead_id, e.observed, e.scores,
           coalesce(t.hidden, false) AS hidden,
           (SELECT r.ruleset_id FROM rulesets r WHERE r.unit_id = $1 AND r.is_primary LIMIT 1) AS primary_id,
           (SELECT jsonb_agg(jsonb_build_object(
                'surge_event_id', s.surge_event_id, 'trigger_id', s.trigger_id, 'lead_id', s.lead_id,
                'event_type', s.event_type, 'event_count', s.event_count, 'window_seconds', s.window_seconds
            ) ORDER BY s.surge_event_id)
            FROM surge_events s WHERE s.unit_id = $1 AND s.seq = e.seq) AS surges,
           (SELECT jsonb_agg(jsonb_build_object(
                'firing_id', f.firing_id, 'kind', f.kind, 'trigger_id', f.trigger_id, 'trigger_name', f.trigger_name,
                'lead_id', f.lead_id, 'score', f.score, 'previous_score', f.previous_score,
                'score_threshold', f.score_threshold, 'matched', f.matched, 'fired_at', f.fired_at
            ) ORDER BY f.firing_id)
            FROM trigger_firings f WHERE f.unit_id = $1 AND f.seq = e.seq) AS firings
    FROM engagement_events e
    LEFT JOIN event_types t ON t.unit_id = e.unit_id AND t.name = e.event_type
    WHERE e.unit_id = $1 AND e.seq > $2 AND e.seq <= $3
    ORDER BY e.seq
    LIMIT $4
"""


async def last_seqs(database: Database, unit_ids: Sequence[str]) -> dict[str, int]:
    """The number of the last scored event of each unit that has a lane."""
    return {row["unit_id"]: row["last_seq"] for row in await database.pool.fetch(_LAST_SEQ, unit_ids)}


async def read_events(database: Database, unit_id: str, after: int, upto: int, most: int) -> list[LiveEvent]:
    """At most `most` events with `after` < seq ≤ `upto`. Waits while the database is away."""
    pause = _FIRST_PAUSE
    while True:
        try:
            rows = await database.pool.fetch(_EVENTS, unit_id, after, upto, most)
            return [_live(row) for row in rows]
        except AWAY as error:
            _log.warning("Reading the events of %s failed, next try in %.1f s: %s", unit_id, pause, error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


def _live(row: asyncpg.Record) -> LiveEvent:
    fields: dict[str, Any] = dict(row)
    primary_id, scores = fields.pop("primary_id"), fields.pop("scores") or {}
    changes = tuple(
        ScoreChange(ruleset_id, delta, after)
        for ruleset_id, (delta, _, after, *_) in sorted(scores.items())
        if delta != 0
    )
    surges = [surge | {"detected_at": row["occurred_at"]} for surge in fields.pop("surges") or ()]
    fields["firings"] = fields["firings"] or ()
    return LiveEvent(**fields, changes=changes, surges=surges, headline=_headline(changes, primary_id))


def _headline(changes: Sequence[ScoreChange], primary_id: str | None) -> ScoreChange | None:
    """The change of the primary ruleset; in a unit without one, the largest change."""
    if primary_id is None:
        return max(changes, key=lambda change: abs(change.delta), default=None)
    return next((change for change in changes if change.ruleset_id == primary_id), None)
