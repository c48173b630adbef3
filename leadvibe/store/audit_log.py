"""The audit log: written in batches, listed in any of its orders, and forgotten in time."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.store.database import Database
from leadvibe.store.governance_tables import AuditEntry
from leadvibe.store.paging import Page, Reading, SortKey, bounded_count, read_page

COLUMNS = tuple(AuditEntry.model_fields)
SORTS = ("created_at", "user_email", "method", "path", "status", "ip", "latency_ms")

_PURGED_AT_ONCE = 10_000


async def append(database: Database, rows: Iterable[tuple[Any, ...]]) -> None:
    """Adds rows in the order of COLUMNS; none can violate a constraint."""
    async with database.pool.acquire() as connection:
        await connection.copy_records_to_table("audit_log", records=rows, columns=COLUMNS)


async def default_units(database: Database, org_ids: Collection[str]) -> dict[str, str]:
    """The default unit of each organisation."""
    rows = await database.pool.fetch(
        "SELECT org_id, unit_id FROM org_units WHERE is_default AND org_id = ANY($1::text[])", list(org_ids)
    )
    return {row["org_id"]: row["unit_id"] for row in rows}


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries a list shows; None does not filter. `search` is a piece of the address, path or IP, in any
    case; the bounds of the status are inclusive; `hide_views` leaves out what only read."""

    search: str | None = None
    method: str | None = None
    status_min: int | None = None
    status_max: int | None = None
    user_email: str | None = None
    hide_views: bool = False

    def conditions(self, unit_id: str) -> list[ColumnElement[bool]]:
        entry = AuditEntry
        conditions = [col(entry.unit_id) == unit_id]
        if self.search:
            piece = self.search
            texts = (entry.user_email, entry.path, entry.ip)
            conditions.append(or_(*(col(text).icontains(piece, autoescape=True) for text in texts)))
        if self.method is not None:
            conditions.append(col(entry.method) == self.method)
        if self.status_min is not None:
            conditions.append(col(entry.status) >= self.status_min)
        if self.status_max is not None:
            conditions.append(col(entry.status) <= self.status_max)
        if self.user_email is not None:
            conditions.append(col(entry.user_email) == self.user_email)
        if self.hide_views:
            conditions.append(col(entry.verb).not_in(("Viewed", "Exported")))
        return conditions


@dataclass(frozen=True, slots=True)
class AuditOrder:
    """By a column of SORTS; what is equal there goes by its time, the same way round."""

    column: str = "created_at"
    descending: bool = True

    @property
    def keys(self) -> list[SortKey]:
        columns = dict.fromkeys((self.column, "created_at", "audit_id"))
        return [SortKey(col(getattr(AuditEntry, name)), self.descending) for name in columns]


async def entries(
    session: AsyncSession, unit_id: str, wanted: AuditFilter, order: AuditOrder, limit: int, offset: int
) -> list[AuditEntry]:
    """`limit` entries from `offset` on."""
    query = select(AuditEntry).where(*wanted.conditions(unit_id)).order_by(*(key.clause for key in order.keys))
    return list((await session.exec(query.limit(limit).offset(offset))).all())


async def page(
    session: AsyncSession,
    unit_id: str,
    wanted: AuditFilter,
    order: AuditOrder,
    limit: int,
    after: str | None,
    read: Reading,
) -> Page[AuditEntry]:
    """`limit` entries behind the cursor `after`."""
    conditions = wanted.conditions(unit_id)
    count = partial(bounded_count, session, select(col(AuditEntry.audit_id)).where(*conditions))
    return await read_page(session, select(AuditEntry).where(*conditions), order.keys, limit, after, 0, read, count)


async def purge(database: Database, before: datetime) -> int:
    """Forgets the entries of all units from before a time; how many there were."""
    purged = 0
    for unit in await database.pool.fetch("SELECT unit_id FROM lanes"):
        while True:
            status = await database.pool.execute(
                """
                DELETE FROM audit_log WHERE unit_id = $1 AND (created_at, audit_id) IN (
                    SELECT created_at, audit_id FROM audit_log WHERE unit_id = $1 AND created_at < $2
                    ORDER BY created_at LIMIT $3
                )
                """,
                unit["unit_id"],
                before,
                _PURGED_AT_ONCE,
            )
            count = int(status.split()[-1])
            purged += count
            if count < _PURGED_AT_ONCE:
                break
    return purged
