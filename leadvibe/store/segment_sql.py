"""Segments in SQL: the same conditions that `scoring/segments.py` decides for a single lead."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from leadvibe.scoring.conditions import NUMBER_PATTERN, holds, number, pattern
from leadvibe.scoring.segments import Condition, Joined, Node, SegmentPlan

# Takes a text or a list of texts as a parameter; answers what stands for it in the statement.
Bind = Callable[[Any], str]
# The spellings of each event type by normal name.
TypeNames = Mapping[str, Sequence[str]]

_COMPARISONS = {
    "greater_than": ">",
    "less_than": "<",
    "greater_than_or_equal": ">=",
    "less_than_or_equal": "<=",
}
_SCORES = {"engagement_level": "leads.score", "profile_level": "leads.profile_score"}
_ACCOUNT = "accounts a WHERE a.unit_id = leads.unit_id AND a.account_id = leads.account_id"


class Compiler:
    """Makes conditions on rows of `leads` (and of `engagement_events m`) of one unit."""

    def __init__(self, plan: SegmentPlan, names: TypeNames, unit_id: str, bind: Bind) -> None:
        self._plan, self._names, self._unit_id, self._bind = plan, names, unit_id, bind

    def segment(self, definition: Node | None) -> str:
        """The condition of the leads that belong to a segment."""
        return "false" if definition is None else self._node(definition)

    def event(self, condition: Condition) -> str:
        """The condition of the rows of `engagement_events m` that a rule on events looks for."""
        found = self._some(condition.sought, f"m.metadata -> {self._bind(condition.field)}", condition.value)
        parts = ["m.suppression_reason IS NULL", "m.lead_id IS NOT NULL", found]
        if condition.event_type is not None:
            spellings = list(self._names.get(condition.event_type, ()))
            parts.insert(0, f"m.event_type = ANY({self._bind(spellings)})")
        return " AND ".join(parts)

    def _node(self, node: Node) -> str:
        if isinstance(node, Joined):
            return f"({self._node(node.left)} {'OR' if node.by_or else 'AND'} {self._node(node.right)})"
        match node.kind:
            case "event_metadata":
                leads = f"""(leads.lead_id IN (SELECT m.lead_id FROM engagement_events m
                             WHERE m.unit_id = {self._bind(self._unit_id)} AND {self.event(node)}))"""
                return f"(NOT {leads})" if node.wants_none else leads
            case "lead_metadata":
                return self._holds(node, f"leads.metadata -> {self._bind(node.field)}")
            case "account_metadata":
                if not self._plan.accounts:
                    return _constant(holds(node.operator, None, node.value))
                return self._holds(node, f"(SELECT a.metadata -> {self._bind(node.field)} FROM {_ACCOUNT})")
            case "account_level":
                if not self._plan.accounts:
                    return _constant(holds(node.operator, None, node.value))
                return self._level(node, f"(SELECT a.account_score FROM {_ACCOUNT})")
        return self._level(node, _SCORES[node.kind])

    def _level(self, node: Condition, score: str) -> str:
        """Whether the level of a score meets the rule, decided level by level beforehand."""
        cases = [
            f"WHEN {score} >= {each.min_score}"
            + ("" if each.max_score is None else f" AND {score} <= {each.max_score}")
            + f" THEN {_constant(holds(node.operator, each.name, node.value))}"
            for each in self._plan.levels.get(node.kind, ())
        ]
        none = _constant(holds(node.operator, None, node.value))
        return f"(CASE {' '.join(cases)} ELSE {none} END)" if cases else none

    def _holds(self, node: Condition, value: str) -> str:
        match node.operator:
            case "is_empty":
                return f"(NOT {self._some('is_not_empty', value, None)})"
            case "not_equals":
                empty = f"NOT {self._some('is_not_empty', value, None)}"
                return f"({empty} OR {self._some('not_equals', value, node.value)})"
        return self._some(node.operator, value, node.value)

    def _some(self, operator: str, value: str, wanted: str | None) -> str:
        """Whether some filled item of the value, or the value itself when it is no list, meets the condition.

        A value that is no list, as nearly all are, is decided without a subquery, which would cost ten times more.
        """
        return f"""(CASE WHEN jsonb_typeof({value}) = 'array'
            THEN EXISTS (SELECT FROM jsonb_array_elements({value}) AS e (item)
                         WHERE {self._item("e.item", operator, wanted or "")})
            ELSE coalesce({self._item(f"({value})", operator, wanted or "")}, false) END)"""

    def _item(self, item: str, operator: str, wanted: str) -> str:
        """Whether an item is filled and meets the condition; null is no."""
        return f"({item} <> 'null' AND {item} <> '\"\"' AND {self._meets(item, operator, wanted)})"

    def _meets(self, item: str, operator: str, wanted: str) -> str:
        match operator:
            case "is_not_empty":
                return "true"
            case "equals":
                return f"{_text(item)} = {self._bind(wanted)}"
            case "not_equals":
                return f"{_text(item)} IS DISTINCT FROM {self._bind(wanted)}"
            case "contains" | "starts_with" | "ends_with":
                return f"{_text(item)} ~ {self._bind(pattern(operator, wanted))}"
        if (compared := number(wanted)) is None:
            return "false"
        trimmed = f"btrim({_text(item)}, E' \\t\\r\\n')"
        is_number = f"{trimmed} ~ {self._bind(f'^({NUMBER_PATTERN})$')}"
        value = f"CAST({self._bind(format(compared, 'f'))} AS numeric)"
        return f"(CASE WHEN {is_number} THEN CAST({trimmed} AS numeric) {_COMPARISONS[operator]} {value} END)"


def _text(item: str) -> str:
    """An item as text: numbers in their shortest form, null for what is no scalar."""
    plain = f"({item} #>> '{{}}')"
    return f"""(CASE jsonb_typeof({item}) WHEN 'string' THEN {plain} WHEN 'boolean' THEN {plain}
            WHEN 'number' THEN CAST(trim_scale(CAST({plain} AS numeric)) AS text) END)"""


def _constant(holds: bool) -> str:
    return "true" if holds else "false"
