"""Who did what in a unit."""

from __future__ import annotations

from collections.abc import Sequence

from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.store import audit_log
from leadvibe.store.audit_log import AuditFilter, AuditOrder
from leadvibe.store.governance_tables import AuditEntry
from leadvibe.store.paging import Page, Reading


@operation(Permission.ADMIN)
async def list_audit_logs(
    context: Context, wanted: AuditFilter, order: AuditOrder, limit: int, offset: int
) -> Sequence[AuditEntry]:
    """The active unit's requests, from `offset` on. The default unit's are also those of no unit."""
    async with context.services.database.session() as session:
        return await audit_log.entries(session, context.caller.unit_id, wanted, order, limit, offset)


@operation(Permission.ADMIN)
async def page_audit_logs(
    context: Context, wanted: AuditFilter, order: AuditOrder, limit: int, after: str | None, read: Reading
) -> Page[AuditEntry]:
    """The same behind the cursor `after`; 400 for a cursor of another order."""
    async with context.services.database.session() as session:
        return await audit_log.page(session, context.caller.unit_id, wanted, order, limit, after, read)
