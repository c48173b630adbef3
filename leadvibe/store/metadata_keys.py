"""Which keys the metadata of leads and accounts has."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import TextClause, text
from sqlmodel.ext.asyncio.session import AsyncSession

# The keys are those of the newest rows: an answer takes the same time however many there are.
ROWS_READ = 5_000

_OF_LEADS = text("""
    SELECT DISTINCT k.key FROM (
        SELECT metadata FROM leads WHERE unit_id = :unit_id AND merged_into IS NULL AND NOT deleting
        ORDER BY created_at DESC LIMIT :most
    ) l CROSS JOIN LATERAL jsonb_object_keys(l.metadata) AS k (key)
""")
_OF_ACCOUNTS = text("""
    SELECT DISTINCT k.key FROM (
        SELECT metadata FROM accounts WHERE unit_id = :unit_id ORDER BY created_at DESC LIMIT :most
    ) a CROSS JOIN LATERAL jsonb_object_keys(a.metadata) AS k (key)
""")


async def of_leads(session: AsyncSession, unit_id: str) -> Sequence[str]:
    """The top-level keys of the newest ROWS_READ leads, in alphabetical order."""
    return await _read(session, unit_id, _OF_LEADS)


async def of_accounts(session: AsyncSession, unit_id: str) -> Sequence[str]:
    """The top-level keys of the newest ROWS_READ accounts, in alphabetical order."""
    return await _read(session, unit_id, _OF_ACCOUNTS)


async def _read(session: AsyncSession, unit_id: str, keys: TextClause) -> Sequence[str]:
    values = {"unit_id": unit_id, "most": ROWS_READ}
    return sorted((await (await session.connection()).execute(keys, values)).scalars())
