"""Answers plain selections by columns: what graphql-core completes field by field, object by object.

A field is plain when it reads an attribute, or has a resolver that takes the object alone and waits for nothing: no
arguments, no directive but @skip and @include, and a leaf, an object of plain fields or a list of such as its type.
The plain fields of a selection are read from all objects of a list at once, and each column is completed at once.

Whatever is out of the ordinary (an absent value of a required field, a value that cannot be coerced, an
exception or an awaitable in place of a value) is `Unusual`: graphql-core then does all of it again, and
tells the error as it always did.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from itertools import chain, islice
from operator import attrgetter
from types import GeneratorType, NoneType
from typing import Any, NamedTuple

from graphql import (
    GraphQLBoolean,
    GraphQLField,
    GraphQLID,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLString,
    Undefined,
    UndefinedType,
    get_nullable_type,
    is_leaf_type,
)
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet
from orjson import Fragment
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField
from strawberry.types.scalar import identity

from leadvibe.schema.scalars import in_utc
from leadvibe.store.statements import EncodedRow

# How the value of a field is read from its object: by the name of an attribute, or by a resolver.
Reading = str | Callable[[Any], Any]
# The values of one field for many objects, before and after completion.
Completer = Callable[[Sequence[Any]], Sequence[Any]]
# The fields of an object type that a field selects, fragments put in.
Collector = Callable[[GraphQLObjectType, FieldDetailsList], "Plan | None"]

# The types of values that these leaf types answer as they are.
_AS_IS: dict[GraphQLLeafType, set[type]] = {GraphQLString: {str}, GraphQLID: {str}, GraphQLBoolean: {bool}}
_TIMES = {datetime, NoneType}
_TRANSPARENT = {"skip", "include"}


class Unusual(Exception):
    """Leave it to graphql-core."""


class Plan(NamedTuple):
    """A selection on an object type: its plain fields, and the others, which are executed as ever."""

    selected: GroupedFieldSet
    read: Callable[[Any], tuple[Any, ...]]
    keys: tuple[str, ...]
    completers: tuple[Completer, ...]
    others: GroupedFieldSet
    is_type: Callable[[Any, Any], Any] | None

    def rows(self, objects: Sequence[Any]) -> list[Any]:
        """The plain fields of each object, or its JSON, which has these. Raises Unusual, or whatever reading raised."""
        if not objects:
            return []
        kinds = set(map(type, objects))
        if isinstance(objects[0], EncodedRow):
            return self._fragments(objects, kinds)
        if not all(map(_is_settled, kinds)):
            raise Unusual
        if self.is_type is not None and not all(self.is_type(each, None) is True for each in objects):
            raise Unusual
        columns = zip(*map(self.read, objects), strict=True)
        done = [complete(column) for complete, column in zip(self.completers, columns, strict=True)]
        return [dict(zip(self.keys, row, strict=True)) for row in zip(*done, strict=True)]

    def _fragments(self, rows: Sequence[EncodedRow], kinds: set[type]) -> list[Any]:
        if len(kinds) > 1 or rows[0].keys != self.keys or self.others:
            raise Unusual
        return [Fragment(row.json) for row in rows]

    def merged(self, row: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
        """The whole object, its fields in the order of the selection."""
        both = row | others
        return {key: both[key] for key in self.selected if key in both}


def plan(kind: GraphQLObjectType, selected: GroupedFieldSet, plan_of: Collector) -> Plan | None:
    """How to answer the selection; None when none of its fields is plain."""
    definition = kind.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if definition is None or definition.is_type_of is not None:
        return None
    readings, keys, completers = [], [], []
    others: GroupedFieldSet = {}
    for key, details in selected.items():
        plain = _plain_field(kind, details, plan_of)
        if plain is None:
            others[key] = details
        else:
            keys.append(key)
            readings.append(plain[0])
            completers.append(plain[1])
    if not keys:
        return None
    return Plan(selected, _reader(readings), tuple(keys), tuple(completers), others, kind.is_type_of)


def is_transparent(details: FieldDetailsList) -> bool:
    """Whether nothing is said of a field but that it is wanted."""
    return all(
        each.defer_usage is None
        and each.fragment_variable_values is None
        and all(directive.name.value in _TRANSPARENT for directive in each.node.directives or ())
        for each in details
    )


def _reader(readings: Sequence[Reading]) -> Callable[[Any], tuple[Any, ...]]:
    names = [each for each in readings if isinstance(each, str)]
    if len(names) == len(readings) > 1:
        return attrgetter(*names)
    each_get = [attrgetter(each) if isinstance(each, str) else each for each in readings]
    return lambda source: tuple(get(source) for get in each_get)


def _plain_field(
    kind: GraphQLObjectType, details: FieldDetailsList, plan_of: Collector
) -> tuple[Reading, Completer] | None:
    """How a plain field is read, and what completes its values."""
    node = details[0].node
    if not is_transparent(details) or node.arguments:
        return None
    if node.name.value == "__typename":
        return "__class__", lambda values: [kind.name] * len(values)
    field: GraphQLField = kind.fields[node.name.value]
    definition = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    reading = None if definition is None or field.args else _reading(definition)
    complete = None if reading is None else completer(field.type, details, plan_of)
    return None if reading is None or complete is None else (reading, complete)


def _reading(definition: StrawberryField) -> Reading | None:
    if definition.is_basic_field:
        return definition.python_name
    resolver = definition.base_resolver
    if (
        resolver is None
        or resolver.is_async
        or definition.extensions
        or list(resolver.signature.parameters) != ["self"]
    ):
        return None
    return resolver


def completer(of: GraphQLOutputType, details: FieldDetailsList, plan_of: Collector) -> Completer | None:
    """What completes values of a type, all that is selected of them included; None when not all of that is plain."""
    required, kind = isinstance(of, GraphQLNonNull), get_nullable_type(of)
    if is_leaf_type(kind):
        return _leaves(kind, required)
    if isinstance(kind, GraphQLList):
        items = completer(kind.of_type, details, plan_of)
        return None if items is None else _present(_lists(items), required)
    if isinstance(kind, GraphQLObjectType):
        found = plan_of(kind, details)
        return None if found is None or found.others else _present(found.rows, required)
    return None


def _leaves(kind: GraphQLLeafType, required: bool) -> Completer:
    definition = kind.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    coerce = None if getattr(definition, "serialize", None) is identity else kind.coerce_output_value
    as_is = _AS_IS.get(kind, set()) | (set() if required else {NoneType})

    def complete(values: Sequence[Any]) -> Sequence[Any]:
        kinds = set(map(type, values))
        if kinds <= as_is:
            return values
        if (required and NoneType in kinds) or not all(map(_is_settled, kinds - {NoneType})):
            raise Unusual
        if coerce is None:
            return values
        if kinds <= _TIMES and kind.name == "DateTime":
            return in_utc(values)
        done = [None if value is None else coerce(value) for value in values]
        if not {NoneType, UndefinedType}.isdisjoint(map(type, done)) and not _are_absent_alike(values, done):
            raise Unusual
        return done

    return complete


def _lists(items: Completer) -> Completer:
    def complete(values: Sequence[Any]) -> Sequence[Any]:
        if not set(map(type, values)) <= {list, tuple}:
            raise Unusual
        done = iter(items(list(chain.from_iterable(values))))
        return [list(islice(done, len(each))) for each in values]

    return complete


def _present(complete_all: Completer, required: bool) -> Completer:
    """Completes the values that are there."""

    def complete(values: Sequence[Any]) -> Sequence[Any]:
        present = [value for value in values if value is not None]
        if len(present) == len(values):
            return complete_all(values)
        if required:
            raise Unusual
        done = iter(complete_all(present))
        return [None if value is None else next(done) for value in values]

    return complete


def _are_absent_alike(values: Sequence[Any], done: Sequence[Any]) -> bool:
    pairs = zip(values, done, strict=True)
    return all((before is None) == (after is None) and after is not Undefined for before, after in pairs)


@cache
def _is_settled(kind: type) -> bool:
    """Whether values of a Python type are values, and not errors, absent or still to come."""
    unsettled = (NoneType, UndefinedType, Exception, GeneratorType)
    return not issubclass(kind, unsettled) and not hasattr(kind, "__await__")
