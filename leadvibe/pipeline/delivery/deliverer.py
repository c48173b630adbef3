"""Takes due deliveries off the outbox and has them sent: many at once, and none waits for another's receiver."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from asyncpg import Record
from cachetools import LRUCache

from leadvibe import metrics, tracing
from leadvibe.pipeline.delivery.retries import MOST_AT_ONCE, Breaker, wait_seconds
from leadvibe.pipeline.delivery.sender import Failed, Message, Refused, Sender
from leadvibe.pipeline.duty import stay_at_work, wait_for_either
from leadvibe.store import delivery_queue as queue
from leadvibe.store.database import BY_KEY_ONLY, connect
from leadvibe.store.delivery_queue import Result
from leadvibe.store.outbox import WAKE_CHANNEL, host_of

# What bounds the memory, and what keeps a unit from taking all of it.
_MOST_RUNNING = 256
_MOST_RUNNING_OF_UNIT = 64
_MOST_BREAKERS = 10_000

_POLL_SECONDS = 1.0
# What is being sent when the process is told to stop gets this long.
_GRACE_SECONDS = 5.0

_LONGEST_ERROR = 500

_log = logging.getLogger(__name__)


class Deliverer:
    """Several may run: a delivery is claimed by one, for three times the time that a receiver may take.

    A sender is cut off after two thirds of that, so that nobody sends what another has claimed meanwhile.
    """

    def __init__(
        self, url: str, senders: Mapping[str, Sender], retry_seconds: float = 60.0, timeout_seconds: float = 10.0
    ) -> None:
        self._url = url
        self._senders = senders
        self._retry_seconds = retry_seconds
        self._poll_seconds = min(_POLL_SECONDS, retry_seconds)
        self._cut_off = 2 * timeout_seconds
        self._lease = timedelta(seconds=3 * timeout_seconds)
        self._breakers: LRUCache[tuple[str, str], Breaker] = LRUCache(_MOST_BREAKERS)
        self._tasks: set[asyncio.Task[None]] = set()
        # In hand, by unit, and by unit and host: being sent, or sent and not yet written down.
        self._in_hand: Counter[str] = Counter()
        self._at_host: Counter[tuple[str, str]] = Counter()
        self._results: list[tuple[Message, Result]] = []
        self._woken = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set; what is being sent may end. Survives a database that goes away."""
        try:
            await stay_at_work(self._connect, self._work, stop)
        finally:
            await self._break_off()

    async def _connect(self) -> Any:
        connection = await connect(self._url, queue.DELIVERER_NAME, BY_KEY_ONLY)
        await connection.add_listener(WAKE_CHANNEL, lambda *_: self._woken.set())
        return connection

    async def _work(self, connection: Any, stopped: asyncio.Task[bool]) -> None:
        while not stopped.done():
            self._woken.clear()
            await self._save(connection)
            await self._claim(connection)
            await wait_for_either(self._woken, stopped, self._poll_seconds)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_GRACE_SECONDS)
        await self._break_off()
        await self._save(connection)

    async def _break_off(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks)

    async def _claim(self, connection: Any) -> None:
        """Starts what is due, as far as its destination and the bounds allow."""
        now = datetime.now(UTC)
        for unit_id in await queue.units_with_due(connection, now):
            if not self._room_of_unit(unit_id):
                continue
            destinations = await queue.due_destinations(connection, unit_id, now)
            random.shuffle(destinations)  # when there is not room for all, it is not always the same that wait
            for destination in destinations:
                breaker = self._breaker(unit_id, destination)
                most = min(breaker.free(time.monotonic()), self._room(unit_id, destination))
                if most:
                    rows = await queue.claim(connection, unit_id, destination, datetime.now(UTC), self._lease, most)
                    for row in rows:
                        self._start(_message(unit_id, row), breaker)

    def _room(self, unit_id: str, destination: str) -> int:
        at_host = MOST_AT_ONCE - self._at_host[unit_id, host_of(destination)]
        return max(0, min(self._room_of_unit(unit_id), at_host))

    def _room_of_unit(self, unit_id: str) -> int:
        return max(0, min(_MOST_RUNNING - self._in_hand.total(), _MOST_RUNNING_OF_UNIT - self._in_hand[unit_id]))

    def _breaker(self, unit_id: str, destination: str) -> Breaker:
        key = unit_id, destination
        if key not in self._breakers:
            self._breakers[key] = Breaker(self._retry_seconds)
        return self._breakers[key]

    def _start(self, message: Message, breaker: Breaker) -> None:
        self._in_hand[message.unit_id] += 1
        self._at_host[message.unit_id, host_of(message.destination)] += 1
        breaker.running += 1
        task = asyncio.create_task(self._deliver(message, breaker))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, message: Message, breaker: Breaker) -> None:
        """One try, from its start to its result; the result is written down by the next round."""
        started, began = datetime.now(UTC), time.monotonic()
        code, error, retry_at, counts = None, None, None, True
        try:
            with tracing.span("deliver", unit=message.unit_id, channel=message.channel):
                code = await self._send(message)
            outcome = "delivered"
            breaker.succeeded()
        except Refused as refusal:
            outcome, code, error = "refused", refusal.status_code, str(refusal)
            breaker.succeeded()  # who refuses is there
        except Failed as failure:
            outcome, code, error = "failed", failure.status_code, str(failure)
            breaker.failed(time.monotonic(), failure.retry_after)
            wait = wait_seconds(message.tries_left, self._retry_seconds, failure.retry_after)
            retry_at = None if wait is None else datetime.now(UTC) + timedelta(seconds=wait)
        except asyncio.CancelledError:  # only when the process stops: another one takes it up
            outcome, error, retry_at, counts = "failed", "The server stopped.", datetime.now(UTC), False
        seconds = time.monotonic() - began
        cut = None if error is None else error.replace("\0", "")[:_LONGEST_ERROR]
        result = Result(message.delivery_id, message.attempt, outcome, code, cut, started, seconds, retry_at, counts)
        self._results.append((message, result))
        self._woken.set()

    async def _send(self, message: Message) -> int | None:
        sender = self._senders.get(message.channel)
        if sender is None:
            raise Refused(f"Nothing sends to {message.channel}.")
        try:
            async with asyncio.timeout(self._cut_off):
                return await sender.send(message)
        except (Refused, Failed):
            raise
        except TimeoutError:
            raise Failed(f"It was not taken within {self._cut_off:g} seconds.") from None
        except Exception as error:
            _log.exception("The delivery %s failed in an unforeseen way.", message.delivery_id)
            raise Failed(f"The server failed: {type(error).__name__}.") from None

    async def _save(self, connection: Any) -> None:
        """Writes down what has ended; what cannot be written stays in hand."""
        taken = list(self._results)
        by_unit: dict[str, list[Result]] = {}
        for message, result in taken:
            by_unit.setdefault(message.unit_id, []).append(result)
        for unit_id, results in by_unit.items():
            await queue.finish(connection, unit_id, results, datetime.now(UTC))
        del self._results[: len(taken)]
        for message, result in taken:
            self._in_hand[message.unit_id] -= 1
            self._at_host[message.unit_id, host_of(message.destination)] -= 1
            _count(message, result)
        # Forgets the units and hosts with nothing in hand.
        self._in_hand += Counter()
        self._at_host += Counter()


def _message(unit_id: str, row: Record) -> Message:
    return Message(
        unit_id=unit_id,
        delivery_id=row["delivery_id"],
        firing_id=row["firing_id"],
        type=row["trigger_type"],
        channel=row["channel"],
        destination=row["destination"],
        target=row["target"],
        payload=row["payload"],
        attempt=row["attempts"],
        tries_left=row["tries_left"],
        received_at=row["received_at"],
    )


def _count(message: Message, result: Result) -> None:
    metrics.deliveries.labels(message.channel, result.outcome).inc()
    if message.channel == "slack" and result.outcome == "delivered":
        ended = result.started_at + timedelta(seconds=result.seconds)
        metrics.event_to_slack_latency.observe(max(0.0, (ended - message.received_at).total_seconds()))
