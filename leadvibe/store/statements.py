"""Lists that asyncpg reads by itself: a query is built once for each of its shapes, and answers rows that have only
the columns that were asked for. A session would build, compile and map it anew each time."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, NamedTuple, Self

import asyncpg
from sqlalchemy import JSON, Boolean, ColumnElement, DateTime, Integer, Text, cast, func, literal_column
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

_DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]


class Statement(NamedTuple):
    """A query as asyncpg takes it, the names of its parameters in their order, and the values it came with."""

    text: str
    names: tuple[str, ...]
    values: Mapping[str, Any]

    @classmethod
    def of(cls, query: Any) -> Self:
        compiled = query.compile(dialect=_DIALECT)
        return cls(str(compiled), tuple(compiled.positiontup or ()), compiled.params)

    async def fetch(
        self, pool: asyncpg.Pool[asyncpg.Record], row_type: type[Any], values: Mapping[str, Any]
    ) -> list[Any]:
        """The rows, each as a `row_type`, with these values of its parameters."""
        known = {**self.values, **values}
        rows = await pool.fetch(self.text, *[known[name] for name in self.names])
        return list(map(row_type._make, rows))


class Encoding(NamedTuple):
    """What rows are written as by PostgreSQL: JSON objects of these fields, by key and column of the table (None: the
    name of the `kind`, which all have). `placed`: whether the rows also have the columns of their order."""

    kind: str
    fields: tuple[tuple[str, str | None], ...]
    placed: bool

    def of(self, table: Any) -> ColumnElement[str]:
        """The JSON of a row, to the byte what the server makes of its values itself. A key is a plain name."""
        parts: list[Any] = []
        for place, (key, column) in enumerate(self.fields):
            value = literal_column(f"'\"{self.kind}\"'") if column is None else _value(getattr(table, column))
            parts += [literal_column(f"""'{"," if place else "{"}"{key}":'"""), value]
        return func.concat(*parts, literal_column("'}'"))


class EncodedRow:
    """A row that was written as JSON, with these keys. What else it has are the columns of its order."""

    __slots__ = ()
    keys: ClassVar[tuple[str, ...]]
    json: str


@cache
def row_type(attributes: tuple[str, ...]) -> type[Any]:
    """Rows with these attributes."""
    return namedtuple("Row", attributes)


@cache
def encoded_row_type(encoding: Encoding, order: tuple[str, ...]) -> type[Any]:
    """Rows as the encoding makes them, of a list with these columns of its order."""
    base = row_type(("json", *(order if encoding.placed else ())))
    return type("Row", (EncodedRow, base), {"__slots__": (), "keys": tuple(key for key, _ in encoding.fields)})


# As the JSON encoder writes times: microseconds only where there are any.
_TIME: Any = literal_column("""'\\"YYYY-MM-DD"T"HH24:MI:SS.US"Z"\\"'""")
_WHOLE: Any = literal_column("'.000000Z'")
_SHORT: Any = literal_column("'Z'")
_UTC: Any = literal_column("'UTC'")


def _value(column: Any) -> ColumnElement[Any]:
    """What `concat` turns into the JSON of the column's value."""
    value: ColumnElement[Any]
    if isinstance(column.type, DateTime):
        value = func.replace(func.to_char(func.timezone(_UTC, column), _TIME), _WHOLE, _SHORT)
    elif isinstance(column.type, Integer | Boolean):
        value = cast(column, Text)
    else:
        value = func.to_json(column, type_=JSON)
    return func.coalesce(value, _null(value)) if column.nullable else value


def _null(value: ColumnElement[Any]) -> Any:
    return literal_column("'null'::json" if isinstance(value.type, JSON) else "'null'")
