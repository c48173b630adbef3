"""The audit trail of an API process: requests leave a note here, and are written in batches behind them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

import asyncpg

from leadvibe import metrics
from leadvibe.ids import new_id
from leadvibe.pipeline.audit_words import verb_of
from leadvibe.store import audit_log
from leadvibe.store.database import Database

_SECONDS_BETWEEN_FLUSHES = 1.0
# So many wait for no clock, and go in one COPY.
_ENOUGH = 2_000
# Of requests that are alike but for their time, more than so many in a batch become one entry: a client that
# sends a thousand a second would else fill the disk with the same line.
MOST_ALIKE = 20
# An index takes no text of more than some 2,700 bytes.
_LONGEST_PATH = 500
_MOST_MILLISECONDS = 2**31 - 1

_log = logging.getLogger(__name__)


class Kind(NamedTuple):
    """What requests that are alike have in common. Without a `unit_id` the request had no active unit. `name`: the
    actor's at that time: it may be removed, or called otherwise, when this is written."""

    org_id: str
    unit_id: str | None
    actor: str
    name: str
    method: str
    path: str
    status: int
    code: str | None
    ip: str
    mutates: bool = False
    operation: str | None = None
    fields: tuple[str, ...] = ()


class Note(NamedTuple):
    """One request: `at` is when it ended, in seconds of the clock, and `seconds` how long it took."""

    kind: Kind
    at: float
    seconds: float
    request_id: str


class AuditTrail:
    """Takes notes without waiting, at most `capacity` of them; what does not fit is counted and told in the log."""

    def __init__(self, database: Database, capacity: int = 20_000) -> None:
        self._database, self._capacity = database, capacity
        self._notes: list[Note] = []
        self._dropped = 0
        self._open = False
        self._enough = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    def add(self, note: Note) -> None:
        """Takes a note, which is written within about a second."""
        if len(self._notes) >= self._capacity:
            self._drop(1)
            return
        self._notes.append(note)
        if len(self._notes) == _ENOUGH:
            self._enough.set()

    def start(self) -> None:
        self._open = True
        self._writer = asyncio.create_task(self._keep_writing(), name="audit trail")

    async def stop(self) -> None:
        """Writes what is left; what the database does not take now is lost, and the log tells of it."""
        self._open = False
        self._enough.set()
        if self._writer is not None:
            await self._writer
        await self.flush()
        self._drop(len(self._notes))
        self._tell()

    async def flush(self) -> None:
        """Writes all notes; they are kept for the next time when the database does not answer."""
        self._enough.clear()
        while notes := self._notes[:_ENOUGH]:
            del self._notes[: len(notes)]
            try:
                await self._write(notes)
            except asyncpg.DataError:
                _log.exception("The database refused entries of the audit log.")
                self._drop(len(notes))
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _log.warning("The audit log cannot be written, and is tried again: %r", error)
                self._take_back(notes)
                return

    async def _keep_writing(self) -> None:
        while self._open:
            with suppress(TimeoutError):
                async with asyncio.timeout(_SECONDS_BETWEEN_FLUSHES):
                    await self._enough.wait()
            await self.flush()
            self._tell()

    def _take_back(self, notes: list[Note]) -> None:
        """Puts them before those that came meanwhile; the newest give way."""
        self._notes[:0] = notes
        if (surplus := len(self._notes) - self._capacity) > 0:
            del self._notes[-surplus:]
            self._drop(surplus)

    def _drop(self, count: int) -> None:
        self._dropped += count
        metrics.audit_dropped.inc(count)

    def _tell(self) -> None:
        if self._dropped:
            _log.warning("%d requests are missing in the audit log: it could not be written in time.", self._dropped)
            self._dropped = 0

    async def _write(self, notes: Sequence[Note]) -> None:
        kinds: dict[Kind, list[Note]] = {}
        for note in notes:
            kinds.setdefault(note.kind, []).append(note)
        placeless = {kind.org_id for kind in kinds if kind.unit_id is None}
        units = await audit_log.default_units(self._database, placeless) if placeless else {}
        rows = []
        for kind, alike in kinds.items():
            unit_id = kind.unit_id or units.get(kind.org_id)
            if unit_id is None:  # the organisation is gone
                continue
            counted = [(note, 1) for note in alike] if len(alike) <= MOST_ALIKE else [(_slowest(alike), len(alike))]
            rows += [_row(unit_id, note, requests) for note, requests in counted]
        if rows:
            await audit_log.append(self._database, rows)


def _slowest(notes: Sequence[Note]) -> Note:
    return max(notes, key=lambda note: note.seconds)


def _row(unit_id: str, note: Note, requests: int) -> tuple[object, ...]:
    """In the order of the table's columns."""
    kind = note.kind
    path = kind.path.replace("\0", "\ufffd")[:_LONGEST_PATH]
    return (
        unit_id,
        datetime.fromtimestamp(note.at, UTC),
        new_id("al"),
        kind.org_id,
        kind.actor,
        kind.name,
        kind.method,
        path,
        kind.status,
        kind.code,
        kind.ip,
        min(round(note.seconds * 1000), _MOST_MILLISECONDS),
        note.request_id,
        requests,
        verb_of(kind.method, path, kind.mutates, kind.fields),
        kind.operation,
        list(kind.fields),
    )
