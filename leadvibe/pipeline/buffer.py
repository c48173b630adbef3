"""The ingest buffer of an API process: many waiting requests share one commit."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from contextvars import Context
from itertools import islice
from typing import NamedTuple

import asyncpg

from leadvibe import metrics
from leadvibe.errors import ApiError, conflict, unavailable
from leadvibe.pipeline.events import IncomingEvent
from leadvibe.store.database import Database
from leadvibe.store.queue import WAKE_CHANNEL, AnyConnection, claim_keys, enqueue

# A flush takes what waits, up to this many events: some 10 ms of COPY.
_MOST_IN_A_FLUSH = 5_000
# Units whose flushes may run at once; each takes a connection of the pool.
_UNITS_AT_ONCE = 4
# Workers are woken once for all that was written in this time; one that works finds new events anyway.
_SECONDS_BETWEEN_WAKES = 0.005

_log = logging.getLogger(__name__)


class Receipt(NamedTuple):
    """The event is on disk. `duplicate`: it was before, and `event_id` is the one of that time."""

    event_id: str
    duplicate: bool = False


Result = Receipt | ApiError


class _Group(NamedTuple):
    """The events of one request, and who waits for them."""

    events: Sequence[IncomingEvent]
    done: asyncio.Future[list[Result]]
    since: float


class IngestBuffer:
    """Group commit without a timer: while a unit's flush runs, the next one fills.

    Holds at most `capacity` events, or one larger request; beyond that it answers 503, so that a slow disk
    cannot fill the memory.
    """

    def __init__(self, database: Database, capacity: int) -> None:
        self._database, self._capacity = database, capacity
        self._units: dict[str, deque[_Group]] = {}
        self._flushes: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(_UNITS_AT_ONCE)
        self._waiting = 0
        self._open = False
        self._freed, self._written = asyncio.Event(), asyncio.Event()
        self._waker: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many events wait for their commit."""
        return self._waiting

    async def start(self) -> None:
        self._open = True
        self._waker = asyncio.create_task(self._wake_workers(), name="wake workers")

    async def stop(self) -> None:
        """Takes nothing more and returns when all that was taken is on disk."""
        self._open = False
        await asyncio.gather(*self._flushes.values())
        if self._waker is not None:
            self._waker.cancel()
        if self._written.is_set():
            await self._notify()

    async def accept(self, unit_id: str, events: Sequence[IncomingEvent], patient: bool = False) -> list[Result]:
        """A receipt or error for each event, in their order, once the good ones are on disk.

        Raises 503 when the buffer is full or closed, or the database fails: nothing was accepted then,
        except if the connection broke during the commit; a retry with an `event_id` is safe in any case.
        Who is `patient` waits until a full buffer has room.
        """
        if not events:
            return []
        while patient and self._open and not self._has_room(events):
            self._freed.clear()
            await self._freed.wait()
        if not self._open:
            raise unavailable("The server is stopping; send the events again.", "stopping")
        if not self._has_room(events):
            metrics.ingest_refused.inc(len(events))
            raise unavailable("More events arrive than can be written; send these again.")
        group = _Group(events, asyncio.get_running_loop().create_future(), time.monotonic())
        self._waiting += len(events)
        self._units.setdefault(unit_id, deque()).append(group)
        if unit_id not in self._flushes:
            self._flushes[unit_id] = asyncio.create_task(
                # In a context of its own: it serves many requests, and its log lines are of none of them.
                self._flush(unit_id),
                name=f"flush {unit_id}",
                context=Context(),
            )
        return await group.done

    def _has_room(self, events: Sequence[IncomingEvent]) -> bool:
        return self._waiting == 0 or self._waiting + len(events) <= self._capacity

    async def _flush(self, unit_id: str) -> None:
        """Writes until nothing waits for this unit."""
        waiting = self._units[unit_id]
        while waiting:
            async with self._slots:
                groups = _take(waiting)
                try:
                    await self._write(unit_id, groups)
                finally:
                    self._waiting -= sum(len(group.events) for group in groups)
                    self._freed.set()
        del self._units[unit_id], self._flushes[unit_id]

    async def _wake_workers(self) -> None:
        while True:
            await self._written.wait()
            self._written.clear()
            await self._notify()
            await asyncio.sleep(_SECONDS_BETWEEN_WAKES)

    async def _notify(self) -> None:
        try:
            await self._database.pool.execute(f"NOTIFY {WAKE_CHANNEL}")
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            _log.warning("Workers could not be woken, they will look for themselves: %r", error)

    async def _write(self, unit_id: str, groups: list[_Group]) -> None:
        """One transaction for all groups; if their data is refused, one for each, so that none fails
        for its neighbour."""
        try:
            async with self._database.pool.acquire() as connection:
                results = await _commit(connection, unit_id, [event for group in groups for event in group.events])
        except asyncpg.DataError as error:
            if len(groups) > 1:
                for group in groups:
                    await self._write(unit_id, [group])
            else:
                _log.exception("The database refused an event that passed validation.")
                _fail(groups[0], ApiError(400, "invalid_event", f"The event cannot be stored: {error}"))
            return
        except Exception:
            _log.exception("Events of %s could not be written.", unit_id)
            for group in groups:
                _fail(group, unavailable("The database does not answer; send the events again.", "unavailable"))
            return
        self._written.set()
        now = time.monotonic()
        metrics.ingest_latency.observe_all([now - group.since for group in groups])
        remaining = iter(results)
        for group in groups:
            mine = list(islice(remaining, len(group.events)))
            if not group.done.done():  # the client may have left
                group.done.set_result(mine)


def _take(waiting: deque[_Group]) -> list[_Group]:
    groups = [waiting.popleft()]
    size = len(groups[0].events)
    while waiting and size + len(waiting[0].events) <= _MOST_IN_A_FLUSH:
        groups.append(waiting.popleft())
        size += len(groups[-1].events)
    return groups


def _fail(group: _Group, error: ApiError) -> None:
    if not group.done.done():
        group.done.set_exception(error)


async def _commit(connection: AnyConnection, unit_id: str, events: list[IncomingEvent]) -> list[Result]:
    if all(event.key is None for event in events):
        await enqueue(connection, unit_id, events)  # one statement: a transaction by itself
        metrics.events_ingested.inc(len(events))
        return [Receipt(event.event_id) for event in events]
    async with connection.transaction():
        results = await _known(connection, unit_id, events)
        fresh = [event for event, result in zip(events, results, strict=True) if result is None]
        if fresh:
            await enqueue(connection, unit_id, fresh)
    metrics.events_ingested.inc(len(fresh))
    return [result or Receipt(event.event_id) for event, result in zip(events, results, strict=True)]


async def _known(connection: AnyConnection, unit_id: str, events: list[IncomingEvent]) -> list[Result | None]:
    """For each event, what its key says: None is new, a Receipt a duplicate, an ApiError a conflict."""
    firsts: dict[str, IncomingEvent] = {}
    for event in events:
        if event.key is not None:
            firsts.setdefault(event.key, event)
    before = await claim_keys(connection, unit_id, dict(firsts))

    def verdict(event: IncomingEvent) -> Result | None:
        if event.key is None:
            return None
        first = firsts[event.key]
        digest, event_id = before.get(event.key, (first.digest, first.event_id))
        if event is first and event.key not in before:
            return None
        if digest != event.digest:
            return conflict("This key was used for an event with other content.", "idempotency_conflict")
        return Receipt(event_id, duplicate=True)

    return [verdict(event) for event in events]
