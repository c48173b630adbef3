"""Which accounts leads belong to, found and written for many leads at once. The caller holds the lane."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from leadvibe.ids import new_id
from leadvibe.store.queue import AnyConnection


class LinkedLead(NamedTuple):
    """A lead's account, if it has one, and what else is known of the lead."""

    account_id: str | None
    metadata: dict[str, Any]


async def leads(connection: AnyConnection, unit_id: str, lead_ids: Collection[str]) -> dict[str, LinkedLead]:
    rows = await connection.fetch(
        """
        SELECT l.* FROM unnest($2::text[]) AS t (lead_id) CROSS JOIN LATERAL (
            SELECT lead_id, account_id, metadata FROM leads WHERE unit_id = $1 AND lead_id = t.lead_id LIMIT 1
        ) l
        """,
        unit_id,
        list(lead_ids),
    )
    return {row["lead_id"]: LinkedLead(row["account_id"], row["metadata"]) for row in rows}


async def existing(connection: AnyConnection, unit_id: str, account_ids: Collection[str]) -> set[str]:
    """Those of these accounts that the unit has."""
    rows = await connection.fetch(
        "SELECT account_id FROM accounts WHERE unit_id = $1 AND account_id = ANY($2::text[])",
        unit_id,
        list(account_ids),
    )
    return {row["account_id"] for row in rows}


async def by_domain(connection: AnyConnection, unit_id: str, domains: Collection[str]) -> dict[str, str]:
    """The account of each domain that has one."""
    rows = await connection.fetch(
        "SELECT domain, account_id FROM accounts WHERE unit_id = $1 AND domain = ANY($2::text[])",
        unit_id,
        list(domains),
    )
    return {row["domain"]: row["account_id"] for row in rows}


async def create(
    connection: AnyConnection, unit_id: str, names: Mapping[str, str], scores: Mapping[str, int], now: datetime
) -> dict[str, str]:
    """Makes an account for each domain (→ name), with the scores of an account without properties; their ids."""
    org_id = await connection.fetchval("SELECT org_id FROM org_units WHERE unit_id = $1", unit_id)
    rows = await connection.fetch(
        """
        INSERT INTO accounts AS a (unit_id, account_id, org_id, domain, name, metadata, account_score, account_scores,
                                   created_at, updated_at)
        SELECT $1, t.account_id, $2, t.domain, t.name, '{}', 0, $6, $7, $7
        FROM unnest($3::text[], $4::text[], $5::text[]) AS t (account_id, domain, name)
        ON CONFLICT (unit_id, domain) WHERE domain IS NOT NULL DO NOTHING
        RETURNING a.domain, a.account_id
        """,
        unit_id,
        org_id,
        [new_id("acct") for _ in names],
        list(names),
        list(names.values()),
        scores,
        now,
    )
    return {row["domain"]: row["account_id"] for row in rows}


async def link(connection: AnyConnection, unit_id: str, links: Mapping[str, str], now: datetime) -> None:
    """Gives each lead its account."""
    await connection.execute(
        """
        UPDATE leads AS l SET account_id = t.account_id, updated_at = $4
        FROM unnest($2::text[], $3::text[]) AS t (lead_id, account_id)
        WHERE l.unit_id = $1 AND l.lead_id = t.lead_id
        """,
        unit_id,
        list(links),
        list(links.values()),
        now,
    )
