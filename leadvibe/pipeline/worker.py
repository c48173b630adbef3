"""The scoring worker: takes batches off the queue, scores them, and tells who listens."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

import asyncpg
from cachetools import LRUCache

from leadvibe import metrics, tracing
from leadvibe.pipeline import batch
from leadvibe.pipeline.duty import stay_at_work, wait_for_either
from leadvibe.scoring.model import UnitConfig
from leadvibe.scoring.segments import SegmentPlan
from leadvibe.store import outbox, queue, segment_config, unit_config, usage
from leadvibe.store.database import BY_KEY_ONLY, connect
from leadvibe.store.event_log import name_event_types
from leadvibe.store.partitions import Month, existing_months, make_partitions, month_of
from leadvibe.store.queue import WAKE_CHANNEL, WORKER_NAME, AnyConnection, LaneState

# How late an event is found whose wake-up was lost.
_POLL_SECONDS = 1.0
_LONGEST_BACKOFF_SECONDS = 10.0
_UNITS_REMEMBERED = 10_000

_log = logging.getLogger(__name__)


class Publisher(Protocol):
    async def publish(self, unit_id: str, from_seq: int, to_seq: int) -> None: ...


@dataclass(frozen=True, slots=True)
class BatchResult:
    """Events from_seq … to_seq of a unit are scored and committed. `told`: messages of firings wait."""

    from_seq: int
    to_seq: int
    told: bool

    @property
    def count(self) -> int:
        return self.to_seq - self.from_seq + 1


@dataclass(slots=True)
class _Known:
    """What a worker remembers of a unit."""

    version: int
    config: UnitConfig
    segments: SegmentPlan
    event_types: set[str] = field(default_factory=set)


class _Rest(NamedTuple):
    """How long a unit whose batch failed is left alone, and until when."""

    seconds: float
    until: float


_NO_REST = _Rest(0.5, 0.0)


class _PartitionsMissing(Exception):
    """The batch has events of months that the log has no partition for."""

    def __init__(self, months: set[Month]) -> None:
        self.months = months


class Worker:
    """Scores unit after unit while there is work, then sleeps until it is woken.

    A crash at any point leaves every event either in the queue or scored: both are one transaction.
    """

    def __init__(self, database_url: str, publisher: Publisher, batch_size: int) -> None:
        self._url, self._publisher, self._batch_size = database_url, publisher, batch_size
        self._known: LRUCache[str, _Known] = LRUCache(_UNITS_REMEMBERED)
        self._resting: dict[str, _Rest] = {}
        self._months: set[Month] = set()
        self._woken = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set; finishes the batch at hand. Survives a database that goes away."""
        await stay_at_work(self.connect, self._work, stop)

    async def connect(self) -> Any:
        """The worker's one connection: it listens for wake-ups and shows that a worker is alive."""
        connection = await connect(self._url, WORKER_NAME, BY_KEY_ONLY)
        await connection.add_listener(WAKE_CHANNEL, lambda *_: self._woken.set())
        return connection

    async def _work(self, connection: Any, stopped: asyncio.Task[bool]) -> None:
        while not stopped.done():
            self._woken.clear()
            if not await self.run_once(connection):
                await wait_for_either(self._woken, stopped, _POLL_SECONDS)

    async def run_once(self, connection: AnyConnection) -> int:
        """Scores one batch of each unit that has work; the number of events scored."""
        total = 0
        for unit_id in await queue.units_with_work(connection):
            if self._resting.get(unit_id, _NO_REST).until > time.monotonic():
                continue
            result = await self._tried(connection, unit_id)
            if result is not None:
                total += result.count
                await self._publisher.publish(unit_id, result.from_seq, result.to_seq)
                if result.told:
                    await outbox.wake(connection)
        return total

    async def _tried(self, connection: AnyConnection, unit_id: str) -> BatchResult | None:
        """A batch whose failure is its unit's own: the unit rests, longer each time, and the others go on."""
        try:
            with tracing.span("score batch", unit=unit_id):
                result = await self._batch(connection, unit_id)
        except (OSError, TimeoutError):
            raise
        except Exception:
            if connection.is_closed():
                raise
            metrics.batches_failed.inc()
            seconds = min(self._resting.get(unit_id, _NO_REST).seconds * 2, _LONGEST_BACKOFF_SECONDS)
            self._resting[unit_id] = _Rest(seconds, time.monotonic() + seconds)
            _log.exception("A batch of %s failed and waits; it is tried again in %.1f s.", unit_id, seconds)
            return None
        self._resting.pop(unit_id, None)
        return result

    async def _batch(self, connection: AnyConnection, unit_id: str) -> BatchResult | None:
        """One transaction; None when another worker has the lane, or nothing waits any more."""
        try:
            async with connection.transaction():
                lane = await queue.lock_lane(connection, unit_id)
                rows = await queue.claim(connection, unit_id, self._batch_size) if lane else []
                if lane is None or not rows:
                    return None
                await self._need_partitions(connection, rows)
                began = time.monotonic()
                result = await self._score(connection, unit_id, lane, rows)
        except _PartitionsMissing as missing:
            await make_partitions(connection, missing.months)
            return await self._batch(connection, unit_id)
        except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError) as error:
            _log.info("A batch of %s is done again: %s", unit_id, error)
            self._known.pop(unit_id, None)
            return await self._batch(connection, unit_id)
        except BaseException:
            self._known.pop(unit_id, None)  # it may tell of event types that were never committed
            raise
        _measure(rows, time.monotonic() - began)
        return result

    async def _score(
        self, connection: AnyConnection, unit_id: str, lane: LaneState, rows: Sequence[batch.Row]
    ) -> BatchResult:
        now = datetime.now(UTC)
        known = await self._remember(connection, unit_id, lane.config_version)
        scored = await batch.process(connection, unit_id, known.config, known.segments, rows, lane.last_seq, now)
        await usage.count(connection, unit_id, [row["received_at"] for row in rows])
        if new := scored.event_types - known.event_types:
            await name_event_types(connection, unit_id, list(new), now)
            known.event_types |= new
        return BatchResult(lane.last_seq + 1, lane.last_seq + len(rows), scored.told)

    async def _remember(self, connection: AnyConnection, unit_id: str, version: int) -> _Known:
        """The unit's configuration; read anew when the lane says that it changed."""
        known = self._known.get(unit_id)
        if known is None or known.version != version:
            config, segments = (
                await unit_config.load(connection, unit_id),
                await segment_config.load(connection, unit_id),
            )
            known = self._known[unit_id] = _Known(version, config, segments)
        return known

    async def _need_partitions(self, connection: AnyConnection, rows: Sequence[batch.Row]) -> None:
        months = {month_of(row["occurred_at"]) for row in rows}
        if months <= self._months:
            return
        self._months = await existing_months(connection)
        if missing := months - self._months:
            raise _PartitionsMissing(missing)


def _measure(rows: Sequence[batch.Row], seconds: float) -> None:
    """What is told of a batch that is committed."""
    now = datetime.now(UTC)
    metrics.batch_events.observe(len(rows))
    metrics.batch_duration.observe(seconds)
    metrics.scoring_latency.observe_all([max(0.0, (now - row["received_at"]).total_seconds()) for row in rows])
