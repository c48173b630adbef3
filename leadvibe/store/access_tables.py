"""Tables of proofs: personal access tokens, links that set a password, and attempts to log in.

The first two belong to members and are reference tables like them. Attempts are written often and
belong to nobody, so their table is local.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from leadvibe.store.columns import LOCAL, REFERENCE, timestamp


class PersonalAccessToken(SQLModel, table=True):
    """A token that acts as its member, by the SHA-256 of its text."""

    __tablename__ = "personal_access_tokens"
    __table_args__ = REFERENCE

    token_id: str = Field(primary_key=True)
    org_member_id: str = Field(foreign_key="members.org_member_id", index=True)
    name: str
    token_hash: str = Field(unique=True)
    created_at: datetime = timestamp()
    expires_at: datetime | None = timestamp(default=None)
    last_used_at: datetime | None = timestamp(default=None)


class PasswordLink(SQLModel, table=True):
    """A link by which a member sets a password; a new one of the same purpose replaces it.

    `purpose` is invitation or reset. The link's secret is made when it is mailed, and only its SHA-256 is
    kept. `due_at`: when the mail is tried next, null once it is sent or given up.
    """

    __tablename__ = "password_links"
    __table_args__ = (Index("password_links_by_due", "due_at"), REFERENCE)

    org_member_id: str = Field(primary_key=True, foreign_key="members.org_member_id")
    purpose: str = Field(primary_key=True)
    token_hash: str | None = Field(default=None, unique=True)
    attempts: int = 0
    due_at: datetime | None = timestamp(default=None)
    created_at: datetime = timestamp()
    expires_at: datetime = timestamp()


class LoginAttempts(SQLModel, table=True):
    """How often something was tried since `since`; `key` is the SHA-256 of who tried what."""

    __tablename__ = "login_attempts"
    __table_args__ = (Index("login_attempts_by_since", "since"), LOCAL)

    key: str = Field(primary_key=True)
    attempts: int
    since: datetime = timestamp()
