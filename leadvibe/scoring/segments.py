"""Segments: which leads belong, decided for a single lead (contract: "Combining rules").

`store/segment_sql.py` says the same of the same description in SQL.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

from leadvibe.scoring.conditions import holds, some_holds
from leadvibe.scoring.event_names import normal_name
from leadvibe.scoring.levels import level_name
from leadvibe.scoring.model import Level

Kind = Literal[
    "lead_metadata", "event_metadata", "engagement_level", "profile_level", "account_metadata", "account_level"
]
LevelKind = Literal["engagement_level", "profile_level", "account_level"]
LEVEL_KINDS: tuple[LevelKind, ...] = ("engagement_level", "profile_level", "account_level")


@dataclass(frozen=True, slots=True)
class Condition:
    """One active rule. `operator` by its own name; `event_type` by its normal name, None is any type."""

    rule_id: str
    kind: Kind
    field: str
    operator: str
    value: str | None = None
    event_type: str | None = None
    group: int = 0
    joined_by_or: bool = False

    @property
    def wants_none(self) -> bool:
        """Of a rule on events: that no event meets what `happens` looks for."""
        return self.operator == "is_empty"

    @property
    def sought(self) -> str:
        """Of a rule on events: the operator that an event must meet."""
        return "is_not_empty" if self.wants_none else self.operator

    def happens(self, metadata: Mapping[str, Any]) -> bool:
        """Whether an event of the right type is one that the rule looks for."""
        return some_holds(self.sought, metadata.get(self.field), self.value)


@dataclass(frozen=True, slots=True)
class Joined:
    """Two parts of a segment's definition, joined."""

    left: Node
    right: Node
    by_or: bool


Node = Condition | Joined


@dataclass(frozen=True, slots=True)
class Segment:
    """`conditions` in their order: by group, then by place. Without any, nobody belongs."""

    segment_id: str
    conditions: tuple[Condition, ...]

    @property
    def definition(self) -> Node | None:
        """Folded from left to right: inside each group first, then group after group."""
        groups: dict[int, Node] = {}
        joins: dict[int, bool] = {}
        for each in self.conditions:
            if each.group in groups:
                groups[each.group] = Joined(groups[each.group], each, each.joined_by_or)
            else:
                groups[each.group], joins[each.group] = each, each.joined_by_or
        whole: Node | None = None
        for group, node in groups.items():
            whole = node if whole is None else Joined(whole, node, joins[group])
        return whole


class Person(NamedTuple):
    """What segments look at: the lead, its account if it has one, and the rules on events that some event
    of the lead meets."""

    metadata: Mapping[str, Any]
    score: int
    profile_score: int
    account: Mapping[str, Any] | None
    account_score: int | None
    facts: Collection[str]


@dataclass(frozen=True)
class SegmentPlan:
    """The segments of a unit, and what their rules on levels and accounts read.

    `segments` holds the inactive ones too, without conditions: they have no leads. `accounts`: whether
    account-based scoring is on; while it is off, rules on accounts find nothing. `primaries`: the primary
    ruleset behind each kind of level.
    """

    segments: tuple[Segment, ...] = ()
    levels: Mapping[str, Sequence[Level]] = field(default_factory=dict)
    accounts: bool = False
    primaries: Mapping[str, str | None] = field(default_factory=dict)

    @cached_property
    def of_rule(self) -> Mapping[str, str]:
        """The segment of each rule."""
        return {each.rule_id: segment.segment_id for segment in self.segments for each in segment.conditions}

    @cached_property
    def by_kind(self) -> Mapping[str, frozenset[str]]:
        """The segments with a rule of each kind."""
        kinds = {each.kind for segment in self.segments for each in segment.conditions}
        return {
            kind: frozenset(
                segment.segment_id for segment in self.segments if any(each.kind == kind for each in segment.conditions)
            )
            for kind in kinds
        }

    @cached_property
    def on_events(self) -> Sequence[Condition]:
        return [each for segment in self.segments for each in segment.conditions if each.kind == "event_metadata"]

    @cached_property
    def _named(self) -> dict[str, tuple[Segment, Node | None]]:
        return {each.segment_id: (each, each.definition) for each in self.segments}

    @cached_property
    def _heard(self) -> dict[str, tuple[Condition, ...]]:
        return {}

    @cached_property
    def _fields_heard(self) -> dict[str, tuple[str, ...]]:
        return {}

    @cached_property
    def _digests(self) -> dict[str, str]:
        return {}

    @cached_property
    def _blank(self) -> dict[str | None, frozenset[str]]:
        return {}

    def __bool__(self) -> bool:
        return bool(self.segments)

    def heard(self, event_type: str) -> tuple[Condition, ...]:
        """The rules that look at events of this type."""
        found = self._heard.get(event_type)
        if found is None:
            name = normal_name(event_type)
            found = tuple(each for each in self.on_events if each.event_type in (None, name))
            self._heard[event_type] = found
        return found

    def fields_heard(self, event_type: str) -> tuple[str, ...]:
        """What these rules look at."""
        found = self._fields_heard.get(event_type)
        if found is None:
            found = tuple(dict.fromkeys(each.field for each in self.heard(event_type)))
            self._fields_heard[event_type] = found
        return found

    def level(self, kind: LevelKind, score: int | None) -> str | None:
        return None if score is None else level_name(self.levels.get(kind, ()), score)

    def belongs(self, segment_id: str, person: Person) -> bool:
        _, definition = self._named[segment_id]
        return definition is not None and self._meets(definition, person)

    def all_of(self, person: Person, segment_ids: Iterable[str] | None = None) -> set[str]:
        """The segments that the lead belongs to, among these or among all."""
        wanted = self._named if segment_ids is None else segment_ids
        return {each for each in wanted if self.belongs(each, person)}

    def of_new(self, score: int) -> frozenset[str]:
        """The segments of a lead of which nothing is known but its score."""
        level = self.level("engagement_level", score)
        found = self._blank.get(level)
        if found is None:
            found = self._blank[level] = frozenset(self.all_of(Person({}, score, 0, None, None, ())))
        return found

    def definition(self, segment_id: str) -> Node | None:
        """None: nobody belongs."""
        return self._named[segment_id][1]

    def digest(self, segment_id: str) -> str:
        """Differs when the segment is defined differently."""
        found = self._digests.get(segment_id)
        if found is None:  # each batch asks for all of them
            found = self._digests[segment_id] = self._digest(segment_id)
        return found

    def _digest(self, segment_id: str) -> str:
        segment, _ = self._named[segment_id]
        kinds = {each.kind for each in segment.conditions}
        read = [
            (
                kind,
                self.primaries.get(kind),
                [(each.name, each.min_score, each.max_score) for each in self.levels[kind]],
            )
            for kind in LEVEL_KINDS
            if kind in kinds and kind in self.levels
        ]
        accounts = self.accounts and bool(kinds & {"account_level", "account_metadata"})
        return hashlib.sha256(repr((segment.conditions, read, accounts)).encode()).hexdigest()

    def _meets(self, node: Node, person: Person) -> bool:
        if isinstance(node, Joined):
            left = self._meets(node.left, person)
            return left if left == node.by_or else self._meets(node.right, person)
        match node.kind:
            case "event_metadata":
                return (node.rule_id in person.facts) != node.wants_none
            case "lead_metadata":
                actual: Any = person.metadata.get(node.field)
            case "account_metadata":
                actual = person.account.get(node.field) if self.accounts and person.account is not None else None
            case "engagement_level":
                actual = self.level(node.kind, person.score)
            case "profile_level":
                actual = self.level(node.kind, person.profile_score)
            case "account_level":
                actual = self.level(node.kind, person.account_score) if self.accounts else None
        return holds(node.operator, actual, node.value)
