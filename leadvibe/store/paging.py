"""Keyset paging: a page starts behind the last row of the one before, however deep that is."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Generic, NamedTuple, TypeVar

import orjson
from sqlalchemy import ColumnElement, and_, false, or_
from sqlalchemy.orm import defer
from sqlalchemy.orm.attributes import set_committed_value
from sqlmodel import func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.errors import bad_request

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows of a list, each with the cursor that continues behind it; `total` counts the list (0 when nobody
    asked)."""

    rows: Sequence[T]
    cursors: Sequence[str]
    has_next: bool
    total: int


@dataclass(frozen=True, slots=True)
class SortKey:
    """One column of an order; nulls come last whichever way it runs."""

    column: Any
    descending: bool = True

    @property
    def nullable(self) -> bool:
        """Whether it can be null; what a query computes to sort by never is."""
        return getattr(self.column, "nullable", False)

    @property
    def clause(self) -> Any:
        if not self.descending:
            return self.column.asc()
        # Of a column without nulls an index has no "nulls last", and would not be used for it.
        return self.column.desc().nulls_last() if self.nullable else self.column.desc()


def encode_cursor(values: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(list(values))).decode().rstrip("=")


class Cursors(Sequence[str]):
    """The cursors of some rows, each made when it is asked for."""

    def __init__(self, rows: Sequence[Any], keys: Sequence[SortKey]) -> None:
        self._rows, self._values_of = rows, attrgetter(*(key.column.key for key in keys))

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        return encode_cursor(self._values_of(self._rows[index]))


def decode_cursor(cursor: str, keys: Sequence[SortKey], argument: str = "after") -> list[Any]:
    """The values of the row that a cursor names; 400, told of the argument, for anything this server did not make."""
    try:
        values = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return [_typed(value, key.column.type.python_type) for key, value in zip(keys, values, strict=True)]
    except (ValueError, TypeError, OverflowError):
        problem = {argument: "is not a cursor of this list"}
        raise bad_request("The cursor is not one of this list.", **problem) from None


def _typed(value: Any, kind: type) -> Any:
    if value is None:
        return None
    value = datetime.fromisoformat(value).astimezone(UTC) if kind is datetime else value
    # PostgreSQL takes none of these.
    if (kind is int and not -(2**63) <= value < 2**63) or (kind is str and "\0" in value):
        raise ValueError
    if type(value) is not kind:
        raise TypeError
    return value


def behind(keys: Sequence[SortKey], values: Sequence[Any]) -> ColumnElement[bool]:
    """The condition of all rows that follow the row with these values.

    The first key alone also bounds the range, so that an index on the order starts at the cursor.
    """
    cases = [
        and_(*(_same(key, value) for key, value in zip(keys[:i], values[:i], strict=True)), _after(keys[i], values[i]))
        for i in range(len(keys))
    ]
    first, value = keys[0], values[0]
    if value is None or first.nullable:
        return or_(*cases)
    return and_(first.column <= value if first.descending else first.column >= value, or_(*cases))


def _same(key: SortKey, value: Any) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = key.column.is_(None) if value is None else key.column == value
    return condition


def _after(key: SortKey, value: Any) -> ColumnElement[bool]:
    if value is None:
        return false()
    condition: ColumnElement[bool] = key.column < value if key.descending else key.column > value
    return or_(condition, key.column.is_(None)) if key.nullable else condition


class Reading(NamedTuple):
    """What of a page somebody wants to know. `total`: how many rows the list has. `without`: attributes of its rows
    that nobody looks at, JSON objects all of them; they are not read, and empty."""

    total: bool = True
    without: frozenset[str] = frozenset()


EVERYTHING = Reading()


async def read_rows(session: AsyncSession, query: Any, read: Reading) -> Sequence[Any]:
    """What a query of a table's rows finds: rows, or tuples that begin with one."""
    kind = query.column_descriptions[0]["entity"]
    found: Sequence[Any] = (
        await session.exec(query.options(*(defer(getattr(kind, name)) for name in read.without)))
    ).all()
    for each in found:
        for name in read.without:
            set_committed_value(each if isinstance(each, kind) else each[0], name, {})
    return found


async def read_page(
    session: AsyncSession,
    query: Any,
    keys: Sequence[SortKey],
    limit: int,
    after: str | None,
    offset: int,
    read: Reading,
    count: Callable[[], Awaitable[int]],
) -> Page[Any]:
    """`limit` of the rows of a table that a query finds, in the order of the keys, behind the cursor `after`, or from
    `offset` on (the REST pages)."""
    if after is not None:
        query = query.where(behind(keys, decode_cursor(after, keys)))
    query = query.order_by(*(key.clause for key in keys)).limit(limit + 1).offset(offset)
    rows = await read_rows(session, query, read)
    total = await count() if read.total else 0
    return Page(rows[:limit], Cursors(rows[:limit], keys), len(rows) > limit, total)


# A list counts its rows up to here; beyond that it tells about how many there are.
MOST_COUNTED = 10_000


async def bounded_count(session: AsyncSession, rows: Any) -> int:
    """How many rows a query has: exact up to MOST_COUNTED, and beyond that what the planner expects, but
    never less."""
    found = (await session.exec(select(func.count()).select_from(rows.limit(MOST_COUNTED + 1).subquery()))).one()
    if found <= MOST_COUNTED:
        return int(found)
    connection = await session.connection()
    compiled = rows.compile(connection.sync_connection, compile_kwargs={"render_postcompile": True})
    values = tuple(compiled.params[name] for name in compiled.positiontup or ())
    plan = await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {compiled}", values)
    (root,) = plan.scalar_one()
    return max(int(root["Plan"]["Plan Rows"]), MOST_COUNTED + 1)


def skipping(columns: Sequence[Any], conditions: Sequence[Any], keys: Sequence[SortKey], offset: int, most: int) -> Any:
    """What names the rows of a deep page. The rows before it are skipped in the index, and never read."""
    query = select(*columns).where(*conditions).order_by(*(each.clause for each in keys))
    return query.offset(offset).limit(most)
