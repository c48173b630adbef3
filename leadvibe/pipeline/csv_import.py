"""Events from a CSV file, row by row, in bounded memory (contract: "POST /import")."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import orjson

from leadvibe.errors import ApiError, bad_request
from leadvibe.pipeline.buffer import Result
from leadvibe.pipeline.events import ALIAS_KINDS, IncomingEvent, read_event

# Rows that are accepted with one commit.
_ROWS_AT_ONCE = 2_000
# Problems that a report names; more are only counted.
_MOST_PROBLEMS = 1_000
# In characters. A row with the largest metadata, every quote of it doubled, is shorter.
_LONGEST_RECORD = 512 * 1024

csv.field_size_limit(_LONGEST_RECORD)

_QUOTES = re.compile('"+')
# What bytes become that are not UTF-8 (surrogateescape), so that they spoil no row but their own.
_NOT_UTF_8 = re.compile("[\udc80-\udcff]")

Accept = Callable[[list[IncomingEvent]], Awaitable[Sequence[Result]]]
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class RowProblem:
    """Why the row that begins at this line of the file did not go in."""

    line: int
    reason: str


@dataclass(slots=True)
class ImportReport:
    """`imported` rows are on disk (duplicates of earlier ones count); `errors` rows are not."""

    imported: int = 0
    errors: int = 0
    problems: list[RowProblem] = field(default_factory=list)

    def refuse(self, line: int, reason: str) -> None:
        self.errors += 1
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(RowProblem(line, reason))


async def import_csv(
    chunks: AsyncIterator[bytes],
    accept: Accept,
    skip_triggers: bool = False,
    progress: Progress | None = None,
    report: ImportReport | None = None,
) -> ImportReport:
    """Accepts the good rows; reports the bad ones by line. `progress` hears how many bytes were read;
    `report`, when given, is the one that is filled, so that it can be read meanwhile.

    Raises 400 when the file does not begin with a header that can be read and has an `event_type` column, and
    what `accept` raises; the groups of rows that it took before are in.
    """
    importer = _Importer(accept, skip_triggers, ImportReport() if report is None else report)
    decoder = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
    records = _Records()
    async for chunk in chunks:
        for line, record in records.feed(decoder.decode(chunk)):
            await importer.take(line, record)
        if progress is not None:
            progress(len(chunk))
    for line, record in chain(records.feed(decoder.decode(b"", final=True)), records.finish()):
        await importer.take(line, record)
    return await importer.finish()


# A record and the line it begins at; a text instead of cells says why it cannot be read.
Record = tuple[int, list[str] | str]


class _Records:
    """Cuts text into CSV records; quoted cells may hold line ends.

    A quote that is never closed would swallow the rest of the file: when no end is in sight its line
    is given up, and reading goes on with the next one. So it does behind a line that is too long.
    """

    def __init__(self) -> None:
        self.line = 1
        self._text = ""
        self._lines: list[str] = []
        self._size = 0
        self._inside = False

    def feed(self, text: str) -> Iterator[Record]:
        *lines, rest = (self._text + text).split("\n")
        for line in lines:
            yield from self._take(line)
        self._text = rest[:_LONGEST_RECORD]  # of a longer line nothing will be read

    def finish(self) -> Iterator[Record]:
        if self._text:
            yield from self._take(self._text)
        while self._lines:
            yield from self._give_up()

    def _take(self, line: str) -> Iterator[Record]:
        self._lines.append(line)
        self._size += len(line) + 1
        self._inside = _ends_inside(line, self._inside)
        if self._size > _LONGEST_RECORD:
            yield from self._give_up()
        elif not self._inside:
            text = "\n".join(self._lines).removesuffix("\r")
            try:
                yield self.line, next(csv.reader([text], strict=True), [])
            except csv.Error as error:
                if len(self._lines) > 1:  # an open quote met one of a later row: that row may be good
                    yield from self._give_up()
                    return
                yield self.line, f"The row is not valid CSV: {error}."
            self._next(len(self._lines))

    def _give_up(self) -> Iterator[Record]:
        too_long = len(self._lines[0]) >= _LONGEST_RECORD
        yield self.line, "The row is too long." if too_long else "A quote is opened and never closed."
        again = self._lines[1:]
        self._next(1)
        for line in again:
            yield from self._take(line)

    def _next(self, lines: int) -> None:
        self.line += lines
        self._lines, self._size, self._inside = [], 0, False


def _ends_inside(line: str, inside: bool) -> bool:
    """Whether a quoted cell is open at the line's end. Only at a cell's beginning does a quote open it."""
    for run in _QUOTES.finditer(line):
        count, start = len(run[0]), run.start()
        if inside:
            inside = count % 2 == 0  # a doubled quote stands for one and closes nothing
        elif start == 0 or line[start - 1] == ",":
            inside = count % 2 == 1  # the first opens; an even number is an empty cell or a closed one
    return inside


class _Importer:
    """Turns records into events and hands them on in groups."""

    def __init__(self, accept: Accept, skip_triggers: bool, report: ImportReport) -> None:
        self._accept, self._skip_triggers = accept, skip_triggers
        self._columns: list[str] | None = None
        self._report = report
        self._waiting: list[tuple[int, IncomingEvent]] = []

    async def take(self, line: int, record: list[str] | str) -> None:
        if not record:
            return  # a blank line
        if self._columns is None:
            self._columns = _header(line, record)
        elif isinstance(record, str):
            self._report.refuse(line, record)
        else:
            try:
                self._waiting.append((line, self._event(record)))
            except ApiError as error:
                self._report.refuse(line, error.message)
            if len(self._waiting) >= _ROWS_AT_ONCE:
                await self.flush()

    async def finish(self) -> ImportReport:
        if self._columns is None:
            raise bad_request("The file is empty.", file="must begin with a header row")
        await self.flush()
        return self._report

    def _event(self, record: list[str]) -> IncomingEvent:
        assert self._columns is not None
        if _is_garbled(record):
            raise bad_request("The row is not UTF-8.")
        if len(record) != len(self._columns):
            raise bad_request(f"The row has {len(record)} cells, the header {len(self._columns)}.")
        cells = {name: cell for name, cell in zip(self._columns, record, strict=True) if cell != ""}
        body: dict[str, Any] = {
            name: cells[name]
            for name in ("event_type", "lead_id", "timestamp", "event_id", "message_id")
            if name in cells
        }
        body["aliases"] = [{"alias_kind": kind, "raw_value": cells[kind]} for kind in ALIAS_KINDS if kind in cells]
        if "metadata" in cells:
            try:
                body["metadata"] = orjson.loads(cells["metadata"])
            except orjson.JSONDecodeError:
                raise bad_request("The metadata is not valid JSON.") from None
        return read_event(body, datetime.now(UTC), skip_triggers=self._skip_triggers)

    async def flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        results = await self._accept([event for _, event in waiting])
        for (line, _), result in zip(waiting, results, strict=True):
            if isinstance(result, ApiError):
                self._report.refuse(line, result.message)
            else:
                self._report.imported += 1


def _is_garbled(record: list[str]) -> bool:
    return any(not cell.isascii() and _NOT_UTF_8.search(cell) for cell in record)


def _header(line: int, record: list[str] | str) -> list[str]:
    if isinstance(record, str):
        raise bad_request(f"The header cannot be read: {record}", file="must begin with a header row")
    if _is_garbled(record):
        raise bad_request(f"The file is not UTF-8 (line {line}).", file="must be UTF-8")
    columns = [name.strip().lower() for name in record]
    if "event_type" not in columns:
        raise bad_request("The file has no event_type column.", file="must name event_type in its header")
    if "lead_id" not in columns and not set(ALIAS_KINDS) & set(columns):
        raise bad_request("No column names the lead.", file=f"must have lead_id or one of {', '.join(ALIAS_KINDS)}")
    if len(set(columns)) < len(columns):
        raise bad_request("A column is there twice.", file="must have each column once")
    return columns
