"""Tells the audit trail what an operation is: its name and top-level fields, never a value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Self

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
)
from strawberry.extensions import SchemaExtension

from leadvibe.errors import ApiError
from leadvibe.resolvers import requests
from leadvibe.resolvers.requests import RequestRecord

_MOST_FIELDS = 50
_LONGEST_NAME = 100


class Told(NamedTuple):
    """What the audit trail is told of an operation."""

    operation: str | None
    fields: tuple[str, ...]
    mutates: bool

    @classmethod
    def of(cls, document: DocumentNode, name: str | None) -> Self | None:
        """None when the document has no operation."""
        if (operation := _chosen(document, name)) is None:
            return None
        called = None if operation.name is None else operation.name.value[:_LONGEST_NAME]
        fields = _fields(document, operation.selection_set)
        return cls(called, fields, operation.operation is OperationType.MUTATION)

    def note(self, record: RequestRecord) -> None:
        record.operation, record.fields, record.mutates = self


class AuditedOperation(SchemaExtension):
    """Stands behind ContractErrors, so that it sees errors as they were raised."""

    def on_operation(self) -> Iterator[None]:
        record = requests.current()
        if record is not None and record.is_socket:
            record = requests.begin(record.method, record.path, record.ip)
            try:
                yield
            finally:
                self._describe(record)
                if record.caller is not None:
                    record.end(self.execution_context.context.services.trail, record.caller, 200)
        else:
            yield
            if record is not None:
                self._describe(record)

    def _describe(self, record: RequestRecord) -> None:
        execution = self.execution_context
        document = execution.graphql_document
        if document is not None and (told := Told.of(document, execution.operation_name)) is not None:
            told.note(record)
        if errors := getattr(execution.result, "errors", None):
            record.status, record.code = _failure(errors[0].original_error)


def _chosen(document: DocumentNode, name: str | None) -> OperationDefinitionNode | None:
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    named = [node for node in operations if node.name is not None and node.name.value == name]
    return next(iter(named or operations), None)


def _fields(document: DocumentNode, selection: SelectionSetNode) -> tuple[str, ...]:
    """The names of the fields, each once, those of fragments too; aliases are the client's own words."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    found: dict[str, None] = {}
    seen: set[str] = set()
    waiting: list[Any] = list(reversed(selection.selections))
    while waiting and len(found) < _MOST_FIELDS:
        node = waiting.pop()
        if isinstance(node, FieldNode):
            found[node.name.value[:_LONGEST_NAME]] = None
        elif isinstance(node, InlineFragmentNode):
            waiting += reversed(node.selection_set.selections)
        elif isinstance(node, FragmentSpreadNode) and node.name.value not in seen:
            seen.add(node.name.value)
            if fragment := fragments.get(node.name.value):
                waiting += reversed(fragment.selection_set.selections)
    return tuple(found)


def _failure(cause: Exception | None) -> tuple[int, str]:
    """The status that the error has at the REST door, and its code."""
    if isinstance(cause, ApiError):
        return cause.status, cause.code
    return (400, "invalid_query") if cause is None else (500, "internal_error")
