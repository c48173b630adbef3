"""Relay's objects with an id of their own: https://relay.dev/graphql/objectidentification.htm

The field is `nodeId`: `id` names rows among those of their type, and is what arguments and REST know.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, NamedTuple

import strawberry
from graphql import GraphQLInterfaceType, GraphQLResolveInfo, GraphQLSchema

from leadvibe.errors import not_found
from leadvibe.resolvers.context import Context
from leadvibe.schema.context import Info
from leadvibe.schema.fields import field


class _Kind(NamedTuple):
    """Which attribute is a row's id within its type, and what finds the row by it (or raises 404)."""

    key: str
    find: Callable[[Context, str], Awaitable[Any]]


_KINDS: dict[str, _Kind] = {}


def findable(name: str, key: str, find: Callable[[Context, str], Awaitable[Any]]) -> None:
    """Lets `node` find the rows of this GraphQL type."""
    _KINDS[name] = _Kind(key, find)


@strawberry.interface(description="What `node` finds.")
class Node:
    @field
    def node_id(self, info: Info) -> strawberry.ID:
        """Its id among the objects of all types, for `node` and for caches of clients."""
        name = info._raw_info.parent_type.name
        return strawberry.ID(urlsafe_b64encode(f"{name}:{getattr(self, _KINDS[name].key)}".encode()).decode())

    @classmethod
    def resolve_type(cls, row: Any, info: GraphQLResolveInfo[Any], interface: GraphQLInterfaceType) -> str:
        """Types are named like the classes of their rows."""
        return type(row).__name__


def trust_resolvers(schema: GraphQLSchema) -> None:
    """Rows are no instances of the types of the schema, and need not be: their field says what they are."""
    node = schema.type_map["Node"]
    assert isinstance(node, GraphQLInterfaceType)
    for kind in schema.get_implementations(node).objects:
        kind.is_type_of = None


@strawberry.type
class NodeQueries:
    @field
    async def node(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="Its `nodeId`.")]
    ) -> Node | None:
        """An object of any type; null, with an error `not_found`, when the unit has none of this id."""
        name, found, key = _read(id)
        if not found or name not in _KINDS:
            raise not_found(f"The node {id}")
        row: Node = await _KINDS[name].find(info.context, key)
        return row


def _read(node_id: str) -> tuple[str, str, str]:
    try:
        return urlsafe_b64decode(node_id.encode()).decode().partition(":")
    except (binascii.Error, UnicodeError):
        return node_id, "", ""
