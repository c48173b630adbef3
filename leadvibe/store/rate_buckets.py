"""The buckets that all processes share: tokens are leased from them."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from leadvibe.store.database import Database


class Lease(NamedTuple):
    """How many tokens were granted, and how many (a fraction, too) are left for others."""

    granted: int
    left: float


async def lease(database: Database, key: str, rps: float, burst: int, wanted: int, now: datetime) -> Lease:
    """Takes up to `wanted` whole tokens from the key's bucket, which holds `burst` and gains `rps` a second.

    A machine whose clock is behind finds nothing gained; none ever gains the same time twice.
    """
    while True:
        row = await database.pool.fetchrow(
            """
            WITH bucket AS (
                SELECT key, least($3::float8, tokens
                    + $2::float8 * greatest(0, extract(epoch FROM $5::timestamptz - updated_at)::float8)) AS tokens
                FROM rate_buckets WHERE key = $1 FOR UPDATE
            )
            UPDATE rate_buckets AS b
            SET tokens = o.tokens - least($4::float8, floor(o.tokens)), updated_at = greatest(b.updated_at, $5)
            FROM bucket o WHERE b.key = o.key
            RETURNING least($4::float8, floor(o.tokens))::int AS granted, b.tokens AS left
            """,
            key,
            rps,
            float(burst),
            float(wanted),
            now,
        )
        if row is not None:
            return Lease(row["granted"], row["left"])
        granted = min(wanted, burst)
        made = await database.pool.execute(
            """
            INSERT INTO rate_buckets (key, tokens, updated_at) VALUES ($1, $2, $3)
            ON CONFLICT (key) DO NOTHING
            """,
            key,
            float(burst - granted),
            now,
        )
        if made == "INSERT 0 1":
            return Lease(granted, float(burst - granted))


async def purge(database: Database, before: datetime) -> int:
    """Forgets the buckets that nobody used since; a bucket that is full is as good as none."""
    status = await database.pool.execute("DELETE FROM rate_buckets WHERE updated_at < $1", before)
    return int(status.split()[-1])
