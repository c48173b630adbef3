"""The types of configuration rows, and the ways from one row to others.

A unit has few rows of each family: a way reads the whole family once for all objects of an answer that ask for it at
the same time, and picks from that.
"""

# No postponed annotations here: Strawberry reads the types of fields that are made at run time.

from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any

import strawberry
from strawberry.types.field import StrawberryField

from leadvibe.resolvers.family import Family
from leadvibe.resolvers.fit import ACCOUNT_RULES, ACCOUNT_RULESETS, PROFILE_RULES, PROFILE_RULESETS
from leadvibe.resolvers.rulesets import RULES, RULESETS
from leadvibe.resolvers.surge import SURGE_TRIGGERS
from leadvibe.resolvers.triggers import MILESTONES
from leadvibe.schema.context import Info
from leadvibe.schema.derive import object_type


async def find_row(info: Info, family: Family[Any], key: str | None) -> Any:
    """The row of this id; None without one, or when there is none any more."""
    rows = [] if key is None else await info.context.families.load(family)
    return next((row for row in rows if getattr(row, family.row.key) == key), None)


async def rows_within(info: Info, family: Family[Any], column: str, key: str) -> Sequence[Any]:
    """The rows that belong to a row of another family: those whose `column` has its id."""
    return [row for row in await info.context.families.load(family) if getattr(row, column) == key]


def way_to_parent(name: str, parent: Family[Any], column: str, module: str) -> StrawberryField:
    """The field of rows that belong to a row of another family, whose type is in that module."""

    async def found(self: Any, info: Info) -> Any:
        return await find_row(info, parent, getattr(self, column))

    return _way(name, found, _type_in(module, parent) | None, f"The {name} that it belongs to.")


def way_to_rules(rules: Family[Any], column: str, module: str, description: str) -> StrawberryField:
    """The field `rules` of a row to which the rules belong that have its id in that column."""

    async def found(self: Any, info: Info) -> Any:
        return await rows_within(info, rules, column, getattr(self, self.key))

    return _way("rules", found, list[_type_in(module, rules)], description)  # type: ignore[misc]


def _type_in(module: str, family: Family[Any]) -> Any:
    return Annotated[family.row.__name__, strawberry.lazy(module)]


def _way(name: str, resolver: Any, kind: Any, description: str) -> StrawberryField:
    made: StrawberryField = strawberry.field(resolver=resolver, graphql_type=kind, description=description)
    made.python_name = name
    return made


def _rules_of(rules: Family[Any]) -> StrawberryField:
    return way_to_rules(rules, "ruleset_id", __name__, "Its rules.")


def _ruleset_of(rulesets: Family[Any]) -> StrawberryField:
    return way_to_parent("ruleset", rulesets, "ruleset_id", __name__)


_WAYS = {
    RULESETS: _rules_of(RULES),
    RULES: _ruleset_of(RULESETS),
    PROFILE_RULESETS: _rules_of(PROFILE_RULES),
    PROFILE_RULES: _ruleset_of(PROFILE_RULESETS),
    ACCOUNT_RULESETS: _rules_of(ACCOUNT_RULES),
    ACCOUNT_RULES: _ruleset_of(ACCOUNT_RULESETS),
}


@cache
def kind_of(family: Family[Any]) -> Any:
    """The GraphQL type of a family's rows."""
    return object_type(family.row, *([_WAYS[family]] if family in _WAYS else []))


Ruleset: Any = kind_of(RULESETS)
Rule: Any = kind_of(RULES)
ProfileRuleset: Any = kind_of(PROFILE_RULESETS)
ProfileRule: Any = kind_of(PROFILE_RULES)
AccountRuleset: Any = kind_of(ACCOUNT_RULESETS)
AccountRule: Any = kind_of(ACCOUNT_RULES)
SurgeTrigger: Any = kind_of(SURGE_TRIGGERS)
MilestoneTrigger: Any = kind_of(MILESTONES)
