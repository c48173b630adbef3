"""Units with a stored configuration, which take events and score them as the server does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from asyncpg import Record

from leadvibe.ids import new_id
from leadvibe.live.publisher import Publisher
from leadvibe.pipeline import unit_job
from leadvibe.pipeline.buffer import IngestBuffer, Result
from leadvibe.pipeline.events import IncomingEvent, read_event
from leadvibe.pipeline.rescore import RESCORE
from leadvibe.pipeline.unit_job import Progress
from leadvibe.pipeline.worker import Worker
from leadvibe.scoring import surge
from leadvibe.scoring.model import DECAY, Event, UnitConfig, VelocityFilter
from leadvibe.scoring.replay import Replay, replay
from leadvibe.store import unit_config
from leadvibe.store.config_tables import Rule, Ruleset, SurgePolicyRow
from leadvibe.store.config_tables import SurgeTrigger as SurgeTriggerRow
from leadvibe.store.config_tables import VelocityFilter as VelocityFilterRow
from leadvibe.store.database import Database
from leadvibe.store.tables import EventType, Lane, Organisation, OrgUnit
from tests.scoring.streams import START, at

# When the events of these tests are received: after all of them happened.
RECEIVED = START + timedelta(days=1)


def body(event_type: str = "view", lead: str | None = "ld_1", second: float = 0, **fields: Any) -> dict[str, Any]:
    return {"event_type": event_type, "lead_id": lead, "timestamp": at(second).isoformat()} | fields


def email(*addresses: str) -> list[dict[str, str]]:
    return [{"alias_kind": "email", "raw_value": address} for address in addresses]


def incoming(body: dict[str, Any], key: str | None = None, received_at: datetime = RECEIVED) -> IncomingEvent:
    return read_event(body, received_at, key)


@dataclass
class Unit:
    """An organisational unit in the database. `accept` is the API's part, `work` the worker's."""

    database: Database
    unit_id: str

    async def accept(self, *bodies: dict[str, Any]) -> list[Result]:
        async with open_buffer(self.database) as buffer:
            return await buffer.accept(self.unit_id, [incoming(each) for each in bodies])

    async def work(self, batch_size: int = 1000, workers: int = 1) -> None:
        """Scores all that waits in any unit."""
        await score_all(self.database, [batch_size] * workers)

    async def score(self, *bodies: dict[str, Any], batch_size: int = 1000) -> None:
        await self.accept(*bodies)
        await self.work(batch_size)

    async def rows(self, query: str) -> list[Record]:
        return await self.database.pool.fetch(query, self.unit_id)

    async def events(self) -> list[dict[str, Any]]:
        """The log without the times of its making."""
        rows = await self.rows("SELECT * FROM engagement_events WHERE unit_id = $1 ORDER BY seq")
        return [dict(row) | {"received_at": None, "processed_at": None} for row in rows]

    async def column(self, name: str) -> list[Any]:
        return [event[name] for event in await self.events()]

    async def leads(self) -> dict[str, dict[str, Any]]:
        """What scoring says of each lead."""
        rows = await self.rows(
            """
            SELECT lead_id, score, scores, session_count, session_at, last_event_at, last_event_type
            FROM leads WHERE unit_id = $1
            """
        )
        return {row["lead_id"]: dict(row) for row in rows}

    async def scores(self, ruleset_id: str = "rs_a") -> dict[str, int]:
        return {lead_id: lead["scores"].get(ruleset_id, 0) for lead_id, lead in (await self.leads()).items()}

    async def aliases(self) -> dict[str, str]:
        rows = await self.rows("SELECT normal_value, lead_id FROM lead_aliases WHERE unit_id = $1")
        return {row["normal_value"]: row["lead_id"] for row in rows}

    async def replayed(self) -> dict[str, Replay]:
        """Each lead as a replay of its stored events makes it."""
        async with self.database.pool.acquire() as connection:
            config = await unit_config.load(connection, self.unit_id)
        by_lead: dict[str, list[Event]] = {}
        for row in await self.events():
            recorded = {name: entry[0] for name, entry in (row["scores"] or {}).items()}
            event = Event(
                row["seq"], row["event_type"], row["occurred_at"], recorded if row["event_type"] == DECAY else None
            )
            by_lead.setdefault(row["lead_id"], []).append(event)
        return {lead_id: replay(config, events) for lead_id, events in by_lead.items() if lead_id is not None}


async def rescore(database: Database, unit_id: str, progress: Progress | None = None) -> int:
    """Rescores a unit, from the first lead to the last; how many there are."""
    return await (await unit_job.begin(database, RESCORE, unit_id, None)).run(progress)


async def true_counts(unit: Unit) -> None:
    """The unit's counts are those of its log and of its leads."""
    counted = await unit.rows(
        "SELECT day, event_type, channel, events FROM event_counts WHERE unit_id = $1 AND events > 0"
    )
    real = await unit.rows(
        """
        SELECT (occurred_at AT TIME ZONE 'UTC')::date AS day, event_type, channel, count(*) AS events
        FROM engagement_events WHERE unit_id = $1 GROUP BY 1, 2, 3
        """
    )
    assert {tuple(row) for row in counted} == {tuple(row) for row in real}
    (lane,) = await unit.rows("SELECT lead_count, last_seq FROM lanes WHERE unit_id = $1")
    (leads,) = await unit.rows("SELECT count(*) FROM leads WHERE unit_id = $1 AND merged_into IS NULL AND NOT deleting")
    (last,) = await unit.rows("SELECT coalesce(max(seq), 0) FROM engagement_events WHERE unit_id = $1")
    assert lane["lead_count"] == leads["count"]
    assert lane["last_seq"] >= last[0]


@asynccontextmanager
async def open_buffer(database: Database, capacity: int = 100_000) -> AsyncIterator[IngestBuffer]:
    buffer = IngestBuffer(database, capacity)
    await buffer.start()
    yield buffer
    await buffer.stop()


@asynccontextmanager
async def open_worker(database: Database, batch_size: int = 1000) -> AsyncIterator[tuple[Worker, Any]]:
    """A worker and its connection, for `worker.run_once(connection)`."""
    publisher = Publisher(f"memory://{new_id('bus')}")
    await publisher.connect()
    worker = Worker(database.url, publisher, batch_size)
    connection = await worker.connect()
    yield worker, connection
    await connection.close()
    await publisher.close()


async def score_all(database: Database, batch_sizes: Sequence[int]) -> None:
    """Lets a worker for each batch size run until the queue is empty."""

    async def work(worker: Worker, connection: Any) -> None:
        while await database.pool.fetchval("SELECT EXISTS (SELECT FROM ingest_queue)"):
            await worker.run_once(connection)

    async with AsyncExitStack() as stack, asyncio.timeout(60):
        workers = [await stack.enter_async_context(open_worker(database, size)) for size in batch_sizes]
        await asyncio.gather(*(work(*each) for each in workers))


async def new_unit(database: Database, config: UnitConfig, unit_id: str | None = None) -> Unit:
    """A unit with this configuration; the first ruleset is the primary one."""
    unit = Unit(database, unit_id or new_id("unit"))
    org_id = new_id("org")
    async with database.session() as session, session.begin():
        session.add(Organisation(org_id=org_id, name="Acme", allow_negative_scores=config.allow_negative_scores))
        await session.flush()
        surging = bool(config.surge_triggers)
        names = {"name": "Unit", "slug": "unit"}
        session.add(OrgUnit(unit_id=unit.unit_id, org_id=org_id, surge_triggers_enabled=surging, **names))
        session.add(Lane(unit_id=unit.unit_id))
        session.add_all(_rows(config, unit.unit_id, org_id))
    return unit


def _rows(config: UnitConfig, unit_id: str, org_id: str) -> list[Any]:
    own = {"unit_id": unit_id, "org_id": org_id, "created_at": datetime(2026, 1, 1, tzinfo=UTC)}
    rows: list[Any] = []
    for i, ruleset in enumerate(config.rulesets):
        bounds = {"start_at": ruleset.start_at, "end_at": ruleset.end_at}
        ruleset_id = ruleset.ruleset_id
        rows.append(Ruleset(**own, **bounds, ruleset_id=ruleset_id, name=ruleset_id, is_primary=i == 0))
        for rule in ruleset.rules.values():
            bounds = {"start_at": rule.start_at, "end_at": rule.end_at}
            fields = {"rule_id": rule.rule_id, "event_type": rule.event_type, "weight": rule.weight}
            rows.append(Rule(**own, **bounds, **fields, ruleset_id=ruleset_id))
    filters = [each for filters in config.filters.values() for each in filters]
    rows += [_filter_row(own, i, each) for i, each in enumerate(filters)]
    for name, scope in config.ceilings.items():
        rows.append(EventType(unit_id=unit_id, name=name, max_processing_scope=scope))
    for each in config.surge_triggers:
        seconds = each.window // timedelta(seconds=1)
        counted = {"event_type": each.event_type, "threshold_count": each.threshold_count, "window_seconds": seconds}
        rows.append(SurgeTriggerRow(**own, **counted, trigger_id=each.trigger_id, emails=["ada@acme.example"]))
    if config.surge is not surge.STANDARD:
        rows.append(_surge_row(unit_id, config.surge))
    return rows


def _filter_row(own: dict[str, Any], i: int, each: VelocityFilter) -> VelocityFilterRow:
    return VelocityFilterRow(
        **own,
        filter_id=f"fl_{i}",
        event_type=each.event_type,
        count_threshold=each.count_threshold,
        time_window_ms=each.time_window_ms,
        group_events=each.group_events,
    )


def _surge_row(unit_id: str, policy: surge.SurgePolicy) -> SurgePolicyRow:
    bands = [
        {"min_events": band.min_events, "max_events": band.max_events, "multiplier": band.multiplier}
        for band in policy.bands
    ]
    return SurgePolicyRow(
        unit_id=unit_id,
        mode=policy.mode,
        bands=bands,
        idle_reset_seconds=policy.idle_reset_seconds,
        multiplier_cap=policy.multiplier_cap,
    )
