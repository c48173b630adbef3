"""Writing and wiping sample data. The caller holds the unit's lane."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from asyncpg import Record
from sqlalchemy import inspect
from sqlmodel import SQLModel

from leadvibe.scoring.model import DECAY, NOTES
from leadvibe.store.queue import AnyConnection

# Configuration that acts on all leads of its unit: the story brings its own only where there is none.
_OF_ALL_LEADS = (
    "rulesets", "velocity_filters", "decays", "profile_mappings", "account_mappings", "profile_rulesets",
    "account_rulesets", "profile_levels", "account_levels",
)  # fmt: skip
# Configuration in the order in which it is wiped; what belongs to a row of a parent goes with that.
_PARENTS = {
    "rules": ("ruleset_id", "rulesets", "ruleset_id"),
    "profile_rules": ("ruleset_id", "profile_rulesets", "id"),
    "account_rules": ("ruleset_id", "account_rulesets", "id"),
    "segment_rules": ("segment_id", "segments", "segment_id"),
}
CONFIGURATION = (
    *_PARENTS, *_OF_ALL_LEADS, "engagement_levels", "milestone_triggers", "sequence_triggers", "pattern_triggers",
    "surge_triggers", "segments",
)  # fmt: skip
_BELONGINGS = (
    "lead_aliases", "orders", "score_snapshots", "surge_events", "trigger_firings", "segment_members",
    "segment_changes", "segment_facts", "segment_touched",
)  # fmt: skip
_OF_SEGMENTS = ("segment_members", "segment_changes", "segment_states")
# What the server itself adds to a lead's log.
_NO_ACTIVITY = [DECAY, *sorted(NOTES)]


async def enter(connection: AnyConnection, unit_id: str) -> int:
    """Locks the unit's lane until the transaction ends, and says that its configuration changes; the last seq."""
    return int(
        await connection.fetchval(
            "UPDATE lanes SET config_version = config_version + 1 WHERE unit_id = $1 RETURNING last_seq", unit_id
        )
    )


async def find(connection: AnyConnection, unit_id: str) -> Record | None:
    """What the unit's sample data consists of."""
    return await connection.fetchrow("SELECT * FROM sample_data WHERE unit_id = $1", unit_id)


async def is_unused(connection: AnyConnection, unit_id: str) -> bool:
    """Whether the unit has no leads and no configuration that acts on them."""
    for table in ("leads", "accounts", *_OF_ALL_LEADS):
        if await connection.fetchval(f"SELECT EXISTS (SELECT FROM {table} WHERE unit_id = $1)", unit_id):
            return False
    return True


async def present(connection: AnyConnection, table: str, key: str, unit_id: str, ids: Sequence[str]) -> set[str]:
    """Those of these ids that the unit's table has."""
    query = f"SELECT {key} FROM {table} WHERE unit_id = $1 AND {key} = ANY($2::text[])"
    return {row[0] for row in await connection.fetch(query, unit_id, ids)}


async def insert(connection: AnyConnection, rows: Sequence[SQLModel]) -> None:
    """Writes rows of any tables."""
    for table, some in groupby(sorted(rows, key=lambda row: str(row.__tablename__)), key=type):
        attributes: Any = inspect(table).column_attrs
        columns = {each.key: str(each.columns[0].name) for each in attributes}
        records = [tuple(row.model_dump()[key] for key in columns) for row in some]
        name = str(inspect(table).local_table)
        await connection.copy_records_to_table(name, records=records, columns=list(columns.values()))


async def date_back(connection: AnyConnection, unit_id: str, first_seq: int, last_seq: int) -> None:
    """Leads began with their first event, and triggers fired when their event happened."""
    await connection.execute(
        """
        UPDATE leads AS l SET created_at = f.at
        FROM (
            SELECT lead_id, min(occurred_at) AS at FROM engagement_events
            WHERE unit_id = $1 AND seq BETWEEN $2 AND $3 AND lead_id IS NOT NULL GROUP BY lead_id
        ) f
        WHERE l.unit_id = $1 AND l.lead_id = f.lead_id AND l.created_at > f.at
        """,
        unit_id,
        first_seq,
        last_seq,
    )
    await connection.execute(
        "UPDATE trigger_firings SET fired_at = occurred_at WHERE unit_id = $1 AND seq BETWEEN $2 AND $3",
        unit_id,
        first_seq,
        last_seq,
    )


async def remember_scores(
    connection: AnyConnection, unit_id: str, first_seq: int, last_seq: int, now: datetime
) -> None:
    """The snapshots that the hourly job would have taken of what these events did."""
    await connection.execute(
        """
        INSERT INTO score_snapshots AS s (unit_id, lead_id, ruleset_id, snapshot_at, score)
        SELECT $1, h.lead_id, h.ruleset_id, h.at, h.score FROM (
            SELECT b.*, lag(b.score) OVER (PARTITION BY b.lead_id, b.ruleset_id ORDER BY b.at) AS before FROM (
                SELECT DISTINCT ON (e.lead_id, r.ruleset_id, date_trunc('hour', e.occurred_at))
                       e.lead_id, r.ruleset_id, date_trunc('hour', e.occurred_at) + interval '1 hour' AS at,
                       CAST(r.entry ->> 2 AS bigint) AS score
                FROM engagement_events e CROSS JOIN LATERAL jsonb_each(e.scores) AS r (ruleset_id, entry)
                WHERE e.unit_id = $1 AND e.seq BETWEEN $2 AND $3 AND e.lead_id IS NOT NULL
                ORDER BY e.lead_id, r.ruleset_id, date_trunc('hour', e.occurred_at), e.seq DESC
            ) b
        ) h
        WHERE h.score IS DISTINCT FROM h.before AND h.at <= $4
        ON CONFLICT (unit_id, lead_id, ruleset_id, snapshot_at) DO NOTHING
        """,
        unit_id,
        first_seq,
        last_seq,
        now,
    )


async def take_events(connection: AnyConnection, unit_id: str, first_seq: int, last_seq: int) -> list[Record]:
    """Deletes the events; (occurred_at, event_type, channel, lead_id) of each."""
    return await connection.fetch(
        """
        DELETE FROM engagement_events WHERE unit_id = $1 AND seq BETWEEN $2 AND $3
        RETURNING occurred_at, event_type, channel, lead_id
        """,
        unit_id,
        first_seq,
        last_seq,
    )


async def take_outcomes(connection: AnyConnection, unit_id: str, first_seq: int, last_seq: int) -> dict[str, int]:
    """Deletes what the events had set off; how many rows of which table."""
    return {
        table: await _delete(connection, table, "seq BETWEEN $2 AND $3", unit_id, first_seq, last_seq)
        for table in ("trigger_firings", "surge_events")
    }


async def active_leads(connection: AnyConnection, unit_id: str, lead_ids: Sequence[str]) -> set[str]:
    """Those of the leads that have events which the server did not make itself."""
    rows = await connection.fetch(
        """
        SELECT t.lead_id FROM unnest($2::text[]) AS t (lead_id) WHERE EXISTS (
            SELECT FROM engagement_events e
            WHERE e.unit_id = $1 AND e.lead_id = t.lead_id AND e.event_type <> ALL($3::text[])
        )
        """,
        unit_id,
        lead_ids,
        _NO_ACTIVITY,
    )
    return {row["lead_id"] for row in rows}


async def take_leads(
    connection: AnyConnection, unit_id: str, lead_ids: Sequence[str]
) -> tuple[dict[str, int], list[Record], int]:
    """Deletes leads with all they have: how many rows of which table, their events as above, and how many of the
    leads had been counted."""
    gone = {table: await _delete(connection, table, "lead_id = ANY($2)", unit_id, lead_ids) for table in _BELONGINGS}
    events = await connection.fetch(
        """
        DELETE FROM engagement_events WHERE unit_id = $1 AND lead_id = ANY($2::text[])
        RETURNING occurred_at, event_type, channel, lead_id
        """,
        unit_id,
        lead_ids,
    )
    leads = await connection.fetch(
        """
        DELETE FROM leads WHERE unit_id = $1 AND (lead_id = ANY($2::text[]) OR merged_into = ANY($2::text[]))
        RETURNING merged_into IS NULL AND NOT deleting AS counted
        """,
        unit_id,
        lead_ids,
    )
    return gone | {"leads": len(leads)}, events, sum(row["counted"] for row in leads)


async def take_rest(connection: AnyConnection, data: Record) -> dict[str, int]:
    """Deletes orders, accounts and event types, the last two unless somebody else uses them; how many of each."""
    unit_id = data["unit_id"]
    unlinked = "NOT EXISTS (SELECT FROM leads l WHERE l.unit_id = $1 AND l.account_id = d.account_id)"
    unused = "NOT EXISTS (SELECT FROM engagement_events e WHERE e.unit_id = $1 AND e.event_type = d.name)"
    await _delete(connection, "event_counts", "events = 0", unit_id)
    await _delete(connection, "sample_data", "true", unit_id)
    return {
        "orders": await _delete(connection, "orders", "id = ANY($2)", unit_id, data["order_ids"]),
        "accounts": await _delete(
            connection, "accounts", f"account_id = ANY($2) AND {unlinked}", unit_id, data["account_ids"]
        ),
        "event_types": await _delete(
            connection, "event_types", f"name = ANY($2) AND {unused}", unit_id, data["event_types"]
        ),
    }


async def take_configuration(connection: AnyConnection, unit_id: str, maker: str) -> dict[str, int]:
    """Deletes what `maker` made, with all that belongs to it; how many rows of which table."""
    made = "SELECT ruleset_id FROM rulesets WHERE unit_id = $1 AND created_by = $2"
    gone = {"score_snapshots": await _delete(connection, "score_snapshots", f"ruleset_id IN ({made})", unit_id, maker)}
    await connection.execute(
        f"UPDATE leads SET score = 0 WHERE unit_id = $1 AND score <> 0 AND EXISTS ({made} AND is_primary)",
        unit_id,
        maker,
    )
    segments = "SELECT segment_id FROM segments WHERE unit_id = $1 AND created_by = $2"
    rules = f"SELECT rule_id FROM segment_rules WHERE unit_id = $1 AND segment_id IN ({segments})"
    gone["segment_facts"] = await _delete(connection, "segment_facts", f"rule_id IN ({rules})", unit_id, maker)
    for table in _OF_SEGMENTS:
        gone[table] = await _delete(connection, table, f"segment_id IN ({segments})", unit_id, maker)
    for table in CONFIGURATION:
        condition = "created_by = $2"
        if table in _PARENTS:
            column, parent, key = _PARENTS[table]
            condition += f" OR {column} IN (SELECT {key} FROM {parent} WHERE unit_id = $1 AND created_by = $2)"
        gone[table] = await _delete(connection, table, f"({condition})", unit_id, maker)
    return gone


async def outdate_fit(connection: AnyConnection, unit_id: str) -> None:
    """Says that the scores of the properties of whoever stays must be made anew."""
    await connection.execute(
        """
        UPDATE lanes SET profile_version = profile_version + 1, account_version = account_version + 1
        WHERE unit_id = $1
        """,
        unit_id,
    )


async def is_scored_by(connection: AnyConnection, unit_id: str, ruleset_ids: Collection[str]) -> bool:
    """Whether a lead still has a score of one of these rulesets."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM leads WHERE unit_id = $1 AND scores ?| $2::text[])", unit_id, list(ruleset_ids)
        )
    )


async def rulesets_of(connection: AnyConnection, unit_id: str, maker: str) -> list[str]:
    query = "SELECT ruleset_id FROM rulesets WHERE unit_id = $1 AND created_by = $2"
    return [row[0] for row in await connection.fetch(query, unit_id, maker)]


async def _delete(connection: AnyConnection, table: str, condition: str, unit_id: str, *values: Any) -> int:
    """Deletes the unit's rows of a table (constant) that meet a condition (constant); how many there were."""
    status = await connection.execute(
        f"DELETE FROM {table} AS d WHERE d.unit_id = $1 AND {condition}", unit_id, *values
    )
    return int(status.split()[-1])
