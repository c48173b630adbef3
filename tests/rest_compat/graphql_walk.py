"""A document for each field of the GraphQL roots, with values for its arguments."""

from __future__ import annotations

import io
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_named_type,
    is_composite_type,
)
from starlette.datastructures import UploadFile

from leadvibe.schema.context import GraphQLContext
from leadvibe.schema.root import SCHEMA

_GRAPHQL: Any = SCHEMA._schema

# Values that pass the checks of inputs, where "x", 1 and the first of an enumeration do not.
_VALUES: dict[str, Any] = {
    "email": "nobody@leadvibe.example", "password": "correct horse battery", "newPassword": "correct horse battery",
    "currentPassword": "not this one", "role": "Viewer", "emails": ["a@example.com"], "condition": "equals",
    "aliasKind": "email", "rawValue": "nobody@leadvibe.example", "unit": "days", "windowUnit": "seconds",
    "ruleType": "lead_metadata", "operator": "equals", "kind": "channel", "leadIds": ["nobody"], "fieldName": "x",
    "value": "x", "first": 1, "minScore": -9, "maxScore": -1, "days": 1, "limit": 1, "sample": 1,
    "targetLeadId": "nobody", "sourceLeadIds": ["noone"], "stepUnit": "days",
}  # fmt: skip


@dataclass(frozen=True)
class Field:
    """A field of Query, Mutation or Subscription."""

    root: str
    name: str
    definition: Any

    @property
    def title(self) -> str:
        return f"{self.root}.{self.name}"

    def document(self) -> str:
        needed = self.arguments()
        head = ", ".join(f"${name}: {self.definition.args[name].type}" for name in needed)
        passed = ", ".join(f"{name}: ${name}" for name in needed)
        selection = " { __typename }" if is_composite_type(get_named_type(self.definition.type)) else ""
        return (
            f"{self.root.lower()}{f'({head})' if head else ''} "
            f"{{ {self.name}{f'({passed})' if passed else ''}{selection} }}"
        )

    def arguments(self) -> list[str]:
        """The ones without a default, and ids that may be left out."""
        return [
            name
            for name, argument in self.definition.args.items()
            if isinstance(argument.type, GraphQLNonNull) or "ID" in str(argument.type)
        ]

    def variables(self, ids: Mapping[str, Any]) -> dict[str, Any]:
        """Values for the arguments; `ids`: those of arguments and input fields by their names."""
        if self.name == "node":  # its id says of which type it is
            return {"id": urlsafe_b64encode(f"Ruleset:{ids.get('id', 'nobody')}".encode()).decode()}
        return {name: _value(self.definition.args[name].type, name, ids) for name in self.arguments()}


def fields() -> Iterator[Field]:
    for root in (_GRAPHQL.query_type, _GRAPHQL.mutation_type, _GRAPHQL.subscription_type):
        assert isinstance(root, GraphQLObjectType)
        yield from (Field(root.name, name, definition) for name, definition in root.fields.items())


async def codes(field: Field, context: GraphQLContext, ids: Mapping[str, Any]) -> list[str]:
    """The codes of the errors of an operation of this one field; of a subscription, when it begins with one."""
    document, values = field.document(), field.variables(ids)
    if field.root != "Subscription":
        result: Any = await SCHEMA.execute(document, values, context_value=context)
        return _codes(result)
    source: Any = await SCHEMA.subscribe(document, values, context_value=context)
    first = await anext(source) if hasattr(source, "__anext__") else source
    return _codes(first)


def _codes(result: Any) -> list[str]:
    return [(error.extensions or {}).get("code", "without a code") for error in result.errors or []]


def _value(kind: Any, name: str, ids: Mapping[str, Any]) -> Any:
    if isinstance(kind, GraphQLNonNull):
        return _value(kind.of_type, name, ids)
    if name in ids:
        return [ids[name]] if isinstance(kind, GraphQLList) and not isinstance(ids[name], list) else ids[name]
    if name in _VALUES and not isinstance(kind, GraphQLEnumType):
        return _VALUES[name]
    if isinstance(kind, GraphQLList):
        return [_value(kind.of_type, name, ids)]
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    if isinstance(kind, GraphQLInputObjectType):
        return {
            name: _value(each.type, name, ids)
            for name, each in kind.fields.items()
            if isinstance(each.type, GraphQLNonNull) or name in ids or (name in _VALUES and "Changes" not in kind.name)
        }
    scalar = get_named_type(kind).name
    return {
        "Int": 1, "BigInt": 1, "Float": 1.0, "Boolean": True, "ID": "nobody", "DateTime": "2026-01-01T00:00:00Z",
        "JSON": {}, "Upload": UploadFile(io.BytesIO(b"event_type,lead_id\npage_view,ld_1\n"), filename="a.csv"),
    }.get(scalar, "x")  # fmt: skip
