"""The configuration families: four GraphQL fields for each, made by one function."""

# No postponed annotations here: Strawberry reads the types of arguments that are made at run time.

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import strawberry
from strawberry.types.field import StrawberryField

from leadvibe.errors import not_found
from leadvibe.resolvers.context import Context
from leadvibe.resolvers.decays import DECAYS
from leadvibe.resolvers.family import Family
from leadvibe.resolvers.fit import (
    ACCOUNT_MAPPINGS,
    ACCOUNT_RULES,
    ACCOUNT_RULESETS,
    PROFILE_MAPPINGS,
    PROFILE_RULES,
    PROFILE_RULESETS,
)
from leadvibe.resolvers.levels import ACCOUNT_LEVELS, LEVELS, PROFILE_LEVELS
from leadvibe.resolvers.rulesets import FILTERS, RULES, RULESETS
from leadvibe.resolvers.surge import SURGE_TRIGGERS
from leadvibe.resolvers.triggers import MILESTONES, PATTERNS, SEQUENCES
from leadvibe.schema.configuration import kind_of
from leadvibe.schema.context import Info
from leadvibe.schema.derive import body_of, input_type
from leadvibe.schema.node import findable


@dataclass(frozen=True, slots=True)
class FamilyFields:
    """The root fields of one family."""

    query: StrawberryField
    mutations: tuple[StrawberryField, ...]


Listed = Callable[..., Awaitable[Sequence[Any]]]


def all_of(family: Family[Any]) -> Listed:
    """Resolves the list of all rows."""

    async def listed(info: Info) -> Sequence[Any]:
        return await family.list(info.context)

    return listed


def of_ruleset(family: Family[Any]) -> Listed:
    """Resolves the list of rules, of all rulesets or of one."""

    async def listed(
        info: Info,
        ruleset_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only those of this ruleset.")
        ] = None,
    ) -> Sequence[Any]:
        return await family.list(info.context, **({} if ruleset_id is None else {"ruleset_id": ruleset_id}))

    return listed


def family_fields(
    family: Family[Any], listed: Listed, nested: bool = False, kind: Any = None, create: Any = None
) -> FamilyFields:
    """`<noun>s`, `create<Noun>`, `update<Noun>` and `delete<Noun>`; `listed` resolves the first.

    A `nested` family's rows are made inside a ruleset, which is no part of their input. `kind` is the GraphQL
    type of the rows, by default that of the family; `create` resolves the second field.
    """
    noun = family.noun.replace("_", " ")
    article = "an" if noun[0] in "aeiou" else "a"
    kind = kind or kind_of(family)
    findable(family.row.__name__, family.row.key, _finder(family))
    new = input_type(family.Input, f"What {article} {noun} is made of.")
    changed = input_type(family.Changes, f"Changes of {article} {noun}; what is left out keeps its value.")
    row_id = Annotated[strawberry.ID, strawberry.argument(description=f"The {noun}.")]
    values = Annotated[new, strawberry.argument(description=f"The new {noun}.")]  # type: ignore[valid-type]
    changes = Annotated[changed, strawberry.argument(description="What changes.")]  # type: ignore[valid-type]

    async def create_one(info: Info, input: values) -> Any:
        return await family.create(info.context, body_of(family.Input, input))

    parent_id = Annotated[strawberry.ID, strawberry.argument(description="The ruleset it belongs to.")]

    async def create_inside(info: Info, ruleset_id: parent_id, input: values) -> Any:
        return await family.create(info.context, body_of(family.Input, input), ruleset_id=ruleset_id)

    async def update(info: Info, id: row_id, input: changes) -> Any:
        return await family.update(info.context, id, body_of(family.Changes, input))

    async def delete(info: Info, id: row_id) -> Any:
        await family.delete(info.context, id)
        return id

    made = create or (create_inside if nested else create_one)
    # Nullable: the error of one mutation must not hide the results of those before it.
    return FamilyFields(
        _named(f"{family.noun}s", listed, list[kind], f"The unit's {noun}s."),
        (
            _named(f"create_{family.noun}", made, kind | None, f"Makes {article} {noun}."),
            _named(f"update_{family.noun}", update, kind | None, f"Changes {article} {noun}."),
            _named(f"delete_{family.noun}", delete, strawberry.ID | None, f"Removes {article} {noun}; answers its id."),
        ),
    )


def _finder(family: Family[Any]) -> Callable[[Context, str], Awaitable[Any]]:
    """Finds one row; a unit has few."""

    async def find(context: Context, key: str) -> Any:
        for row in await family.list(context):
            if getattr(row, family.row.key) == key:
                return row
        raise not_found(f"The {family.noun.replace('_', ' ')} {key}")

    return find


def _named(name: str, resolver: Any, kind: Any, description: str) -> StrawberryField:
    field: StrawberryField = strawberry.field(resolver=resolver, graphql_type=kind, description=description)
    field.python_name = name
    return field


_FAMILIES = (
    family_fields(RULES, of_ruleset(RULES)),
    *(
        family_fields(family, all_of(family))
        for family in (
            RULESETS,
            FILTERS,
            DECAYS,
            SURGE_TRIGGERS,
            MILESTONES,
            SEQUENCES,
            PATTERNS,
            PROFILE_RULESETS,
            PROFILE_MAPPINGS,
            ACCOUNT_RULESETS,
            ACCOUNT_MAPPINGS,
            LEVELS,
            PROFILE_LEVELS,
            ACCOUNT_LEVELS,
        )
    ),
    *(family_fields(family, of_ruleset(family), nested=True) for family in (PROFILE_RULES, ACCOUNT_RULES)),
)

QUERIES = [family.query for family in _FAMILIES]
MUTATIONS = [field for family in _FAMILIES for field in family.mutations]
