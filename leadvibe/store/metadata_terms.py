"""Where metadata values occur in the event log: written behind the worker, read by lists (`metadata_lists`).

The log is cut into blocks of consecutive seqs, a block into chunks. Each pair of key and text value has a hash
whose lowest bits name a bucket; a bucket's row of a block has a place for each chunk in which a value of the
bucket occurs: 16 further bits of the hash, 7 bits of the event type's, and the number of the chunk. So a value is
looked for in one row of each block, and a block's rows are written once and together. Places may say too much, as
hashes meet and events go, but never too little.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from leadvibe.store.queue import AnyConnection

# Events of a block: the larger, the fewer rows a value is looked for in, and the more events are in no block yet.
BLOCK = 8_192
# Events of a chunk, which are read where a value was found; a block has at most 256.
CHUNK = 64
_BUCKETS = 512

# While a unit's events wait this long, the worker needs the database more.
_PATIENCE = timedelta(seconds=1)

HASH = "hashtextextended({value}, hashtextextended({key}, 0))"
BUCKET = f"CAST({{hash}} & {_BUCKETS - 1} AS integer)"
VALUE_MARK = "CAST({hash} >> 9 & 65535 AS integer)"
TYPE_MARK = "(hashtext({event_type}) & 127)"

_UNITS_BEHIND = """
    SELECT l.unit_id FROM lanes l
    WHERE l.last_seq >= $1 AND l.last_seq >= $1 + coalesce((
        SELECT b.last_seq FROM event_blocks b WHERE b.unit_id = l.unit_id ORDER BY b.first_seq DESC LIMIT 1
    ), 0) AND NOT EXISTS (SELECT FROM ingest_queue q WHERE q.unit_id = l.unit_id AND q.received_at < $2)
"""
# Whoever sees a lane's `last_seq` sees every event up to it (live/log.py): no event comes into a block later.
_NEXT = """
    SELECT 1 + coalesce((
        SELECT b.last_seq FROM event_blocks b WHERE b.unit_id = $1 ORDER BY b.first_seq DESC LIMIT 1
    ), 0) AS first_seq, l.last_seq
    FROM lanes l WHERE l.unit_id = $1
"""
# A block whose events are all gone is of no time. The fence: the least and greatest would be looked for along times.
_ADD_BLOCK = """
    INSERT INTO event_blocks AS b (unit_id, first_seq, last_seq, oldest, newest)
    SELECT $1, $2, $3, coalesce(min(e.occurred_at), 'infinity'), coalesce(max(e.occurred_at), '-infinity')
    FROM (SELECT occurred_at FROM engagement_events WHERE unit_id = $1 AND seq >= $2 AND seq <= $3 OFFSET 0) e
    ON CONFLICT (unit_id, first_seq) DO NOTHING
"""
# `said` has one row for each event and key. The fences keep each hash from being computed where it is used.
_ADD_TERMS = f"""
    INSERT INTO event_terms AS t (unit_id, bucket, first_seq, places)
    SELECT $1, {BUCKET.format(hash="h.hash")}, h.first_seq, array_agg(DISTINCT
        ({VALUE_MARK.format(hash="h.hash")} << 15) | (h.type_mark << 8) | CAST((h.seq - h.first_seq) / $2 AS integer)
    )
    FROM (
        SELECT s.first_seq, s.seq, {TYPE_MARK.format(event_type="s.event_type")} AS type_mark,
               {HASH.format(value="s.metadata ->> s.key", key="s.key")} AS hash
        FROM ({{said}} OFFSET 0) s WHERE s.metadata ->> s.key IS NOT NULL OFFSET 0
    ) h
    GROUP BY 2, 3
    ON CONFLICT (unit_id, bucket, first_seq) DO UPDATE SET places = t.places || excluded.places
"""  # noqa: S608  (constants only)
_OF_BLOCK = _ADD_TERMS.format(
    said="""
        SELECT CAST($3 AS bigint) AS first_seq, e.seq, e.event_type, e.metadata, jsonb_object_keys(e.metadata) AS key
        FROM engagement_events e WHERE e.unit_id = $1 AND e.seq >= $3 AND e.seq <= $4
    """
)
_OF_EVENTS = _ADD_TERMS.format(
    said="""
        SELECT b.first_seq, e.seq, e.event_type, n.said AS metadata, jsonb_object_keys(n.said) AS key
        FROM unnest($3::timestamptz[], $4::bigint[], $5::jsonb[]) AS n (at, seq, said)
        JOIN engagement_events e ON e.unit_id = $1 AND e.occurred_at = n.at AND e.seq = n.seq
        CROSS JOIN LATERAL (
            SELECT f.first_seq, f.last_seq FROM event_blocks f WHERE f.unit_id = $1 AND f.first_seq <= n.seq
            ORDER BY f.first_seq DESC LIMIT 1
        ) b
        WHERE b.last_seq >= n.seq
    """
)
_KEY = "hashtextextended($1, 20)"


async def units_behind(connection: AnyConnection, now: datetime) -> list[str]:
    """The units with a block to add whose queue keeps up with what comes in."""
    return [row["unit_id"] for row in await connection.fetch(_UNITS_BEHIND, BLOCK, now - _PATIENCE)]


async def add_block(connection: AnyConnection, unit_id: str) -> bool:
    """Adds the unit's next block, in the caller's transaction; false when there is none or another one adds it."""
    if not await connection.fetchval(f"SELECT pg_try_advisory_xact_lock({_KEY})", unit_id):
        return False
    row = await connection.fetchrow(_NEXT, unit_id)
    if row is None or (last_seq := row["first_seq"] + BLOCK - 1) > row["last_seq"]:
        return False
    await connection.execute(_ADD_BLOCK, unit_id, row["first_seq"], last_seq)
    await connection.execute(_OF_BLOCK, unit_id, CHUNK, row["first_seq"], last_seq)
    return True


async def keep_out(connection: AnyConnection, unit_id: str) -> None:
    """Lets nobody add blocks until the transaction ends. Whoever is about to change metadata calls this first: a
    block made meanwhile would know the metadata from before only."""
    await connection.execute(f"SELECT pg_advisory_xact_lock({_KEY})", unit_id)


async def add_terms(
    connection: AnyConnection, unit_id: str, said: Mapping[tuple[datetime, int], Mapping[str, Any]]
) -> None:
    """Adds what the metadata of events in blocks says in addition: (time, seq) → metadata."""
    places = list(said)
    await connection.execute(
        _OF_EVENTS, unit_id, CHUNK, [at for at, _ in places], [seq for _, seq in places], list(said.values())
    )
