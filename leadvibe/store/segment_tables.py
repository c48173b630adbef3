"""Tables of segments: the configuration, and what is kept of who belongs to which."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import BigInteger, Index, Text
from sqlmodel import Field

from leadvibe.store.columns import TENANT, ConfigRow, TenantRow, plain_texts, timestamp

RuleType = Literal[
    "lead_metadata", "event_metadata", "engagement_level", "profile_level", "account_metadata", "account_level"
]
LogicOp = Literal["AND", "OR"]


class Segment(ConfigRow, table=True):
    """A dynamic group of leads: those that meet its rules now."""

    __tablename__ = "segments"
    __table_args__ = TENANT
    key = "segment_id"
    id_prefix = "sg"

    segment_id: str = Field(primary_key=True, description="Its id.")
    name: str = Field(min_length=1, max_length=200, description="Name that people see.")
    description: str | None = Field(default=None, max_length=2000, description="What it is for.")
    active: bool = Field(default=True, description="An inactive segment keeps its rules and has no leads.")


class SegmentRule(ConfigRow, table=True):
    """A condition of a segment. Active rules are joined from left to right inside their group, then the
    groups in their order; `logic_op` joins a rule, or the group that it begins, to what stands before it."""

    __tablename__ = "segment_rules"
    __table_args__ = (Index("segment_rules_by_segment", "unit_id", "segment_id"), TENANT)
    key = "rule_id"
    id_prefix = "sr"

    rule_id: str = Field(primary_key=True, description="Its id.")
    segment_id: str = Field(description="The segment it belongs to.")
    rule_name: str = Field(max_length=500, description="Name that people see; by default what the rule says.")
    rule_type: RuleType = Field(sa_type=Text, description="What is looked at.")
    field_name: str = Field(
        max_length=200, description="The key of the metadata; the rule type itself for a rule on a level."
    )
    operator: str = Field(
        max_length=40,
        description="equals, not_equals, contains, starts_with, ends_with, greater_than, less_than, "
        "greater_than_or_equal, less_than_or_equal, is_empty, is_not_empty, or a short form of these.",
    )
    value: str | None = Field(default=None, max_length=2000, description="What it is compared with.")
    event_type: str | None = Field(
        default=None, max_length=200, description="Of an event_metadata rule: which events; null is any type."
    )
    logic_group: int = Field(default=0, ge=-(2**31), lt=2**31, description="The group it belongs to, lower first.")
    logic_op: LogicOp = Field(default="AND", sa_type=Text, description="How it is joined to what stands before it.")
    order_index: int = Field(ge=-(2**31), lt=2**31, description="Its place in the group, lower first.")
    active: bool = Field(default=True, description="Inactive rules are kept and skipped.")


class SegmentState(TenantRow, table=True):
    """How far the members of a segment are made: by which definition, and up to which lead (null: all)."""

    __tablename__ = "segment_states"
    __table_args__ = TENANT

    segment_id: str = Field(primary_key=True)
    digest: str
    last_lead_id: str | None = None


class SegmentFact(TenantRow, table=True):
    """A lead has an event that meets a rule on events (for is_empty: one that does not)."""

    __tablename__ = "segment_facts"
    __table_args__ = (Index("segment_facts_by_rule", "unit_id", "rule_id"), TENANT)

    lead_id: str = Field(primary_key=True)
    rule_id: str = Field(primary_key=True)


class SegmentMember(TenantRow, table=True):
    """A lead belongs to a segment, since when."""

    __tablename__ = "segment_members"
    __table_args__ = (Index("segment_members_by_lead", "unit_id", "lead_id"), TENANT)

    segment_id: str = Field(primary_key=True)
    lead_id: str = Field(primary_key=True)
    entered_at: datetime = timestamp()


class SegmentChange(TenantRow, table=True):
    """A lead entered a segment, or left it. `seq`: its place among the changes of the unit; kept 30 days."""

    __tablename__ = "segment_changes"
    __table_args__ = (
        Index("segment_changes_by_segment", "unit_id", "segment_id", "seq"),
        Index("segment_changes_by_time", "unit_id", "changed_at"),
        TENANT,
    )

    seq: int = Field(primary_key=True, sa_type=BigInteger)
    segment_id: str
    lead_id: str
    entered: bool
    changed_at: datetime = timestamp()


class SegmentTouched(TenantRow, table=True):
    """A lead that changed outside the scoring of events: its segments are looked at again."""

    __tablename__ = "segment_touched"
    __table_args__ = TENANT

    lead_id: str = Field(primary_key=True)


plain_texts()
