"""Jobs that run by the clock, and by hand with `leadvibe jobs run NAME`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg

from leadvibe.config import Settings
from leadvibe.pipeline import import_job, lead_deletion, password_mail, unit_job
from leadvibe.pipeline.decay import decay
from leadvibe.pipeline.fit import rescore_outdated
from leadvibe.pipeline.metadata_job import index_metadata
from leadvibe.pipeline.segment_job import bring_up_to_date, forget_changes
from leadvibe.pipeline.snapshots import take_snapshots
from leadvibe.pipeline.unit_jobs import KINDS
from leadvibe.store import audit_log, delivery_queue, proofs, rate_buckets
from leadvibe.store.database import Database
from leadvibe.store.fit_state import ACCOUNT, PROFILE
from leadvibe.store.partitions import make_partitions, months_ahead

# Decision: idempotency keys live at least 7 days.
_KEY_LIFE = timedelta(days=8)
# Longer than any window of attempts.
_ATTEMPTS_LIFE = timedelta(hours=1)
_KEYS_AT_ONCE = 10_000
# Longer than all tries and waits together: who waits longer waits for a destination that is never reached.
_DELIVERY_PATIENCE = timedelta(hours=24)
_DELIVERY_LIFE = timedelta(days=30)
_MONTHS_AHEAD = 3

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """`run` brings the database to what it should be at a moment and says in a sentence what it did."""

    description: str
    every: timedelta
    run: Callable[[Database, datetime], Awaitable[str]]


async def _partitions(database: Database, now: datetime) -> str:
    async with database.pool.acquire() as connection:
        await make_partitions(connection, months_ahead(now, _MONTHS_AHEAD))
    return f"The event log has partitions for {_MONTHS_AHEAD} months ahead."


async def _purge_keys(database: Database, now: datetime) -> str:
    purged = 0
    for unit in await database.pool.fetch("SELECT unit_id FROM lanes"):
        while True:
            status = await database.pool.execute(
                """
                DELETE FROM ingest_keys WHERE unit_id = $1 AND key IN (
                    SELECT key FROM ingest_keys WHERE unit_id = $1 AND received_at < $2
                    ORDER BY received_at LIMIT $3
                )
                """,
                unit["unit_id"],
                now - _KEY_LIFE,
                _KEYS_AT_ONCE,
            )
            count = int(status.split()[-1])
            purged += count
            if count < _KEYS_AT_ONCE:
                break
    return f"{purged} idempotency keys were older than {_KEY_LIFE.days} days and are gone."


async def _deliveries(database: Database, now: datetime) -> str:
    given_up = purged = 0
    async with database.pool.acquire() as connection:
        for row in await connection.fetch("SELECT unit_id FROM lanes"):
            given_up += await delivery_queue.give_up(connection, row["unit_id"], now - _DELIVERY_PATIENCE, now)
            while count := await delivery_queue.purge(connection, row["unit_id"], now - _DELIVERY_LIFE):
                purged += count
    return f"{given_up} deliveries were given up, {purged} old ones are forgotten."


async def _decay(database: Database, now: datetime) -> str:
    events = 0
    for row in await database.pool.fetch("SELECT DISTINCT unit_id FROM decays"):
        events += await decay(database, row["unit_id"], now)
    return f"{events} times a lead lost points for its inactivity."


async def _profiles(database: Database, now: datetime) -> str:
    return f"{await rescore_outdated(database, PROFILE, now)} leads have another profile score."


async def _accounts(database: Database, now: datetime) -> str:
    return f"{await rescore_outdated(database, ACCOUNT, now)} accounts have another score."


async def _purge_audit(database: Database, now: datetime) -> str:
    days = Settings().audit_days
    purged = await audit_log.purge(database, now - timedelta(days=days))
    return f"{purged} entries of the audit log were older than {days} days and are gone."


async def _purge_limits(database: Database, now: datetime) -> str:
    settings = Settings()
    full = timedelta(seconds=settings.rate_limit_burst / settings.rate_limit_rps)
    return f"{await rate_buckets.purge(database, now - full - timedelta(hours=1))} rate limits rest and are forgotten."


async def _unit_jobs(database: Database, now: datetime) -> str:
    return await unit_job.finish_stale(database, KINDS, now)


async def _links(database: Database, now: datetime) -> str:
    done = await password_mail.send_due(database, Settings(), now)
    await password_mail.forget_expired(database, now)
    await proofs.forget_attempts(database.pool, now - _ATTEMPTS_LIFE)
    return f"{done} links to set a password were waiting to be mailed."


JOBS = {
    "partitions": Job("Makes the event log's partitions ahead of time.", timedelta(hours=12), _partitions),
    "profiles": Job("Rescores profiles whose rules changed.", timedelta(seconds=5), _profiles),
    "accounts": Job("Rescores accounts whose rules changed.", timedelta(seconds=5), _accounts),
    "decay": Job("Takes points off inactive leads.", timedelta(hours=1), _decay),
    "segments": Job("Makes the members of changed segments and leads anew.", timedelta(seconds=2), bring_up_to_date),
    "metadata": Job("Makes metadata values of events findable.", timedelta(seconds=2), index_metadata),
    "segment-changes": Job("Forgets who entered and left segments after 30 days.", timedelta(hours=6), forget_changes),
    "snapshots": Job("Remembers the scores that changed, for 90 days.", timedelta(hours=1), take_snapshots),
    "purge-keys": Job("Forgets idempotency keys after 8 days.", timedelta(hours=1), _purge_keys),
    "deliveries": Job("Gives up deliveries after a day, forgets them after 30.", timedelta(hours=1), _deliveries),
    "purge-audit": Job("Forgets old entries of the audit log.", timedelta(hours=1), _purge_audit),
    "purge-limits": Job("Forgets rate limits that nobody uses.", timedelta(hours=1), _purge_limits),
    "lead-deletions": Job(
        "Takes up deletions of leads that were left unfinished.", timedelta(minutes=1), lead_deletion.finish_stale
    ),
    "unit-jobs": Job("Takes up rescorings and backfills that were left unfinished.", timedelta(minutes=1), _unit_jobs),
    "password-links": Job("Mails links to set a password that are still waiting.", timedelta(minutes=1), _links),
    "imports": Job("Marks imports as failed whose process died.", timedelta(minutes=1), import_job.fail_stale),
}


async def run_jobs(database: Database, stop: asyncio.Event) -> None:
    """Runs every job now and then at its interval, until `stop`. A failing job is logged and comes again.

    Two schedulers may run at once: a job only removes and adds what is due, whoever comes first.
    """
    due = dict.fromkeys(JOBS, datetime.min.replace(tzinfo=UTC))
    stopped = asyncio.create_task(stop.wait())
    while not stop.is_set():
        now = datetime.now(UTC)
        for name, job in JOBS.items():
            if due[name] <= now:
                due[name] = now + job.every
                try:
                    # What runs every few seconds would fill the log with nothing.
                    level = logging.INFO if job.every >= timedelta(hours=1) else logging.DEBUG
                    _log.log(level, "%s: %s", name, await job.run(database, now))
                except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    _log.exception("The job %s failed; it runs again in a minute.", name)
                    due[name] = now + timedelta(minutes=1)
        await asyncio.wait({stopped}, timeout=max(0.0, (min(due.values()) - datetime.now(UTC)).total_seconds()))
    stopped.cancel()
