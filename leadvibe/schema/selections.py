"""How a selection maps to what is read: the columns of a connection's nodes, and whether anybody counts.

A plain field reads the column of its name. A field with a resolver says which columns it reads. What a
fragment selects counts as selected, whatever its conditions: a column too many is no error. Where a query goes the
short way (see direct.py) and nodes are asked for once and only by plain fields, PostgreSQL writes them as JSON.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import strawberry
from graphql import FieldNode, FragmentSpreadNode, SelectionSetNode
from sqlmodel import SQLModel
from strawberry.types import get_object_definition
from strawberry.types.base import StrawberryOptional
from strawberry.utils.str_converters import to_camel_case

from leadvibe.schema.context import DirectInfo, Info
from leadvibe.schema.scalars import BigInt
from leadvibe.store.paging import Reading
from leadvibe.store.statements import Encoding

# The types whose values PostgreSQL writes as the scalars of the schema do.
_WRITTEN_ALIKE = (str, strawberry.ID, bool, BigInt, datetime)


class Columns:
    """The columns that each field of a type reads, its own or others' (`resolved`, by the resolver's name).
    `renamed`: columns that the table has under another name."""

    def __init__(
        self,
        kind: type[Any],
        table: type[SQLModel],
        resolved: Mapping[str, Sequence[str]],
        renamed: Mapping[str, str] | None = None,
    ) -> None:
        definition = get_object_definition(kind, strict=True)
        self._kind = definition.name
        self._read: dict[str, dict[str, str]] = {}
        self._encodable: dict[str, str | None] = {"__typename": None}
        names = renamed or {}
        for field in definition.fields:
            own = resolved[field.python_name] if field.base_resolver else [field.python_name]
            read = {name: names.get(name, name) for name in own}
            self._read[to_camel_case(field.python_name)] = read
            if field.is_basic_field and _is_written_alike(field.type, getattr(table, read[field.python_name])):
                self._encodable[to_camel_case(field.python_name)] = read[field.python_name]

    def of(self, fields: Iterable[str]) -> dict[str, str]:
        """What the fields read: attribute of a row → column of the table."""
        return {name: column for field in fields for name, column in self._read.get(field, {}).items()}

    def readers(self, *columns: str) -> dict[str, list[str]]:
        """The fields that read each of these columns of the table."""
        return {column: [field for field, read in self._read.items() if column in read.values()] for column in columns}

    def encoding(self, info: Info) -> Encoding | None:
        """How PostgreSQL writes the nodes that are selected of a connection; None when it cannot."""
        connection = list(_fields(info, _selections(info)))
        edges = _below(info, connection, "edges")
        nodes = [node for node in connection if node.name.value == "nodes"]
        nodes += [node for node in edges if node.name.value == "node"]
        if len(nodes) != 1 or nodes[0].selection_set is None:
            return None
        fields = list(_fields(info, [nodes[0].selection_set]))
        keys = dict.fromkeys(field.name.value for field in fields)
        if any(field.alias for field in fields) or not keys.keys() <= self._encodable.keys():
            return None
        placed = any(node.name.value in ("edges", "pageInfo") for node in connection)
        return Encoding(self._kind, tuple((key, self._encodable[key]) for key in keys), placed)


def _is_written_alike(kind: Any, column: Any) -> bool:
    is_optional = isinstance(kind, StrawberryOptional)
    return (kind.of_type if is_optional else kind) in _WRITTEN_ALIKE and (is_optional or not column.nullable)


def read_of(info: Info, columns: Columns) -> Mapping[str, str] | Encoding:
    """What is read of the nodes that are selected of a connection."""
    if not isinstance(info, DirectInfo):
        return columns.of(selected_nodes(info))
    if "read" not in info.found_out:
        info.found_out["read"] = columns.encoding(info) or columns.of(selected_nodes(info))
    read: Mapping[str, str] | Encoding = info.found_out["read"]
    return read


def selected_nodes(info: Info) -> set[str]:
    """The fields that are selected of a connection's nodes, by their GraphQL names."""
    connection = list(_fields(info, _selections(info)))
    edges = _below(info, connection, "edges")
    nodes = [*_below(info, connection, "nodes"), *_below(info, edges, "node")]
    return {node.name.value for node in nodes}


def reading(info: Info, readers: Mapping[str, Collection[str]]) -> Reading:
    """What the selection of a connection needs. `readers`: for each large attribute of its rows the fields of the
    nodes that read it, by their GraphQL names."""
    selected = selected_nodes(info)
    unread = (name for name, fields in readers.items() if selected.isdisjoint(fields))
    return Reading(is_counted(info), frozenset(unread))


def is_counted(info: Info) -> bool:
    """Whether `totalCount` is selected."""
    known = info.found_out if isinstance(info, DirectInfo) else {}
    if "counted" not in known:
        known["counted"] = any(node.name.value == "totalCount" for node in _fields(info, _selections(info)))
    counted: bool = known["counted"]
    return counted


def _selections(info: Info) -> Iterator[SelectionSetNode]:
    for node in info._raw_info.field_nodes:
        if node.selection_set is not None:
            yield node.selection_set


def _below(info: Info, nodes: Iterable[FieldNode], name: str) -> list[FieldNode]:
    """What is selected of the fields of this name."""
    sets = [node.selection_set for node in nodes if node.name.value == name and node.selection_set is not None]
    return list(_fields(info, sets))


def _fields(info: Info, sets: Iterable[SelectionSetNode]) -> Iterator[FieldNode]:
    for each in sets:
        for node in each.selections:
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, FragmentSpreadNode):
                yield from _fields(info, [info._raw_info.fragments[node.name.value].selection_set])
            else:
                yield from _fields(info, [node.selection_set])  # type: ignore[attr-defined]
