"""Lists that asyncpg reads by itself: a query is built once for each of its shapes, and answers rows that have only
the columns that were asked for. A session would build, compile and map it anew each time."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, Self

import asyncpg
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
        self, pool: asyncpg.Pool[asyncpg.Record], attributes: Sequence[str], values: Mapping[str, Any]
    ) -> list[Any]:
        """The rows, their columns named `attributes`, with these values of its parameters."""
        known = {**self.values, **values}
        rows = await pool.fetch(self.text, *[known[name] for name in self.names])
        return list(map(_row_type(tuple(attributes))._make, rows))


@cache
def _row_type(attributes: tuple[str, ...]) -> Any:
    return namedtuple("Row", attributes)
