"""The committed schema is the schema, and all of it is described."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path
from typing import get_args

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
)

from leadvibe.config import Settings
from leadvibe.pipeline.audit_words import VERBS
from leadvibe.pipeline.channels import _SYNONYMS
from leadvibe.pipeline.events import ALIAS_KINDS
from leadvibe.schema.app import sdl
from leadvibe.schema.governance import AuditVerb, RateLimitKey, RateLimitMode
from leadvibe.schema.root import SCHEMA
from leadvibe.schema.words import AliasKind, Channel

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


@pytest.mark.parametrize(
    ("enum", "words"),
    [
        (Channel, _SYNONYMS),
        (AliasKind, ALIAS_KINDS),
        (AuditVerb, VERBS),
        (RateLimitMode, get_args(Settings.model_fields["rate_limit_mode"].annotation)),
        (RateLimitKey, get_args(Settings.model_fields["rate_limit_key"].annotation)),
    ],
)
def test_an_enum_has_every_word_of_its_set(enum: type[Enum], words: Iterable[str]) -> None:
    assert {str(member.value) for member in enum} == set(words)


def test_every_type_field_and_argument_is_described() -> None:
    assert list(_undescribed()) == []


def _names_a_thing(name: str, kind: str) -> bool:
    return kind in ("ID!", "[ID!]!") or (name, kind) == ("eventType", "String!")


def _is_input(argument: GraphQLArgument) -> bool:
    kind = argument.type
    return isinstance(kind, GraphQLNonNull) and isinstance(kind.of_type, GraphQLInputObjectType)


def test_a_mutation_names_what_it_acts_on_and_takes_its_data_as_one_input() -> None:
    mutations = SCHEMA._schema.mutation_type
    assert mutations is not None
    for name, field in mutations.fields.items():
        data = {each: of for each, of in field.args.items() if not _names_a_thing(each, str(of.type))}
        if name == "ingestEvents":
            assert {each: str(of.type) for each, of in data.items()} == {
                "events": "[EventInput!]!",
                "idempotencyKey": "String",
            }
        else:
            assert set(data) <= {"input"}, f"{name} takes data outside of its input"
            assert all(map(_is_input, data.values())), f"the input of {name} may be left out, or is a scalar"
