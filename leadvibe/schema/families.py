"""The configuration families: four GraphQL fields for each, made by one function."""

# No postponed annotations here: Strawberry reads the types of arguments that are made at run time.

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import strawberry
from strawberry.types.field import StrawberryField

from leadvibe.resolvers.family import Family
from leadvibe.resolvers.levels import LEVELS
from leadvibe.resolvers.rulesets import FILTERS, RULES, RULESETS, list_rules_of_ruleset
from leadvibe.schema.context import Info
from leadvibe.schema.derive import body_of, input_type, object_type


@dataclass(frozen=True, slots=True)
class FamilyFields:
    """The root fields of one family."""

    query: StrawberryField
    mutations: tuple[StrawberryField, ...]


def family_fields(family: Family[Any], listed: Callable[..., Awaitable[Sequence[Any]]]) -> FamilyFields:
    """`<noun>s`, `create<Noun>`, `update<Noun>` and `delete<Noun>`; `listed` resolves the first."""
    noun = family.noun.replace("_", " ")
    article = "an" if noun[0] in "aeiou" else "a"
    kind = object_type(family.row)
    new = input_type(family.Input, f"What {article} {noun} is made of.")
    changed = input_type(family.Changes, f"Changes of {article} {noun}; what is left out keeps its value.")
    row_id = Annotated[strawberry.ID, strawberry.argument(description=f"The {noun}.")]
    values = Annotated[new, strawberry.argument(description=f"The new {noun}.")]  # type: ignore[valid-type]
    changes = Annotated[changed, strawberry.argument(description="What changes.")]  # type: ignore[valid-type]

    async def create(info: Info, input: values) -> Any:
        return await family.create(info.context, body_of(family.Input, input))

    async def update(info: Info, id: row_id, input: changes) -> Any:
        return await family.update(info.context, id, body_of(family.Changes, input))

    async def delete(info: Info, id: row_id) -> Any:
        await family.delete(info.context, id)
        return id

    # Nullable: the error of one mutation must not hide the results of those before it.
    return FamilyFields(
        _named(f"{family.noun}s", listed, list[kind], f"The unit's {noun}s."),  # type: ignore[valid-type]
        (
            _named(f"create_{family.noun}", create, kind | None, f"Makes {article} {noun}."),
            _named(f"update_{family.noun}", update, kind | None, f"Changes {article} {noun}."),
            _named(f"delete_{family.noun}", delete, strawberry.ID | None, f"Removes {article} {noun}; answers its id."),
        ),
    )


def _named(name: str, resolver: Any, kind: Any, description: str) -> StrawberryField:
    field: StrawberryField = strawberry.field(resolver=resolver, graphql_type=kind, description=description)
    field.python_name = name
    return field


async def _rulesets(info: Info) -> Sequence[Any]:
    return await RULESETS.list(info.context, surface="engagement")


async def _rules(
    info: Info,
    ruleset_id: Annotated[strawberry.ID | None, strawberry.argument(description="Only those of this ruleset.")] = None,
) -> Sequence[Any]:
    if ruleset_id is not None:
        return await list_rules_of_ruleset(info.context, ruleset_id)
    return await RULES.list(info.context)


async def _filters(info: Info) -> Sequence[Any]:
    return await FILTERS.list(info.context)


async def _levels(info: Info) -> Sequence[Any]:
    return await LEVELS.list(info.context)


_FAMILIES = (
    family_fields(RULESETS, _rulesets),
    family_fields(RULES, _rules),
    family_fields(FILTERS, _filters),
    family_fields(LEVELS, _levels),
)

QUERIES = [family.query for family in _FAMILIES]
MUTATIONS = [field for family in _FAMILIES for field in family.mutations]
