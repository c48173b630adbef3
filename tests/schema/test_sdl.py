"""The committed schema is the schema, and all of it is described."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLInterfaceType, GraphQLObjectType

from leadvibe.schema.app import sdl
from leadvibe.schema.root import SCHEMA

COMMITTED = Path(__file__).parents[2] / "schema.graphql"


def test_the_committed_schema_is_up_to_date() -> None:
    assert COMMITTED.read_text() == sdl(), "run `leadvibe schema > schema.graphql`"


def _undescribed() -> Iterator[str]:
    for name, kind in SCHEMA._schema.type_map.items():
        if name.startswith("__"):
            continue
        if not kind.description:
            yield name
        if isinstance(kind, GraphQLEnumType):
            yield from (f"{name}.{value}" for value, entry in kind.values.items() if not entry.description)
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for field_name, field in kind.fields.items():
                if not field.description:
                    yield f"{name}.{field_name}"
                for argument, entry in getattr(field, "args", {}).items():
                    if not entry.description:
                        yield f"{name}.{field_name}({argument})"


def test_every_type_field_and_argument_is_described() -> None:
    assert list(_undescribed()) == []
