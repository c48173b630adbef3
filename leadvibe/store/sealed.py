"""Sealing anew whatever is sealed: the columns that say so, of whatever table."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Column, Table, and_, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel, col

from leadvibe.crypto import SealError, Vault
from leadvibe.store import delivery_tables, slack_tables  # noqa: F401  (they fill the metadata, with tables)
from leadvibe.store.database import Database
from leadvibe.store.tables import OrgUnit


class Resealed(NamedTuple):
    """How many values are now sealed with the newest key, and how many open with no key at hand."""

    values: int
    lost: int


async def reseal(database: Database, vault: Vault) -> Resealed:
    """Seals every stored secret with the newest key, beside a running server: a value that changes meanwhile is
    left, as it was sealed with the newest key already."""
    total = Resealed(0, 0)
    async with database.engine.connect() as connection:
        units = list((await connection.execute(select(col(OrgUnit.unit_id)))).scalars())
    for table in SQLModel.metadata.tables.values():
        columns = [column for column in table.columns if column.info.get("sealed")]
        places = units if table.info["kind"] == "tenant" else [None]
        for unit_id in places if columns else ():
            async with database.engine.begin() as connection:
                done = await _reseal(connection, vault, table, columns, unit_id)
            total = Resealed(total.values + done.values, total.lost + done.lost)
    return total


async def _reseal(
    connection: AsyncConnection, vault: Vault, table: Table, columns: list[Column[Any]], unit_id: str | None
) -> Resealed:
    """The rows of a unit, or of a table that belongs to none."""
    mine = true() if unit_id is None else table.c.unit_id == unit_id
    key = list(table.primary_key)
    query = select(*key, *columns).where(and_(mine, or_(*(column.is_not(None) for column in columns))))
    values = lost = 0
    for row in (await connection.execute(query)).mappings().all():
        for column in columns:
            if (sealed := row[column.name]) is None:
                continue
            try:
                fresh = vault.reseal(sealed)
            except SealError:
                lost += 1
                continue
            same = and_(*(part == row[part.name] for part in key), column == sealed)
            values += (await connection.execute(update(table).where(same).values({column: fresh}))).rowcount
    return Resealed(values, lost)
