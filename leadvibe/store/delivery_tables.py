"""Tables of deliveries: the outbox, the log of attempts, and the units' signing secrets."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, Double, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from leadvibe.store.columns import SEALED, TENANT, Json, TenantRow, plain_texts, timestamp

_OPEN = text("due_at IS NOT NULL")


class Delivery(TenantRow, table=True):
    """One message of a firing to one receiver.

    `status` is waiting, sending, delivered or dead. `due_at`: when it is tried next; while it is being sent,
    when the sender's lease ends; null when nothing is left to do. `destination` names the queue it waits in.
    `attempts` counts all tries, `tries_left` those before it is given up. `received_at`: when the event that
    caused it was accepted; `queued_at`: when it was last asked for. `status_code` and `error` are of the last try.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        Index("deliveries_by_destination", "unit_id", "destination", "due_at", postgresql_where=_OPEN),
        Index("deliveries_by_due", "unit_id", "due_at", postgresql_where=_OPEN),
        Index("deliveries_by_time", "unit_id", "created_at", "delivery_id"),
        Index("deliveries_by_status", "unit_id", "status", "created_at", "delivery_id"),
        TENANT,
    )

    delivery_id: str = Field(primary_key=True)
    firing_id: str
    trigger_type: str
    channel: str
    destination: str
    target: Json = Field(sa_column=Column(JSONB, nullable=False))
    payload: Json = Field(sa_column=Column(JSONB, nullable=False))
    status: str
    attempts: int
    tries_left: int
    due_at: datetime | None = timestamp()
    received_at: datetime = timestamp()
    created_at: datetime = timestamp()
    queued_at: datetime = timestamp()
    finished_at: datetime | None = timestamp()
    status_code: int | None
    error: str | None


class DeliveryAttempt(TenantRow, table=True):
    """How one try ended: `outcome` is delivered, failed (to be tried again) or refused (for good)."""

    __tablename__ = "delivery_attempts"
    __table_args__ = TENANT

    delivery_id: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    started_at: datetime = timestamp()
    seconds: float = Field(sa_type=Double)
    outcome: str
    status_code: int | None
    error: str | None


class WebhookSecret(TenantRow, table=True):
    """What signs a unit's webhooks, sealed. `previous` signs beside it until `previous_until`."""

    __tablename__ = "webhook_secrets"
    __table_args__ = TENANT

    secret: str = Field(sa_column_kwargs=SEALED)
    previous: str | None = Field(sa_column_kwargs=SEALED)
    previous_until: datetime | None = timestamp()
    created_at: datetime = timestamp()


plain_texts()
