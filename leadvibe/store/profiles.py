"""Leads' properties and profile scores, read and written for many leads at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from leadvibe.scoring.fit import FitConfig, fit_scores
from leadvibe.store.queue import AnyConnection

Properties = Mapping[str, Any]


async def load(connection: AnyConnection, unit_id: str, lead_ids: Sequence[str]) -> dict[str, Properties]:
    """The metadata of these leads, which nobody changes until the transaction ends."""
    rows = await connection.fetch(
        """
        SELECT l.* FROM unnest($2::text[]) AS t (lead_id) CROSS JOIN LATERAL (
            SELECT lead_id, metadata FROM leads WHERE unit_id = $1 AND lead_id = t.lead_id LIMIT 1 FOR UPDATE
        ) l
        """,
        unit_id,
        sorted(lead_ids),
    )
    return {row["lead_id"]: row["metadata"] for row in rows}


async def next_page(connection: AnyConnection, unit_id: str, after: str, most: int) -> dict[str, Properties]:
    """The next leads by id with their metadata, without those merged away or being deleted."""
    rows = await connection.fetch(
        """
        SELECT lead_id, metadata FROM leads
        WHERE unit_id = $1 AND lead_id > $2 AND merged_into IS NULL AND NOT deleting
        ORDER BY lead_id LIMIT $3 FOR UPDATE
        """,
        unit_id,
        after,
        most,
    )
    return {row["lead_id"]: row["metadata"] for row in rows}


async def save(
    connection: AnyConnection, unit_id: str, config: FitConfig, leads: Mapping[str, Properties], now: datetime
) -> int:
    """Writes these leads' metadata with the profile scores that it makes; the number of leads that changed."""
    lead_ids = sorted(leads)
    scores = [fit_scores(config, leads[lead_id]) for lead_id in lead_ids]
    primary = config.primary_ruleset_id
    status = await connection.execute(
        """
        UPDATE leads AS l SET metadata = t.metadata, profile_score = t.score, profile_scores = t.scores, updated_at = $6
        FROM unnest($2::text[], $3::jsonb[], $4::bigint[], $5::jsonb[]) AS t (lead_id, metadata, score, scores)
        WHERE l.unit_id = $1 AND l.lead_id = t.lead_id
          AND (l.metadata <> t.metadata OR l.profile_score <> t.score OR l.profile_scores <> t.scores)
        """,
        unit_id,
        lead_ids,
        [leads[lead_id] for lead_id in lead_ids],
        [each.get(primary, 0) if primary else 0 for each in scores],
        scores,
        now,
    )
    return int(status.split()[-1])
