"""How a selection maps to what is read: the columns of a connection's nodes, and whether anybody counts.

A plain field reads the column of its name. A field with a resolver says which columns it reads. What a
fragment selects counts as selected, whatever its conditions: a column too many is no error.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from graphql import FieldNode, FragmentSpreadNode, SelectionSetNode
from strawberry.types import get_object_definition
from strawberry.utils.str_converters import to_camel_case

from leadvibe.schema.context import Info
from leadvibe.store.paging import Reading


class Columns:
    """The columns that each field of a type reads, its own or others' (`resolved`, by the resolver's name).
    `renamed`: columns that the table has under another name."""

    def __init__(
        self, kind: type[Any], resolved: Mapping[str, Sequence[str]], renamed: Mapping[str, str] | None = None
    ) -> None:
        self._read: dict[str, dict[str, str]] = {}
        names = renamed or {}
        for field in get_object_definition(kind, strict=True).fields:
            own = resolved[field.python_name] if field.base_resolver else [field.python_name]
            self._read[to_camel_case(field.python_name)] = {name: names.get(name, name) for name in own}

    def of(self, fields: Iterable[str]) -> dict[str, str]:
        """What the fields read: attribute of a row → column of the table."""
        return {name: column for field in fields for name, column in self._read.get(field, {}).items()}

    def readers(self, *columns: str) -> dict[str, list[str]]:
        """The fields that read each of these columns of the table."""
        return {column: [field for field, read in self._read.items() if column in read.values()] for column in columns}


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
    return any(node.name.value == "totalCount" for node in _fields(info, _selections(info)))


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
