"""The properties and fit scores of leads (profile) and accounts, read and written for many at once.

Both surfaces are the same SQL over tables and columns whose names differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leadvibe.scoring.fit import FitConfig, fit_scores
from leadvibe.scoring.fit import Surface as SurfaceName
from leadvibe.store.queue import AnyConnection

Properties = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Surface:
    """Where a surface's scores stand: `table`, the `key` of its rows, and which of these there are (`shown`).

    The columns <name>_score and <name>_scores hold the scores, <name>_version and <name>_done of the lane
    whether they are up to date.
    """

    name: SurfaceName
    table: str
    key: str
    shown: str


PROFILE = Surface("profile", "leads", "lead_id", "merged_into IS NULL AND NOT deleting")
ACCOUNT = Surface("account", "accounts", "account_id", "true")
SURFACES = (PROFILE, ACCOUNT)


async def load(
    connection: AnyConnection, surface: Surface, unit_id: str, row_ids: Sequence[str]
) -> dict[str, Properties]:
    """The metadata of these rows, which nobody changes until the transaction ends."""
    rows = await connection.fetch(
        f"""
        SELECT l.* FROM unnest($2::text[]) AS t (id) CROSS JOIN LATERAL (
            SELECT {surface.key}, metadata FROM {surface.table}
            WHERE unit_id = $1 AND {surface.key} = t.id LIMIT 1 FOR UPDATE
        ) l
        """,
        unit_id,
        sorted(row_ids),
    )
    return {row[0]: row[1] for row in rows}


async def next_page(
    connection: AnyConnection, surface: Surface, unit_id: str, after: str, most: int
) -> dict[str, Properties]:
    """The next rows by id with their metadata; leads without those merged away or being deleted."""
    rows = await connection.fetch(
        f"""
        SELECT {surface.key}, metadata FROM {surface.table}
        WHERE unit_id = $1 AND {surface.key} > $2 AND {surface.shown}
        ORDER BY {surface.key} LIMIT $3 FOR UPDATE
        """,
        unit_id,
        after,
        most,
    )
    return {row[0]: row[1] for row in rows}


async def load_scores(
    connection: AnyConnection, surface: Surface, unit_id: str, row_ids: Sequence[str]
) -> dict[str, dict[str, int]]:
    """The fit scores of these rows by ruleset."""
    rows = await connection.fetch(
        f"""
        SELECT {surface.key}, {surface.name}_scores FROM {surface.table}
        WHERE unit_id = $1 AND {surface.key} = ANY($2::text[])
        """,
        unit_id,
        row_ids,
    )
    return {row[0]: row[1] for row in rows}


async def save(
    connection: AnyConnection,
    surface: Surface,
    unit_id: str,
    config: FitConfig,
    rows: Mapping[str, Properties],
    now: datetime,
) -> int:
    """Writes these rows' metadata with the fit scores that it makes; the number of rows that changed."""
    row_ids = sorted(rows)
    scores = [fit_scores(config, rows[row_id]) for row_id in row_ids]
    score, primary = f"{surface.name}_score", config.primary_ruleset_id
    status = await connection.execute(
        f"""
        UPDATE {surface.table} AS l SET metadata = t.metadata, {score} = t.score, {score}s = t.scores, updated_at = $6
        FROM unnest($2::text[], $3::jsonb[], $4::bigint[], $5::jsonb[]) AS t (id, metadata, score, scores)
        WHERE l.unit_id = $1 AND l.{surface.key} = t.id
          AND (l.metadata <> t.metadata OR l.{score} <> t.score OR l.{score}s <> t.scores)
        """,
        unit_id,
        row_ids,
        [rows[row_id] for row_id in row_ids],
        [each.get(primary, 0) if primary else 0 for each in scores],
        scores,
        now,
    )
    return int(status.split()[-1])


async def outdated(connection: AnyConnection, surface: Surface) -> dict[str, int]:
    """The units whose scores are not up to date, with the version that they should have."""
    name = surface.name
    rows = await connection.fetch(f"SELECT unit_id, {name}_version FROM lanes WHERE {name}_done < {name}_version")
    return {row[0]: row[1] for row in rows}


async def mark_done(connection: AnyConnection, surface: Surface, unit_id: str, version: int) -> None:
    done = f"{surface.name}_done"
    await connection.execute(
        f"UPDATE lanes SET {done} = greatest({done}, $2) WHERE unit_id = $1",
        unit_id,
        version,
    )
