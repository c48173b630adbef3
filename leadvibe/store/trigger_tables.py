"""Tables of triggers (milestones, sequences, patterns) and of their firings."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict
from pydantic import Field as Described
from sqlalchemy import BigInteger, Column, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field

from leadvibe.store.columns import TENANT, ConfigRow, Json, TenantRow, plain_texts, timestamp

FireMode = Literal["once", "always"]
TargetKind = Literal["channel", "user"]
StepUnit = Literal["seconds", "minutes", "hours", "days"]
FiringKind = Literal["milestone", "milestone_exit", "sequence", "pattern"]

_LONGEST_WINDOW = 366 * 86_400
_LONGEST_TEXT = 10_000
_MOST_PARTS = 20


# A text that PostgreSQL can store.
Plain = Annotated[str, Described(pattern=r"^[^\x00]*$")]


class TriggerFilter(BaseModel):
    """A condition on a named value; the operators are those of segment rules."""

    model_config = ConfigDict(extra="ignore")

    field: Plain = Described(min_length=1, max_length=200, description="The name of the value.")
    operator: Plain = Described(max_length=40, description="How it is compared: equals, contains, greater_than, ...")
    value: Plain | None = Described(default=None, max_length=1000, description="What it is compared with.")


class EventStep(BaseModel):
    """A step of a sequence: events of a type."""

    model_config = ConfigDict(extra="ignore")

    event_type: Plain = Described(min_length=1, max_length=200, description="The type, compared by its normal name.")
    order: int = Described(default=0, ge=0, le=_MOST_PARTS, description="Place in the sequence, from 0.")
    min_count: int = Described(default=1, ge=1, le=_MOST_PARTS, description="How many events the step asks for.")
    filters: list[TriggerFilter] = Described(
        default=[], max_length=_MOST_PARTS, description="What must hold of an event's metadata."
    )


class PatternCondition(BaseModel):
    """A number of events of a type within a pattern's window."""

    model_config = ConfigDict(extra="ignore")

    event_type: Plain = Described(min_length=1, max_length=200, description="The type, compared by its normal name.")
    min_count: int = Described(
        default=1, ge=1, le=1_000, validation_alias=AliasChoices("min_count", "count"),
        description="How many events there must be.",
    )  # fmt: skip
    filters: list[TriggerFilter] = Described(
        default=[], max_length=_MOST_PARTS, description="What must hold of an event's metadata."
    )


class JsonModels(TypeDecorator[list[Any]]):
    """A JSONB list of one kind of model."""

    impl = JSONB
    cache_ok = True

    def __init__(self, model: type[BaseModel]) -> None:
        super().__init__()
        self.model = model

    def process_bind_param(self, value: list[Any] | None, dialect: Any) -> Any:
        return None if value is None else [each.model_dump() for each in value]

    def process_result_value(self, value: Any, dialect: Any) -> list[Any] | None:
        return None if value is None else [self.model.model_validate(each) for each in value]


def _models(model: type[BaseModel], description: str, **options: Any) -> Any:
    column: Column[Any] = Column(JsonModels(model), nullable=False)
    return Field(default=[], sa_column=column, description=description, max_length=_MOST_PARTS, **options)


class Trigger(ConfigRow):
    """What all triggers share: a name, a switch, and where their firings go."""

    key = "trigger_id"

    trigger_id: str = Field(primary_key=True, description="Its id.")
    name: str = Field(min_length=1, max_length=200, description="Name that people see.")
    active: bool = Field(default=True, description="Inactive triggers are kept and never fire.")
    webhook_url: str | None = Field(default=None, max_length=2000, description="Where firings are posted.")


class MessageTrigger(Trigger):
    """A trigger for leads that pass its filters, with messages of its own."""

    fire_mode: FireMode = Field(
        default="once", sa_type=Text, description="once: the first time for each lead; always: every time."
    )
    cooldown_seconds: int | None = Field(
        default=None, ge=0, le=_LONGEST_WINDOW, sa_type=BigInteger,
        description="With always: the least time between two firings for a lead; null or 0 is none.",
    )  # fmt: skip
    email_subject: str | None = Field(default=None, max_length=1000, description="Subject of the e-mails.")
    email_preheader: str | None = Field(default=None, max_length=1000, description="Their preview text.")
    email_message: str | None = Field(default=None, max_length=_LONGEST_TEXT, description="Their text above the lead.")
    slack_target_kind: TargetKind | None = Field(default=None, sa_type=Text, description="channel or user.")
    slack_target_id: str | None = Field(
        default=None, max_length=200, description="The Slack channel or user; `default`: the unit's default target."
    )
    teams_target_kind: TargetKind | None = Field(default=None, sa_type=Text, description="channel or user.")
    teams_target_id: str | None = Field(default=None, max_length=2000, description="The Teams channel or user.")


_PROFILE = (
    "What must hold of the lead when it fires, all of it: engagement_level, profile_level, account_level, or a "
    "property of the lead."
)
_ATTRIBUTES = "What must hold of the lead's metadata when it fires, all of it."


def _emails() -> Any:
    column: Column[Any] = Column(JSONB(none_as_null=True), nullable=True)
    return Field(default=None, sa_column=column, description="Whom to write.")


class MilestoneTrigger(MessageTrigger, table=True):
    """Tells somebody when a lead's primary score reaches a threshold."""

    __tablename__ = "milestone_triggers"
    __table_args__ = TENANT
    id_prefix = "tr"

    event_type: str = Field(max_length=200, description='The type of event that may reach it; "*" or "" is any.')
    score_threshold: int = Field(ge=-(2**31), lt=2**31, description="The score to be reached.")
    notify_exit: bool = Field(
        default=False, description="Whether falling below the threshold again is delivered too; it is always recorded."
    )
    emails: list[str] | None = _emails()
    profile_filters: list[TriggerFilter] = _models(TriggerFilter, _PROFILE)
    lead_attribute_filters: list[TriggerFilter] = _models(TriggerFilter, _ATTRIBUTES)


class SequenceTrigger(MessageTrigger, table=True):
    """Tells somebody when a lead completes a series of events within a window."""

    __tablename__ = "sequence_triggers"
    __table_args__ = TENANT
    id_prefix = "sq"

    event_types: list[str] = Field(
        sa_column=Column(JSONB, nullable=False), description="The types of the steps, in their order."
    )
    event_steps: list[EventStep] = _models(EventStep, "The steps; default: one event of each type.")
    window_seconds: int = Field(
        ge=1, le=_LONGEST_WINDOW, sa_type=BigInteger, description="The time for all steps, always in seconds."
    )
    window_unit: StepUnit = Field(sa_type=Text, description="For display only.")
    ordered: bool = Field(default=False, description="Whether the steps must come in their order.")
    hubspot_sync: bool = Field(default=False, description="Kept for clients that send it; nothing is synchronised.")
    emails: list[str] | None = _emails()
    profile_filters: list[TriggerFilter] = _models(TriggerFilter, _PROFILE)
    lead_attribute_filters: list[TriggerFilter] = _models(TriggerFilter, _ATTRIBUTES)


class PatternTrigger(Trigger, table=True):
    """Tells somebody when a lead has some numbers of events within a window, once in each burst."""

    __tablename__ = "pattern_triggers"
    __table_args__ = TENANT
    id_prefix = "pt"

    description: str | None = Field(default=None, max_length=_LONGEST_TEXT, description="What it is for.")
    window_seconds: int | None = Field(
        default=None, ge=0, le=_LONGEST_WINDOW, sa_type=BigInteger,
        description="Length of the rolling window; null or 0 is no limit.",
    )  # fmt: skip
    conditions: list[PatternCondition] = _models(PatternCondition, "All of them must hold; without any it never fires.")
    emails: list[str] | None = _emails()


class TriggerFiring(TenantRow, table=True):
    """A trigger fired for a lead.

    `kind`: milestone, milestone_exit, sequence or pattern. `seq`, `event_id`, `event_type`, `occurred_at`: the
    event that caused it. `occasion`: 0 for what happens once in a lead's life, else `seq`: with the lead and the
    trigger it makes a firing unique. `score` and `previous_score`: the primary score after and before the event.
    `matched`: {event_types, counts, seqs} of the events that completed it.
    """

    __tablename__ = "trigger_firings"
    __table_args__ = (
        Index(
            "trigger_firings_occasion", "unit_id", "lead_id", "trigger_id", "kind", "occasion", unique=True
        ),
        Index("trigger_firings_by_kind", "unit_id", "kind", "seq", "firing_id"),
        Index("trigger_firings_by_trigger", "unit_id", "trigger_id", "seq", "firing_id"),
        Index("trigger_firings_by_seq", "unit_id", "seq"),
        TENANT,
    )  # fmt: skip

    firing_id: str = Field(primary_key=True)
    kind: str
    trigger_id: str
    trigger_name: str
    lead_id: str
    occasion: int = Field(sa_type=BigInteger)
    seq: int = Field(sa_type=BigInteger)
    event_id: str
    event_type: str
    occurred_at: datetime = timestamp()
    score: int = Field(sa_type=BigInteger)
    previous_score: int = Field(sa_type=BigInteger)
    score_threshold: int | None = Field(default=None, sa_type=BigInteger)
    matched: Json = Field(sa_column=Column(JSONB, nullable=False, server_default=text("'{}'")))
    fired_at: datetime = timestamp()


plain_texts()
