"""What proves who somebody is: credential pairs, personal tokens, password links; and attempts at them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, delete, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.store.access_tables import PasswordLink, PersonalAccessToken
from leadvibe.store.tables import Member

# A token's last use is written this rarely: it is a row of a reference table.
_USE_NOTED_EVERY = timedelta(minutes=1)


class StoredPair(NamedTuple):
    """A credential as authentication needs it."""

    secret_id: str
    unit_id: str
    org_id: str
    secret_hash: str


def digest(secret: str) -> str:
    """How a long random secret is kept: its SHA-256 cannot be turned back, and finds its row."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def pairs(pool: Any, client_ids: Sequence[str]) -> dict[str, StoredPair]:
    """The credentials of these client ids that exist."""
    rows = await pool.fetch(
        """
        SELECT client_id, secret_id, unit_id, org_id, secret_hash
        FROM api_credentials JOIN org_units USING (unit_id)
        WHERE client_id = ANY($1)
        """,
        client_ids,
    )
    return {row["client_id"]: StoredPair(*tuple(row)[1:]) for row in rows}


async def member_by_token(session: AsyncSession, token: str, now: datetime) -> str | None:
    """The member of a personal token that is still good; notes that it was used."""
    query = select(PersonalAccessToken).where(PersonalAccessToken.token_hash == digest(token))
    found = (await session.exec(query)).first()
    if found is None or (found.expires_at is not None and found.expires_at <= now):
        return None
    if found.last_used_at is None or found.last_used_at < now - _USE_NOTED_EVERY:
        changed = update(PersonalAccessToken).where(col(PersonalAccessToken.token_id) == found.token_id)
        await session.exec(changed.values(last_used_at=now))
        await session.commit()
    return found.org_member_id


async def void(session: AsyncSession, org_member_id: str) -> None:
    """Takes away everything that proves to be this member, but the password."""
    await session.exec(delete(PersonalAccessToken).where(col(PersonalAccessToken.org_member_id) == org_member_id))
    await void_links(session, org_member_id)


async def void_links(session: AsyncSession, org_member_id: str) -> None:
    """Takes away the member's password links."""
    await session.exec(delete(PasswordLink).where(col(PasswordLink.org_member_id) == org_member_id))


async def set_password(session: AsyncSession, org_member_id: str, password_hash: str, **more: Any) -> int:
    """Stores a new password and voids all tokens and links; the version that new tokens carry."""
    await void(session, org_member_id)
    changed: Update = update(Member).where(col(Member.org_member_id) == org_member_id)
    version = col(Member.token_version)
    values = {"password_hash": password_hash, "token_version": version + 1, **more}
    return int((await session.exec(changed.values(**values).returning(version))).scalar_one())


async def attempted(pool: Any, key: str, window: timedelta, now: datetime) -> tuple[int, datetime]:
    """Counts one attempt more; how many there were since when. A window that is over begins anew."""
    row = await pool.fetchrow(
        """
        INSERT INTO login_attempts AS a (key, attempts, since) VALUES ($1, 1, $2)
        ON CONFLICT (key) DO UPDATE SET
            attempts = CASE WHEN a.since <= $3 THEN 1 ELSE a.attempts + 1 END,
            since = CASE WHEN a.since <= $3 THEN excluded.since ELSE a.since END
        RETURNING attempts, since
        """,
        digest(key),
        now,
        now - window,
    )
    return row["attempts"], row["since"]


async def forgiven(pool: Any, key: str, by: int | None) -> None:
    """Takes attempts back that turned out to be right: so many, or all."""
    await pool.execute(
        "UPDATE login_attempts SET attempts = greatest(attempts - coalesce($2, attempts), 0) WHERE key = $1",
        digest(key),
        by,
    )


async def forget_attempts(pool: Any, before: datetime) -> int:
    """Removes the windows that began before; how many."""
    status: str = await pool.execute("DELETE FROM login_attempts WHERE since < $1", before)
    return int(status.split()[-1])


async def ask_for_link(session: AsyncSession, link: PasswordLink, unless_since: datetime) -> bool:
    """Replaces the member's link of this purpose, unless one was asked for since; whether it did."""
    given = link.model_dump()
    query = insert(PasswordLink).values(**given)
    kept = col(PasswordLink.created_at) >= unless_since
    query = query.on_conflict_do_update(
        index_elements=["org_member_id", "purpose"],
        set_={name: getattr(query.excluded, name) for name in given if name not in ("org_member_id", "purpose")},
        where=~kept,
    )
    return (await session.exec(query.returning(col(PasswordLink.purpose)))).first() is not None


async def link_by_token(session: AsyncSession, token: str, now: datetime) -> PasswordLink | None:
    """The link with this secret, locked, unless it has expired."""
    query = select(PasswordLink).where(PasswordLink.token_hash == digest(token), PasswordLink.expires_at > now)
    return (await session.exec(query.with_for_update())).first()


async def claim_links(
    session: AsyncSession, now: datetime, lease: timedelta, of: str | None = None
) -> Sequence[PasswordLink]:
    """Links that are due to be mailed, of all members or of one; no one else gets them until the lease ends."""
    due = update(PasswordLink).where(col(PasswordLink.due_at) <= now, col(PasswordLink.expires_at) > now)
    if of is not None:
        due = due.where(col(PasswordLink.org_member_id) == of)
    due = due.values(due_at=now + lease, attempts=col(PasswordLink.attempts) + 1)
    return (await session.exec(due.returning(PasswordLink))).scalars().all()
