"""Tables of who did what and how much: the audit log, accepted events by month, and rate limits."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import ARRAY, BigInteger, Column, Double, Index, Text
from sqlmodel import Field, SQLModel

from leadvibe.store.columns import LOCAL, TENANT, TenantRow, plain_texts, timestamp


def _sorted_by(*columns: str) -> tuple[Index, ...]:
    """An index for each order of the log, which both its directions use."""
    return tuple(Index(f"audit_log_by_{name}", "unit_id", name, "created_at", "audit_id") for name in columns)


class AuditEntry(TenantRow, table=True):
    """One authenticated request; or `requests` like ones, which came in a flood.

    `user_email`: the member's address, or the id of the client that a credential names. `status` is the HTTP
    status, and for GraphQL the one that the first error has at the REST door; `code` is the error's. `verb`
    says what was done, `operation` and `fields` are those of a GraphQL document.
    """

    __tablename__ = "audit_log"
    __table_args__ = (*_sorted_by("user_email", "method", "path", "status", "ip", "latency_ms"), TENANT)

    created_at: datetime = timestamp(primary_key=True)
    audit_id: str = Field(primary_key=True)
    org_id: str
    actor: str
    user_email: str
    method: str
    path: str
    status: int
    code: str | None
    ip: str
    latency_ms: int
    request_id: str
    requests: int
    verb: str
    operation: str | None
    fields: list[str] = Field(sa_column=Column("fields", ARRAY(Text), nullable=False))


class UsageCount(TenantRow, table=True):
    """How many events a unit accepted in a calendar month (UTC), whatever became of them later."""

    __tablename__ = "usage_counts"
    __table_args__ = TENANT

    month: date = Field(primary_key=True, description="The month's first day.")
    events: int = Field(sa_type=BigInteger)


class RateBucket(SQLModel, table=True):
    """The tokens that a key had at `updated_at`; processes lease from it."""

    __tablename__ = "rate_buckets"
    __table_args__ = (Index("rate_buckets_by_time", "updated_at"), LOCAL)

    key: str = Field(primary_key=True)
    tokens: float = Field(sa_type=Double)
    updated_at: datetime = timestamp()


plain_texts()
