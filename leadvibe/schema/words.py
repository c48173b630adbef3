"""Enums of the closed sets of words that stored rows and bodies have: found by their words, wherever these occur."""

from __future__ import annotations

from enum import Enum
from typing import Any, Literal, get_args, get_origin

import strawberry

from leadvibe.resolvers.members import OrgRole
from leadvibe.resolvers.memberships import UnitRole
from leadvibe.scoring.model import Scope, SuppressionReason
from leadvibe.store.config_tables import Condition, InactivityUnit, UpdateBehavior, WindowUnit
from leadvibe.store.segment_tables import LogicOp, RuleType
from leadvibe.store.trigger_tables import FireMode, TargetKind


@strawberry.enum(description="Where an event happened.")
class Channel(Enum):
    WEB = strawberry.enum_value("web", description="A web page or app.")
    EMAIL = strawberry.enum_value("email", description="E-mail.")
    SLACK = strawberry.enum_value("slack", description="Slack.")
    WEBINAR = strawberry.enum_value("webinar", description="A webinar.")
    CRM = strawberry.enum_value("crm", description="A CRM system.")
    SYSTEM = strawberry.enum_value("system", description="The server itself, such as a DECAY.")


@strawberry.enum(description="What kind of name an alias is.")
class AliasKind(Enum):
    EMAIL = strawberry.enum_value("email", description="An e-mail address.")
    PHONE = strawberry.enum_value("phone", description="A telephone number.")
    EXTERNAL_ID = strawberry.enum_value("external_id", description="An id of another system.")
    COOKIE = strawberry.enum_value("cookie", description="A visitor's cookie.")
    SOCIAL = strawberry.enum_value("social", description="A name in a social network.")


def _enum(name: str, words: Any, description: str, *descriptions: str) -> Any:
    """The enum of a Literal's words, which are its values; the names are in capitals."""
    members = {
        word.upper(): strawberry.enum_value(word, description=text)
        for word, text in zip(get_args(words), descriptions, strict=True)
    }
    return strawberry.enum(Enum(name, members), description=description)  # type: ignore[call-overload]


_MODES = Literal["off", "standard", "gentle", "custom"]

MemberRole: Any = _enum(
    "MemberRole", OrgRole, "What a member may do in the organisation.",
    "Everything, members and units included.", "What a member may do beyond reading is up to its roles in units.",
    "Only reading.",
)  # fmt: skip
RoleInUnit: Any = _enum(
    "UnitRole", UnitRole, "What a member may do in a unit.",
    "Everything, memberships of Owners included.", "Everything but what is for Owners.", "Only reading.",
)  # fmt: skip
ProcessingScope: Any = _enum(
    "ProcessingScope", Scope, "How far events of a type are processed.",
    "They are stored and shown.", "They are scored, too.", "They also fire triggers.",
)  # fmt: skip
Suppression: Any = _enum(
    "SuppressionReason", SuppressionReason, "Why an event was not scored.",
    "There were too many of its type in too short a time.", "It belongs to a burst of which one event counts.",
    "A filter of metadata met it.",
)  # fmt: skip
SurgeMode: Any = _enum(
    "SurgeMode", _MODES, "Which multipliers a session's events have.",
    "None.", "The usual ones.", "Lower ones.", "The unit's own.",
)  # fmt: skip

_ENUMS = {
    get_args(OrgRole): MemberRole,
    get_args(UnitRole): RoleInUnit,
    get_args(Scope): ProcessingScope,
    get_args(SuppressionReason): Suppression,
    get_args(Condition): _enum(
        "Condition", Condition, "How a property is compared with a value.",
        "They are the same.", "They differ, or the property is not there.", "The value is a part of it.",
        "It begins with the value.", "It is larger.", "It is larger, or the same.", "It is smaller.",
        "It is smaller, or the same.", "Older name of GT.", "Older name of LT.",
    ),
    get_args(UpdateBehavior): _enum(
        "UpdateBehavior", UpdateBehavior, "What happens to a property that has a value.",
        "The new one overwrites it.", "It keeps the first one.", "It keeps the last 10.",
    ),
    get_args(InactivityUnit): _enum(
        "InactivityUnit", InactivityUnit, "In what inactivity is counted.", "Hours.", "Days.", "Weeks."
    ),
    get_args(WindowUnit): _enum(
        "WindowUnit", WindowUnit, "In what a window is shown.", "Seconds.", "Minutes.", "Hours.", "Days."
    ),
    get_args(FireMode): _enum(
        "FireMode", FireMode, "How often a trigger fires.", "The first time for each lead.", "Every time."
    ),
    get_args(TargetKind): _enum(
        "TargetKind", TargetKind, "To whom a message goes.", "A channel.", "A person."
    ),
    get_args(RuleType): _enum(
        "SegmentRuleType", RuleType, "What a segment's rule looks at.",
        "A property of the lead.", "A property of one of its events.", "Its engagement level.",
        "Its profile level.", "A property of its account.", "The level of its account.",
    ),
    get_args(LogicOp): _enum(
        "LogicOperator", LogicOp, "How rules of a group are combined.", "All must hold.", "One must hold."
    ),
    get_args(_MODES): SurgeMode,
}  # fmt: skip


def enum_in(annotation: Any) -> Any:
    """The enum of the words that an annotation allows, through Optional, list and Annotated; None without any."""
    if get_origin(annotation) is Literal:
        return _ENUMS.get(get_args(annotation))
    found = (enum_in(part) for part in get_args(annotation))
    return next((enum for enum in found if enum is not None), None)
