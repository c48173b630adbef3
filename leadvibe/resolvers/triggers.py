"""Milestone, sequence and pattern triggers: who is told of what leads do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import inspect
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.errors import bad_request
from leadvibe.resolvers.caller import Caller
from leadvibe.resolvers.destinations import check_destinations, has_destination
from leadvibe.resolvers.family import Family, nothing_to_check
from leadvibe.resolvers.rulesets import name_event_type
from leadvibe.scoring.conditions import canonical, needs_value
from leadvibe.store.trigger_config import ANY_TYPE
from leadvibe.store.trigger_tables import EventStep, MilestoneTrigger, PatternTrigger, SequenceTrigger, TriggerFilter

_MOST_STEPS = 20
_LONGEST_NAME = 200


async def _accept_milestone(session: AsyncSession, caller: Caller, row: MilestoneTrigger) -> None:
    row.name = row.name or f"{row.event_type or '*'} >= {row.score_threshold}"[:_LONGEST_NAME]
    _check_message(row)
    if row.event_type not in ANY_TYPE:
        await name_event_type(session, row.unit_id, row.event_type)


async def _accept_sequence(session: AsyncSession, caller: Caller, row: SequenceTrigger) -> None:
    """Types and steps mirror one another: what the client sent decides."""
    _mirror(row)
    row.name = row.name or " > ".join(row.event_types)[:_LONGEST_NAME]
    if sum(step.min_count for step in row.event_steps) > _MOST_STEPS:
        raise bad_request("Too many steps.", event_steps=f"must ask for at most {_MOST_STEPS} events")
    for step in row.event_steps:
        step.filters = _filters("event_steps", step.filters)
    _check_message(row)
    if inspect(row).transient and row.webhook_url is None:
        raise bad_request("Name a destination.", webhook_url='is required; it may be "" when there is another')
    row.webhook_url = row.webhook_url or None
    if not has_destination(row):
        raise bad_request("Name a destination.", webhook_url="is required unless there is another destination")
    for event_type in row.event_types:
        await name_event_type(session, row.unit_id, event_type)


async def _accept_pattern(session: AsyncSession, caller: Caller, row: PatternTrigger) -> None:
    names = " + ".join(f"{each.min_count} {each.event_type}" for each in row.conditions)
    row.name = row.name or names[:_LONGEST_NAME] or "Pattern"
    for condition in row.conditions:
        condition.filters = _filters("conditions", condition.filters)
    check_destinations(row)
    for condition in row.conditions:
        await name_event_type(session, row.unit_id, condition.event_type)


def _check_message(row: MilestoneTrigger | SequenceTrigger) -> None:
    check_destinations(row)
    row.profile_filters = _filters("profile_filters", row.profile_filters)
    row.lead_attribute_filters = _filters("lead_attribute_filters", row.lead_attribute_filters)


def _filters(name: str, filters: Iterable[TriggerFilter]) -> list[TriggerFilter]:
    """The filters with the operators' own names; 400 for an unknown one, or without a value it needs."""
    checked = []
    for each in filters:
        try:
            operator = canonical(each.operator)
        except ValueError as error:
            raise bad_request("A filter has an unknown operator.", **{name: str(error)}) from None
        if needs_value(operator) and each.value is None:
            raise bad_request("A filter has no value.", **{name: f"{operator} needs a value"})
        checked.append(TriggerFilter(field=each.field, operator=operator, value=each.value))
    return checked


def _mirror(row: SequenceTrigger) -> None:
    steps = sorted(row.event_steps, key=lambda step: step.order)
    mirrored = [step.event_type for step in steps]
    if not row.event_types or not all(0 < len(each) <= _LONGEST_NAME for each in row.event_types):
        raise bad_request("Name the types of the steps.", event_types=f"must be 1 to {_MOST_STEPS} event types")
    if mirrored != row.event_types:
        if _sent(row, "event_steps") and steps:
            if _sent(row, "event_types"):
                raise bad_request("Types and steps differ.", event_steps="must be of event_types, in their order")
            row.event_types = mirrored
        else:
            steps = [EventStep(event_type=name) for name in row.event_types]
    ordered = [step.model_copy(update={"order": place}) for place, step in enumerate(steps)]
    if ordered != row.event_steps:
        row.event_steps = ordered


def _sent(row: Any, name: str) -> bool:
    """Whether the request gives the field a new value."""
    return bool(inspect(row).attrs[name].history.added)


_TARGETS = ("slack_target_kind", "slack_target_id", "teams_target_kind", "teams_target_id")
_MESSAGES = (
    "webhook_url", "emails", "email_subject", "email_preheader", "email_message", "active", "fire_mode",
    "cooldown_seconds", "profile_filters", "lead_attribute_filters", *_TARGETS,
)  # fmt: skip

MILESTONES = Family(
    "milestone_trigger",
    MilestoneTrigger,
    writable=("event_type", "score_threshold", "name", "notify_exit", *_MESSAGES),
    order="created_at",
    accept=_accept_milestone,
    release=nothing_to_check,
    optional=("name",),
)

SEQUENCES = Family(
    "sequence",
    SequenceTrigger,
    writable=(
        "event_types", "event_steps", "window_seconds", "window_unit", "ordered", "name", "hubspot_sync", *_MESSAGES,
    ),
    order="created_at",
    accept=_accept_sequence,
    release=nothing_to_check,
    optional=("name",),
)  # fmt: skip

PATTERNS = Family(
    "pattern_trigger",
    PatternTrigger,
    writable=("name", "description", "active", "window_seconds", "conditions", "webhook_url", "emails"),
    order="created_at",
    accept=_accept_pattern,
    release=nothing_to_check,
    optional=("name",),
)
