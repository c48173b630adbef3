"""Connections: an SQLAlchemy engine for entities, an asyncpg pool for the hot path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import asyncpg
import orjson
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

SERVER_SETTINGS = {
    # Plain PostgreSQL ignores this; Citus then does not search its shards for type names (citus.md, 85).
    "citus.override_table_visibility": "off",
    # A plan that was made when a table was empty reads all of it once it is full.
    "plan_cache_mode": "force_custom_plan",
}

_JSONB_VERSION = b"\x01"

Record = Sequence[Any]


def _encode_jsonb(value: Any) -> bytes:
    return _JSONB_VERSION + orjson.dumps(value)


def _decode_jsonb(data: bytes) -> Any:
    return orjson.loads(data[1:])


async def _prepare(connection: Any) -> None:
    # The binary format lets jsonb values travel through COPY as well.
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_encode_jsonb, decoder=_decode_jsonb, format="binary"
    )


async def _leave(connection: Any) -> None:
    """Nothing to reset: no query leaves session state behind. The default costs a round trip each time."""


# For a connection whose statements all find some rows by their keys. What the planner believes of a
# queue, which is empty one moment and full the next, is never right: it would read dead rows by the million.
BY_KEY_ONLY = {
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}


async def find_by_key(connection: Any) -> None:
    """The same for the rest of a transaction of a pooled connection."""
    settings = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in BY_KEY_ONLY.items())
    await connection.execute(f"SELECT {settings}")


async def connect(
    url: str, application_name: str = "leadvibe", planner: dict[str, str] | None = None
) -> asyncpg.Connection[asyncpg.Record]:
    """One connection outside the pool, for the worker, for LISTEN and for tools."""
    settings = SERVER_SETTINGS | {"application_name": application_name} | (planner or {})
    connection = await asyncpg.connect(url, server_settings=settings)
    await _prepare(connection)
    return connection


@dataclass(frozen=True, slots=True)
class Database:
    """Both ways to the same PostgreSQL. `url` is the plain postgresql:// form."""

    url: str
    pool: asyncpg.Pool[asyncpg.Record]
    engine: AsyncEngine

    @classmethod
    async def open(cls, url: str, pool_size: int = 10) -> Self:
        pool = await asyncpg.create_pool(
            url, min_size=1, max_size=pool_size, server_settings=SERVER_SETTINGS, init=_prepare, reset=_leave
        )
        engine = create_async_engine(
            sqlalchemy_url(url),
            pool_size=pool_size,
            connect_args={"server_settings": SERVER_SETTINGS},
            # Reads numbers as they were when they came in; json would make integers that cannot be written.
            json_deserializer=orjson.loads,
        )
        return cls(url, pool, engine)

    async def close(self) -> None:
        await self.engine.dispose()
        await self.pool.close()

    def session(self) -> AsyncSession:
        return AsyncSession(self.engine, expire_on_commit=False)


def sqlalchemy_url(url: str) -> str:
    return "postgresql+asyncpg://" + url.split("://", 1)[1]


async def driver(session: AsyncSession) -> Any:
    """The asyncpg connection of a session's transaction, for queries of the hot path. It knows no jsonb."""
    connection = await session.connection()
    return (await connection.get_raw_connection()).driver_connection
