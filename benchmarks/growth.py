"""Lists, searches and activity in a unit that grows: how long an answer takes beside the small unit's."""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime

import httpx

from benchmarks.accepts import authorization
from benchmarks.report import Figure, note
from benchmarks.server import Bench, api
from leadvibe.pipeline.metadata_job import index_metadata
from leadvibe.store.metadata_terms import units_behind
from leadvibe.store.partitions import make_partitions, month_of

SIZES = (10_000, 100_000)
FULL_SIZES = (*SIZES, 1_000_000)
_EVENTS_PER_LEAD = 10
_RUNS = 9

# Leads lead_0000001 … with an e-mail each, scores from 0 to 999, a latest event every few seconds.
_LEADS = """
    INSERT INTO leads (unit_id, lead_id, metadata, score, scores, session_count, last_event_at, last_event_type,
                       created_at, updated_at)
    SELECT $1, 'lead_' || lpad(n::text, 7, '0'), '{"plan": "Pro"}', (n::bigint * 7919) % 1000,
           jsonb_build_object('rs_0', (n::bigint * 7919) % 1000), 1, $4::timestamptz - n * interval '1 second',
           'page_view', $4::timestamptz - n * interval '1 second', $4
    FROM generate_series($2::int, $3::int) n
"""
_ALIASES = """
    INSERT INTO lead_aliases (unit_id, alias_kind, normal_value, raw_value, alias_id, lead_id, created_at, folded,
                              grams)
    SELECT $1, 'email', v, v, 'al_' || n, 'lead_' || lpad(n::text, 7, '0'), $4::timestamptz, v, (
        SELECT array_agg(DISTINCT left(md5($1), 4) || substr(v, i, k))
        FROM generate_series(2, 3) k CROSS JOIN LATERAL generate_series(1, length(v) - k + 1) i
    )
    FROM generate_series($2::int, $3::int) n CROSS JOIN LATERAL (
        SELECT 'person' || n || '@company' || n % 5000 || '.example' AS v
    ) mail
"""
_EVENTS = """
    INSERT INTO engagement_events (unit_id, occurred_at, seq, event_id, lead_id, event_type, channel, metadata,
                                   observed, scores, received_at, processed_at)
    SELECT $1, $4::timestamptz - interval '1 hour' * (n % 240) - interval '1 millisecond' * (n / 240),
           n, 'ev_' || n, 'lead_' || lpad((1 + n % $5::int)::text, 7, '0'),
           (ARRAY['page_view', 'email_open', 'email_click', 'form_submit'])[1 + n % 4], 'web',
           jsonb_build_object('path', '/' || n / 240 % 50, 'order', CASE WHEN n % 20000 = 0 THEN 'rare' END), false,
           '{"rs_0": [1, 0, 1, 0, "rl_1"]}', $4, $4
    FROM generate_series($2::int, $3::int) n
"""
_COUNTS = """
    INSERT INTO event_counts (unit_id, day, event_type, channel, events)
    SELECT unit_id, (occurred_at AT TIME ZONE 'UTC')::date, event_type, channel, count(*)
    FROM engagement_events WHERE unit_id = $1 GROUP BY 1, 2, 3, 4
"""


def _questions(leads: int) -> dict[str, str]:
    middle = leads // 2
    return {
        "leads, first page": "/leads?limit=50",
        "leads, page in the middle": f"/leads?limit=50&page={middle // 50}",
        "leads with a score of 900 and more": "/leads?limit=50&min_score=900",
        "leads created within a day": "/leads?limit=50&range=last_24h",
        "search by the beginning of an id": f"/leads/search?q=lead_{middle:07}"[:-1],
        "search by a piece of an alias": f"/leads/search?q=son{middle}@comp",
        "search by a piece that all aliases have": "/leads/search?q=company",
        "search for what is not there": "/leads/search?q=zzyzx",
        "events, first page": "/events?limit=50",
        "events, page in the middle": f"/events?limit=50&page={middle * _EVENTS_PER_LEAD // 50}",
        "events of a type": "/events?limit=50&event_type=form_submit",
        "events with a metadata value": "/events?limit=50&metadata=path:/7",
        "events with a metadata value of 1 in 20,000": "/events?limit=50&metadata=order:rare",
        "events with a metadata value that none has": "/events?limit=50&metadata=order:none",
        "events of a lead": f"/events/lead_{middle:07}",
        "activity of a lead": f"/lead/lead_{middle:07}/activity?range=all",
    }


async def measure(bench: Bench, sizes: tuple[int, ...] = SIZES) -> list[Figure]:
    """The medians of each size beside those of the smallest."""
    medians: list[dict[str, float]] = []
    before = 0
    async with api(bench) as port:
        headers = {"Authorization": authorization(bench)}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=120) as http:
            for size in sizes:
                await _grow(bench, before, size)
                medians.append({name: await _median(http, path) for name, path in _questions(size).items()})
                before = size
    return [
        Figure(f"{name}, ms, {size:,} leads (reference: {sizes[0]:,})", [at[name]], [medians[0][name]], "about 1")
        for size, at in zip(sizes[1:], medians[1:], strict=True)
        for name in at
    ]


async def _grow(bench: Bench, before: int, size: int) -> None:
    """Fills the unit up to `size` leads with ten events each."""
    note(f"  filling up to {size:,} leads and {size * _EVENTS_PER_LEAD:,} events ...")
    unit_id, now = bench.owner.unit_id, datetime.now(UTC)
    async with bench.database.pool.acquire() as connection:
        months = {month_of(now), (now.year - (now.month == 1), (now.month - 2) % 12 + 1)}
        await make_partitions(connection, months)
        await connection.execute(_LEADS, unit_id, before + 1, size, now, timeout=3600)
        await connection.execute(_ALIASES, unit_id, before + 1, size, now, timeout=3600)
        first, last = before * _EVENTS_PER_LEAD + 1, size * _EVENTS_PER_LEAD
        await connection.execute(_EVENTS, unit_id, first, last, now, size, timeout=3600)
        await connection.execute("DELETE FROM event_counts WHERE unit_id = $1", unit_id)
        await connection.execute(_COUNTS, unit_id, timeout=3600)
        await connection.execute(
            "UPDATE lanes SET last_seq = $2, lead_count = $3 WHERE unit_id = $1", unit_id, last, size
        )
        while await units_behind(connection, now):
            await index_metadata(bench.database, now)
        await connection.execute("VACUUM ANALYZE", timeout=3600)


async def _median(http: httpx.AsyncClient, path: str) -> float:
    """Milliseconds of an answer."""
    times = []
    for _ in range(_RUNS):
        started = time.perf_counter()
        response = await http.get(path)
        times.append((time.perf_counter() - started) * 1000)
        response.raise_for_status()
    note(f"    {path}: {statistics.median(times):.1f} ms")
    return statistics.median(times)
