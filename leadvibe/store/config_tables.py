"""Tables of the scoring configuration: engagement, fit (profile and account), decay and surge.

Families that differ in a name only share a description: a class without a table, of which each table
is a kind.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import BigInteger, Column, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from leadvibe.store.columns import TENANT, ConfigRow, Json, TenantRow, plain_texts, timestamp

# The last two are older names of gt and lt.
Condition = Literal[
    "equals", "not_equals", "contains", "starts_with", "gt", "gte", "lt", "lte", "greater_than", "less_than"
]
UpdateBehavior = Literal["always_latest", "set_once", "append"]
InactivityUnit = Literal["hours", "days", "weeks"]
WindowUnit = Literal["seconds", "minutes", "hours", "days"]


class Ruleset(ConfigRow, table=True):
    """A collection of engagement rules with a score of its own."""

    __tablename__ = "rulesets"
    __table_args__ = TENANT
    key = "ruleset_id"
    id_prefix = "rs"

    ruleset_id: str = Field(primary_key=True, description="Its id.")
    name: str = Field(min_length=1, max_length=200, description="Name that people see.")
    score_column: str = Field(default="total_score", max_length=200, description="Name of the score in exports.")
    is_primary: bool = Field(default=False, description="The score shown by default; at most one.")
    active: bool = Field(default=True, description="Inactive rulesets are kept and do not score.")
    start_at: datetime | None = timestamp(default=None, description="Scores only events from this time on.")
    end_at: datetime | None = timestamp(default=None, description="Scores only events up to this time.")


class Rule(ConfigRow, table=True):
    """Points for an event type in one ruleset."""

    __tablename__ = "rules"
    __table_args__ = (UniqueConstraint("unit_id", "ruleset_id", "event_type"), TENANT)
    key = "rule_id"
    id_prefix = "rl"

    rule_id: str = Field(primary_key=True, description="Its id.")
    ruleset_id: str = Field(description="The ruleset it belongs to.")
    event_type: str = Field(min_length=1, max_length=200, description="Matched exactly, case included.")
    weight: int = Field(ge=-1_000_000, le=1_000_000, description="Points for each matching event; may be negative.")
    icon: str | None = Field(default=None, max_length=200, description="For display only.")
    active: bool = Field(default=True, description="Inactive rules are kept and do not score.")
    start_at: datetime | None = timestamp(default=None, description="Counts only events from this time on.")
    end_at: datetime | None = timestamp(default=None, description="Counts only events up to this time.")


class VelocityFilter(ConfigRow, table=True):
    """Suppresses events of a type that come faster than a person makes them."""

    __tablename__ = "velocity_filters"
    __table_args__ = TENANT
    key = "filter_id"
    id_prefix = "fl"

    filter_id: str = Field(primary_key=True, description="Its id.")
    event_type: str = Field(min_length=1, max_length=200, description="The type it watches, matched exactly.")
    count_threshold: int = Field(ge=1, le=100_000, description="Events that may pass within the window.")
    time_window_ms: int = Field(
        ge=1, le=366 * 86_400_000, description="Length of the rolling window in milliseconds.", sa_type=BigInteger
    )
    group_events: bool = Field(default=False, description="Keep the first of a burst, suppress the rest.")


class EngagementLevel(ConfigRow, table=True):
    """A named range of the primary engagement score, both bounds inclusive."""

    __tablename__ = "engagement_levels"
    __table_args__ = TENANT
    key = "stage_id"
    id_prefix = "st"

    stage_id: str = Field(primary_key=True, description="Its id.")
    name: str = Field(min_length=1, max_length=200, description="Name that people see.")
    min_score: int = Field(ge=-(2**31), lt=2**31, description="Lowest score of the level.")
    max_score: int | None = Field(default=None, ge=-(2**31), lt=2**31, description="Highest score; null is open.")


class SurgePolicyRow(TenantRow, table=True):
    """The OU's stored surge policy; without a row the standard one holds."""

    __tablename__ = "surge_policies"
    __table_args__ = TENANT

    mode: str
    bands: list[Json] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))
    idle_reset_seconds: int | None = Field(default=None, description="Null: the unit's session timeout.")
    multiplier_cap: float


class FitRuleset(ConfigRow):
    """A collection of fit rules with a score of its own."""

    key = "id"
    id_prefix = "rs"

    id: str = Field(primary_key=True, description="Its id.")
    name: str = Field(min_length=1, max_length=200, description="Name that people see, unique in the unit.")
    enabled: bool = Field(default=True, description="Disabled rulesets are kept and do not score.")
    is_primary: bool = Field(default=False, description="The score shown by default; at most one.")


class ProfileRuleset(FitRuleset, table=True):
    """A collection of profile rules with a score of its own."""

    __tablename__ = "profile_rulesets"
    __table_args__ = TENANT


class AccountRuleset(FitRuleset, table=True):
    """A collection of account rules with a score of its own."""

    __tablename__ = "account_rulesets"
    __table_args__ = TENANT


class FitRule(ConfigRow):
    """Points for whoever has a property that meets a condition."""

    key = "id"
    id_prefix = "rl"

    id: str = Field(primary_key=True, description="Its id.")
    ruleset_id: str = Field(description="The ruleset it belongs to.")
    condition: Condition = Field(sa_type=Text, description="How the property is compared; numbers as numbers.")
    comparison_value: str = Field(max_length=1000, description="What the property is compared with.")
    weight: int = Field(ge=-1_000_000, le=1_000_000, description="Points when the condition is met; may be negative.")
    ui_order: int = Field(default=0, ge=-(2**31), lt=2**31, description="Place in lists, lower first.")


class ProfileRule(FitRule, table=True):
    """Points for leads with a property that meets a condition."""

    __tablename__ = "profile_rules"
    __table_args__ = TENANT

    profile_property: str = Field(min_length=1, max_length=200, description="The key of the lead's metadata.")


class AccountRule(FitRule, table=True):
    """Points for accounts with a property that meets a condition."""

    __tablename__ = "account_rules"
    __table_args__ = TENANT

    account_property: str = Field(min_length=1, max_length=200, description="The key of the account's metadata.")


class Mapping(ConfigRow):
    """Copies a key of event metadata to a property."""

    key = "id"

    id: str = Field(primary_key=True, description="Its id.")
    source_field: str = Field(min_length=1, max_length=200, description="The key of the event's metadata.")
    update_behavior: UpdateBehavior = Field(
        default="always_latest",
        sa_type=Text,
        description="always_latest overwrites, set_once keeps the first value, append keeps the last 10.",
    )


class ProfileMapping(Mapping, table=True):
    """Copies a key of event metadata to the lead's metadata."""

    __tablename__ = "profile_mappings"
    __table_args__ = TENANT
    id_prefix = "pm"

    profile_property: str = Field(min_length=1, max_length=200, description="The key of the lead's metadata.")


class AccountMapping(Mapping, table=True):
    """Copies a key of event metadata to the metadata of the lead's account."""

    __tablename__ = "account_mappings"
    __table_args__ = TENANT
    id_prefix = "am"

    account_property: str = Field(min_length=1, max_length=200, description="The key of the account's metadata.")


class FitLevel(ConfigRow):
    """A named range of a primary fit score, both bounds inclusive."""

    key = "level_id"
    id_prefix = "lv"

    level_id: str = Field(primary_key=True, description="Its id.")
    name: str = Field(min_length=1, max_length=200, description="Name that people see.")
    min_score: int = Field(ge=-(2**31), lt=2**31, description="Lowest score of the level.")
    max_score: int | None = Field(default=None, ge=-(2**31), lt=2**31, description="Highest score; null is open.")


class ProfileLevel(FitLevel, table=True):
    """A named range of the primary profile score, both bounds inclusive."""

    __tablename__ = "profile_levels"
    __table_args__ = TENANT


class AccountLevel(FitLevel, table=True):
    """A named range of the primary account score, both bounds inclusive."""

    __tablename__ = "account_levels"
    __table_args__ = TENANT


class DecayRule(ConfigRow, table=True):
    """Points taken off, again and again, while a lead is inactive."""

    __tablename__ = "decays"
    __table_args__ = TENANT
    key = "decay_id"
    id_prefix = "dc"

    decay_id: str = Field(primary_key=True, description="Its id.")
    inactive_for: int = Field(ge=1, le=100_000, description="Length of a cycle of inactivity, in units.")
    unit: InactivityUnit = Field(sa_type=Text, description="hours, days or weeks.")
    decrease: int = Field(ge=1, le=1_000_000, description="Points taken off after each cycle.")


class SurgeTrigger(ConfigRow, table=True):
    """Tells somebody when a lead has many events within a rolling window."""

    __tablename__ = "surge_triggers"
    __table_args__ = TENANT
    key = "trigger_id"
    id_prefix = "sg"

    trigger_id: str = Field(primary_key=True, description="Its id.")
    event_type: str | None = Field(default=None, max_length=200, description="Matched exactly; null is any type.")
    window_seconds: int = Field(ge=1, le=366 * 86_400, description="Length of the window.", sa_type=BigInteger)
    window_unit: WindowUnit = Field(default="seconds", sa_type=Text, description="For display only.")
    threshold_count: int = Field(ge=1, le=1_000_000, description="Events within the window that set it off.")
    webhook_url: str | None = Field(default=None, max_length=2000, description="Where to post; or emails.")
    emails: list[str] | None = Field(
        default=None, sa_column=Column(JSONB(none_as_null=True), nullable=True), description="Whom to write."
    )


plain_texts()
