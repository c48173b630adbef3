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
from leadvibe.processes import spare_the_collector
from leadvibe.store.config_tables import ProfileRule, ProfileRuleset
from leadvibe.store.fit_state import PROFILE

_RUNS = 3
_LEADS = 100_000
_RULES = 20
_BUDGET_SECONDS = 60.0


async def measure(bench: Bench) -> list[Figure]:
    """A worker scores; then all that is stored is rescored with other weights, so that every event changes."""
    spare_the_collector()  # as the processes do that rescore, and the worker that they are compared with
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


async def _make_profiles(bench: Bench) -> None:
    """100,000 leads with a title and a size, and 20 rules about them."""
    unit_id, org_id, now = bench.owner.unit_id, bench.owner.org_id, datetime.now(UTC)
    await bench.database.pool.execute(
        """
        INSERT INTO leads (unit_id, lead_id, metadata, deleting, score, scores, profile_score, profile_scores,
                           session_count, created_at, updated_at)
        SELECT $1, 'fit_' || n, jsonb_build_object('title', 'VP ' || n % 50, 'size', n % 5000), false, 0, '{}', 0, '{}',
               0, $2, $2
        FROM generate_series(1, $3) n
        """,
        unit_id,
        now,
        _LEADS,
    )
    of = {"unit_id": unit_id, "org_id": org_id}
    async with bench.database.session() as session, session.begin():
        session.add(ProfileRuleset(id="rs_fit", name="Fit", is_primary=True, **of))
        for number in range(0, _RULES, 2):
            for tested in (("title", "contains", str(number)), ("size", "gt", str(number * 250))):
                fields = dict(zip(("profile_property", "condition", "comparison_value"), tested, strict=True))
                session.add(ProfileRule(id=new_id("rl"), ruleset_id="rs_fit", weight=3, **fields, **of))


async def _profiles(bench: Bench) -> Figure:
    """Profile scores of 100,000 leads by 20 rules, all of which change."""
    pool, unit_id = bench.database.pool, bench.owner.unit_id
    await _make_profiles(bench)
    seconds, updates = [], []
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
