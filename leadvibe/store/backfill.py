"""What backfills read and write of a unit's leads and events. The caller holds the lane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from asyncpg import Record

from leadvibe.store import metadata_terms
from leadvibe.store.queue import AnyConnection


async def email_addresses(connection: AnyConnection, unit_id: str, lead_ids: Sequence[str]) -> list[tuple[str, str]]:
    """The e-mail addresses of these leads as (lead, address), each lead's oldest first."""
    rows = await connection.fetch(
        """
        SELECT lead_id, normal_value FROM lead_aliases
        WHERE unit_id = $1 AND lead_id = ANY($2::text[]) AND alias_kind = 'email' ORDER BY created_at, alias_id
        """,
        unit_id,
        lead_ids,
    )
    return [(row["lead_id"], row["normal_value"]) for row in rows]


async def next_events(
    connection: AnyConnection, unit_id: str, after_seq: int, up_to_seq: int, most: int
) -> Sequence[Record]:
    """The next events in the order of arrival: seq, occurred_at, what `accountId` in their metadata says (JSON),
    and the account of their lead."""
    return await connection.fetch(
        """
        SELECT e.seq, e.occurred_at, e.metadata -> 'accountId' AS said, l.account_id
        FROM engagement_events e
        LEFT JOIN leads l ON l.unit_id = $1 AND l.lead_id = e.lead_id AND l.merged_into IS NULL AND NOT l.deleting
        WHERE e.unit_id = $1 AND e.seq > $2 AND e.seq <= $3 ORDER BY e.seq LIMIT $4
        """,
        unit_id,
        after_seq,
        up_to_seq,
        most,
    )


async def write_account_ids(
    connection: AnyConnection, unit_id: str, account_ids: Mapping[tuple[datetime, int], str]
) -> None:
    """Writes `accountId` into the metadata of events: (time, seq) → account."""
    said = {place: {"accountId": account_id} for place, account_id in account_ids.items()}
    await metadata_terms.keep_out(connection, unit_id)
    await connection.execute(
        """
        UPDATE engagement_events AS e SET metadata = e.metadata || t.said
        FROM unnest($2::timestamptz[], $3::bigint[], $4::jsonb[]) AS t (at, seq, said)
        WHERE e.unit_id = $1 AND e.occurred_at = t.at AND e.seq = t.seq
        """,
        unit_id,
        [at for at, _ in said],
        [seq for _, seq in said],
        list(said.values()),
    )
    await metadata_terms.add_terms(connection, unit_id, said)


async def leads_without_account(connection: AnyConnection, unit_id: str, up_to_seq: int) -> int:
    """How many leads with an event up to `up_to_seq` have no account."""
    count: int = await connection.fetchval(
        """
        SELECT count(*) FROM leads l
        WHERE l.unit_id = $1 AND l.account_id IS NULL AND l.merged_into IS NULL AND NOT l.deleting AND EXISTS (
            SELECT FROM engagement_events e WHERE e.unit_id = $1 AND e.lead_id = l.lead_id AND e.seq <= $2
        )
        """,
        unit_id,
        up_to_seq,
    )
    return count
