"""Rescoring a unit, beside live scoring of the same kind of events; profile scores anew, beside a bare update."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from benchmarks.report import Figure, note
from benchmarks.scoring import worker_rate
from benchmarks.server import Bench, process, scored, worker_connected
from leadvibe.ids import new_id
from leadvibe.pipeline import fit, unit_job
from leadvibe.pipeline.rescore import RESCORE
from leadvibe.store.fit_state import PROFILE

_RUNS = 3
_LEADS = 100_000
_RULES = 20
_BUDGET_SECONDS = 60.0


async def measure(bench: Bench) -> list[Figure]:
    """A worker scores; then all that is stored is rescored with other weights, so that every event changes."""
    live, again = [], []
    for run in range(_RUNS):
        async with process("worker", bench):
            await worker_connected(bench)
            live.append(await worker_rate(bench))
        await bench.database.pool.execute(
            "UPDATE rules SET weight = weight + 1 WHERE unit_id = $1", bench.owner.unit_id
        )
        again.append(await _rescore_rate(bench))
        note(f"  run {run + 1}: rescored {again[-1]:,.0f} events/s, scored {live[-1]:,.0f}")
    return [
        Figure("rescored events/s (reference: scored by one worker)", again, live, target="at least 1.0"),
        await _profiles(bench),
    ]


async def _rescore_rate(bench: Bench) -> float:
    events = await scored(bench)
    job = await unit_job.begin(bench.database, RESCORE, bench.owner.unit_id, None)
    began = time.perf_counter()
    await job.run()
    return events / (time.perf_counter() - began)


async def _profiles(bench: Bench) -> Figure:
    """Profile scores of 100,000 leads by 20 rules, all of which change."""
    pool, unit_id, org_id = bench.database.pool, bench.owner.unit_id, bench.owner.org_id
    await pool.execute(
        """
        INSERT INTO leads (unit_id, lead_id, metadata, deleting, score, scores, profile_score, profile_scores,
                           session_count, created_at, updated_at)
        SELECT $1, 'fit_' || n, jsonb_build_object('title', 'VP ' || n % 50, 'size', n % 5000), false, 0, '{}', 0, '{}',
               0, $2, $2
        FROM generate_series(1, $3) n
        """,
        unit_id,
        datetime.now(UTC),
        _LEADS,
    )
    seconds, updates = [], []
    ruleset_id = new_id("rs")
    now = datetime.now(UTC)
    await pool.execute(
        """
        INSERT INTO profile_rulesets (unit_id, id, org_id, name, enabled, is_primary, created_at, updated_at)
        VALUES ($1, $2, $3, 'Fit', true, true, $4, $4)
        """,
        unit_id, ruleset_id, org_id, now,
    )  # fmt: skip
    for number in range(_RULES):
        condition, wanted = (("contains", str(number)), ("gt", str(number * 250)))[number % 2]
        await pool.execute(
            """
            INSERT INTO profile_rules (unit_id, id, org_id, ruleset_id, profile_property, condition, comparison_value,
                                       weight, ui_order, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, 3, $8, $9, $9)
            """,
            unit_id, new_id("rl"), org_id, ruleset_id, "title" if number % 2 == 0 else "size", condition, wanted,
            number, now,
        )  # fmt: skip
    for run in range(_RUNS):
        await pool.execute("UPDATE profile_rules SET weight = weight + 1 WHERE unit_id = $1", unit_id)
        await pool.execute("UPDATE lanes SET profile_version = profile_version + 1 WHERE unit_id = $1", unit_id)
        began = time.perf_counter()
        changed = await fit.rescore_outdated(bench.database, PROFILE, datetime.now(UTC))
        seconds.append(time.perf_counter() - began)
        began = time.perf_counter()
        await pool.execute("UPDATE leads SET profile_score = profile_score + 1 WHERE unit_id = $1", unit_id)
        updates.append(time.perf_counter() - began)
        note(f"  run {run + 1}: {changed:,} profiles in {seconds[-1]:.1f} s; one bare UPDATE {updates[-1]:.1f} s")
    name = f"seconds to rescore {_LEADS:,} profiles by {_RULES} rules (reference: one bare UPDATE; under 60 s)"
    return Figure(name, seconds, updates, target="under 60 s")
