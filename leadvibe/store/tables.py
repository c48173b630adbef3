"""Every table, described once: the same class is the row, the GraphQL type and the REST body.

Here are organisations, units and members, and what events make: leads, accounts, the event log. The other
`*_tables.py` have the configuration and the rest.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import ARRAY, BigInteger, Column, Identity, Index, Integer, Numeric, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from leadvibe.store.columns import REFERENCE, TENANT, Json, TenantRow, plain_texts, stamp, timestamp


class Organisation(SQLModel, table=True):
    """A customer. Its units are closed worlds; its members may belong to several of them."""

    __tablename__ = "organisations"
    __table_args__ = REFERENCE

    org_id: str = Field(primary_key=True)
    name: str
    allow_negative_scores: bool = Field(default=False, description="False: no score ever goes below 0.")
    abm_enabled: bool = Field(default=False, description="Opens the account-based operations.")
    created_at: datetime = stamp("When the organisation was made.")


class OrgUnit(SQLModel, table=True):
    """An organisational unit (OU): leads, events and configuration of its own."""

    __tablename__ = "org_units"
    __table_args__ = (UniqueConstraint("org_id", "slug"), REFERENCE)

    unit_id: str = Field(primary_key=True)
    org_id: str = Field(foreign_key="organisations.org_id", index=True)
    name: str
    slug: str = Field(description="URL-friendly name, unique in the organisation.")
    external_ref: str | None = Field(default=None, description="Id of this unit in an outside system.")
    is_default: bool = False
    session_timeout_minutes: int = Field(default=30, description="Idle minutes that end a session.")
    surge_triggers_enabled: bool = Field(default=False, description="Whether surge triggers detect anything.")
    created_at: datetime = stamp("When the unit was made.")


class Member(SQLModel, table=True):
    """A person of the organisation. `role` is admin, editor or viewer."""

    __tablename__ = "members"
    __table_args__ = REFERENCE

    org_member_id: str = Field(primary_key=True)
    org_id: str = Field(foreign_key="organisations.org_id", index=True)
    first_name: str
    last_name: str
    email: str = Field(unique=True, description="Lower case.")
    password_hash: str
    role: str
    verified: bool = True
    token_version: int = Field(default=0, sa_type=BigInteger, description="Tokens of another version are void.")
    created_at: datetime = stamp("When the member was added.")


class ApiCredential(SQLModel, table=True):
    """A client id and secret (argon2 hash) that act as Operator of one unit."""

    __tablename__ = "api_credentials"
    __table_args__ = REFERENCE

    secret_id: str = Field(primary_key=True)
    unit_id: str = Field(foreign_key="org_units.unit_id", index=True)
    client_id: str = Field(unique=True)
    secret_hash: str
    name: str
    trust_upstream_consent: bool = False
    created_at: datetime = stamp("When the credential was made.")


class ServerSecret(SQLModel, table=True):
    """Secrets the server made for itself, such as the token signing key."""

    __tablename__ = "server_secrets"
    __table_args__ = REFERENCE

    name: str = Field(primary_key=True)
    value: str


class Membership(TenantRow, table=True):
    """A member's role in a unit: Owner, Operator or Viewer."""

    __tablename__ = "ou_memberships"
    __table_args__ = TENANT

    org_member_id: str = Field(primary_key=True, index=True)
    role: str
    created_at: datetime = stamp("When the member was assigned.")


class Lane(TenantRow, table=True):
    """A unit's order of scoring. Its row lock makes one worker at a time the lane's owner.

    `last_seq`: arrival number of the last event scored. `config_version`: raised by every change
    of scoring configuration. `lead_count`: leads that are neither merged away nor being deleted.
    `profile_version`: raised by every change of profile rules; `profile_done`: the one that all leads'
    profile scores are made with. `account_version` and `account_done` say the same of account scores.
    """

    __tablename__ = "lanes"
    __table_args__ = TENANT

    last_seq: int = Field(default=0, sa_type=BigInteger)
    config_version: int = Field(default=0, sa_type=BigInteger)
    lead_count: int = Field(default=0, sa_type=BigInteger)
    profile_version: int = Field(default=0, sa_type=BigInteger)
    profile_done: int = Field(default=0, sa_type=BigInteger)
    account_version: int = Field(default=0, sa_type=BigInteger)
    account_done: int = Field(default=0, sa_type=BigInteger)


class EventType(TenantRow, table=True):
    """An event type the OU knows, and how far its events are processed."""

    __tablename__ = "event_types"
    __table_args__ = TENANT

    name: str = Field(primary_key=True)
    hidden: bool = False
    max_processing_scope: str = "activate"
    created_at: datetime = stamp("When the type was first seen or named.")


_LATEST = text("last_event_at DESC NULLS LAST")
# Lists show these leads only; an index that has no others tells by itself where a page begins.
_SHOWN = text("merged_into IS NULL AND NOT deleting")


class Lead(TenantRow, table=True):
    """A person inside one OU. `score` is the primary engagement score, `scores` all by ruleset;
    `profile_score` and `profile_scores` say the same of the fit."""

    __tablename__ = "leads"
    __table_args__ = (
        Index("leads_by_score", "unit_id", text("score DESC"), _LATEST, "lead_id", postgresql_where=_SHOWN),
        Index("leads_by_created", "unit_id", text("created_at DESC"), "lead_id", postgresql_where=_SHOWN),
        Index("leads_by_last_event", "unit_id", _LATEST, "lead_id", postgresql_where=_SHOWN),
        Index("leads_by_lower_id", "unit_id", text("lower(lead_id) text_pattern_ops")),
        Index("leads_merged", "unit_id", "merged_into", postgresql_where=text("merged_into IS NOT NULL")),
        Index(
            "leads_by_account",
            "unit_id",
            "account_id",
            text("score DESC"),
            postgresql_where=text("account_id IS NOT NULL"),
        ),
        TENANT,
    )

    lead_id: str = Field(primary_key=True)
    account_id: str | None = None
    owner_id: str | None = None
    owner_name: str | None = None
    lead_metadata: Json = Field(default_factory=dict, sa_column=Column("metadata", JSONB, nullable=False))
    merged_into: str | None = None
    deleting: bool = Field(default=False, description="Being deleted: hidden, and soon gone.")
    score: int = Field(default=0, sa_type=BigInteger)
    scores: dict[str, int] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))
    profile_score: int = Field(default=0, sa_type=BigInteger)
    profile_scores: dict[str, int] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))
    session_count: int = 0
    session_at: datetime | None = timestamp(default=None)
    last_event_at: datetime | None = timestamp(default=None)
    last_event_type: str | None = None
    decay_from: datetime | None = timestamp(default=None, description="The activity that `decay_cycles` count from.")
    decay_cycles: dict[str, int] | None = Field(
        default=None,
        sa_column=Column(JSONB(none_as_null=True), nullable=True),
        description="Cycles applied, by decay id.",
    )
    created_at: datetime = stamp("When the lead was first seen.")
    updated_at: datetime = stamp("When the lead last changed.")


class LeadAlias(TenantRow, table=True):
    """A name by which events find a lead: unique by kind and normalised value."""

    __tablename__ = "lead_aliases"
    __table_args__ = (
        Index("lead_aliases_by_lead", "unit_id", "lead_id"),
        Index("lead_aliases_by_gram", "grams", postgresql_using="gin"),
        TENANT,
    )

    alias_kind: str = Field(primary_key=True)
    normal_value: str = Field(primary_key=True)
    raw_value: str
    folded: str = Field(default="", description="The raw value as searches see it.")
    grams: list[str] = Field(default_factory=list, sa_column=Column(ARRAY(Text), nullable=False))
    alias_id: str
    lead_id: str
    created_at: datetime = stamp("When the alias was first seen.")


class Account(TenantRow, table=True):
    """A company whose people are leads. `account_score` is the score of the primary account ruleset,
    `account_scores` all by ruleset."""

    __tablename__ = "accounts"
    __table_args__ = (
        Index("accounts_by_domain", "unit_id", "domain", unique=True, postgresql_where=text("domain IS NOT NULL")),
        Index("accounts_by_created", "unit_id", "created_at"),
        TENANT,
    )

    account_id: str = Field(primary_key=True)
    org_id: str
    domain: str | None = None
    name: str | None = None
    account_metadata: Json = Field(default_factory=dict, sa_column=Column("metadata", JSONB, nullable=False))
    account_score: int = Field(default=0, sa_type=BigInteger)
    account_scores: dict[str, int] = Field(default_factory=dict, sa_column=Column(JSONB, nullable=False))
    created_at: datetime = stamp("When the account was made.")
    updated_at: datetime = stamp("When the account last changed.")


class Order(TenantRow, table=True):
    """A purchase of a lead, shown in its activity and never scored. `order_id` is the shop's own."""

    __tablename__ = "orders"
    __table_args__ = (Index("orders_by_lead", "unit_id", "lead_id", "ordered_at"), TENANT)

    id: str = Field(primary_key=True)
    order_id: str
    lead_id: str
    amount: Decimal = Field(sa_type=Numeric)
    currency: str
    status: str
    ordered_at: datetime = timestamp()
    order_metadata: Json = Field(default_factory=dict, sa_column=Column("metadata", JSONB, nullable=False))


class ScoreSnapshot(TenantRow, table=True):
    """A lead's score at the end of an hour. Written only when it changed: the score at any time is that
    of the latest snapshot before it."""

    __tablename__ = "score_snapshots"
    __table_args__ = (Index("score_snapshots_by_time", "unit_id", "snapshot_at"), TENANT)

    lead_id: str = Field(primary_key=True)
    ruleset_id: str = Field(primary_key=True)
    snapshot_at: datetime = timestamp(primary_key=True)
    score: int = Field(sa_type=BigInteger)


class SurgeEvent(TenantRow, table=True):
    """A lead had as many events within a trigger's window as that asks for.

    `seq`: the event that made it so; `detected_at`: the time of that event. `event_count`: the lead's events in
    the window that ends there. `event_type`: what the trigger counts, null is any. `snapshot`: {channel,
    source, score} at that event.
    """

    __tablename__ = "surge_events"
    __table_args__ = (
        Index("surge_events_by_time", "unit_id", "detected_at", "surge_event_id"),
        Index("surge_events_by_lead", "unit_id", "lead_id", "trigger_id", "detected_at"),
        Index("surge_events_by_seq", "unit_id", "seq"),
        TENANT,
    )

    surge_event_id: str = Field(primary_key=True)
    seq: int = Field(sa_type=BigInteger)
    trigger_id: str
    lead_id: str
    event_type: str | None = None
    event_count: int = Field(sa_type=BigInteger)
    window_seconds: int = Field(sa_type=BigInteger)
    detected_at: datetime = timestamp()
    snapshot: Json = Field(sa_column=Column(JSONB, nullable=False))


class JobRecord(TenantRow, table=True):
    """Work that outlives its request: an import, the deletion of a lead, rescoring a unit, a backfill.

    `status` is pending, running, completed, failed or cancelled. `last_subject`: the last lead or event that
    is done; the work is taken up behind it. `subject`: what it is about (a file's name, a lead's id).
    `problems`: the first rows that failed, as {line, reason}. `counts`: what it counted on its way, by name.
    `up_to_seq`: the last event, in the order of arrival, that the work is about.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index("jobs_by_subject", "unit_id", "kind", "subject", "created_at"),
        Index("jobs_open", "unit_id", "kind", postgresql_where=text("status <> 'completed'")),
        TENANT,
    )

    job_id: str = Field(primary_key=True)
    kind: str
    subject: str
    status: str = "pending"
    done: int = Field(default=0, sa_type=BigInteger)
    failed: int = Field(default=0, sa_type=BigInteger)
    total: int | None = Field(default=None, sa_type=BigInteger)
    up_to_seq: int | None = Field(default=None, sa_type=BigInteger)
    last_subject: str | None = None
    problems: list[Json] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))
    counts: dict[str, int] = Field(
        default_factory=dict, sa_column=Column(JSONB, nullable=False, server_default=text("'{}'"))
    )
    error: str | None = None
    created_by: str | None = None
    created_at: datetime = stamp("When it was asked for.")
    updated_at: datetime = stamp("When it last told of its progress.")


class EventCount(TenantRow, table=True):
    """How many events of a type and channel happened on a day (UTC): what analytics add up."""

    __tablename__ = "event_counts"
    __table_args__ = TENANT

    day: date = Field(primary_key=True)
    event_type: str = Field(primary_key=True)
    channel: str = Field(primary_key=True)
    events: int = Field(sa_type=BigInteger)


class IngestKey(TenantRow, table=True):
    """An idempotency key of an accepted event with the digest of its content; kept 7 days at least."""

    __tablename__ = "ingest_keys"
    __table_args__ = (Index("ingest_keys_by_time", "unit_id", "received_at"), TENANT)

    key: str = Field(primary_key=True)
    digest: bytes
    event_id: str
    received_at: datetime = timestamp()


class EngagementEvent(TenantRow, table=True):
    """A processed event. `seq`: place in the OU's arrival order. Partitioned by `occurred_at`.

    `scores`: ruleset id → [delta, before, after, boost, rule_id], null when nothing counted.
    """

    __tablename__ = "engagement_events"
    __table_args__ = (
        Index("events_by_seq", "unit_id", "seq"),
        Index("events_by_id", "unit_id", "event_id"),
        Index("events_by_lead", "unit_id", "lead_id", "occurred_at", "seq"),
        Index("events_by_type", "unit_id", "event_type", "occurred_at", "seq"),
        {"postgresql_partition_by": "RANGE (occurred_at)", **TENANT},
    )

    occurred_at: datetime = timestamp(primary_key=True)
    seq: int = Field(primary_key=True, sa_type=BigInteger)
    event_id: str
    lead_id: str | None = None
    event_type: str
    channel: str
    event_metadata: Json = Field(default_factory=dict, sa_column=Column("metadata", JSONB, nullable=False))
    suppression_reason: str | None = None
    observed: bool = False
    original_lead_id: str | None = None
    scores: Json | None = Field(default=None, sa_column=Column(JSONB, nullable=True))
    received_at: datetime = timestamp()
    processed_at: datetime = timestamp()


class EventBlock(TenantRow, table=True):
    """Consecutive events, by `seq`, whose metadata `event_terms` tells of. `oldest` and `newest`: their times."""

    __tablename__ = "event_blocks"
    __table_args__ = TENANT

    first_seq: int = Field(primary_key=True, sa_type=BigInteger)
    last_seq: int = Field(sa_type=BigInteger)
    oldest: datetime = timestamp()
    newest: datetime = timestamp()


class EventTerm(TenantRow, table=True):
    """Where in a block the metadata values occur whose hash falls into a bucket (see `metadata_terms`)."""

    __tablename__ = "event_terms"
    __table_args__ = TENANT

    bucket: int = Field(primary_key=True)
    first_seq: int = Field(primary_key=True, sa_type=BigInteger)
    places: list[int] = Field(sa_column=Column(ARRAY(Integer), nullable=False))


class QueuedEvent(TenantRow, table=True):
    """An accepted event that waits for its scoring. `position` follows the order of acceptance."""

    __tablename__ = "ingest_queue"
    __table_args__ = TENANT

    position: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=False), primary_key=True))
    event_id: str
    lead_id: str | None = None
    aliases: list[list[str]] = Field(sa_column=Column(JSONB, nullable=False))
    event_type: str
    occurred_at: datetime = timestamp()
    received_at: datetime = timestamp()
    event_metadata: Json = Field(default_factory=dict, sa_column=Column("metadata", JSONB, nullable=False))
    skip_triggers: bool = False


plain_texts()
