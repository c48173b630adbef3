"""What one operation may ask for: refused before it is validated, whatever the transport.

The figures are settings (`LEADVIBE_GRAPHQL_*`); each error has a code of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
)
from strawberry.extensions import SchemaExtension
from strawberry.types.execution import ExecutionContext

from leadvibe.config import Settings
from leadvibe.errors import ApiError, bad_request
from leadvibe.schema.cost import NOTHING, Cost, cost_of
from leadvibe.schema.shape import Shape, fragments_of, shape_of

_MOST_ROOT_FIELDS = 50
# Fragments inside fragments are walked by recursion, graphql-core's own too.
_MOST_NESTING = 100


@dataclass(frozen=True, slots=True)
class Measured:
    """What a known operation is looked at for."""

    shape: Shape
    cost: Cost
    streams: bool
    is_one_of_several: bool

    @classmethod
    def of(cls, schema: GraphQLSchema, document: DocumentNode, name: str | None) -> Self:
        operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
        # Strawberry has made sure that it is there.
        operation = next((node for node in operations if node.name and node.name.value == name), operations[0])
        fragments = fragments_of(document)
        shape = shape_of(fragments, operation)
        # What is too deep to be executed is not looked at more closely.
        cost = cost_of(schema, fragments, operation) if shape.nesting <= _MOST_NESTING else NOTHING
        return cls(shape, cost, operation.operation is OperationType.SUBSCRIPTION, len(operations) > 1)

    def refusal(self, settings: Settings, is_named: bool) -> ApiError | None:
        """Why an operation of this kind is not executed, whatever its variables. `is_named`: by the request."""
        if self.is_one_of_several and not is_named:
            # Strawberry would take the first.
            return bad_request("The document has several operations: name one by `operationName`.", "invalid_query")
        shape = self.shape
        if shape.depth > settings.graphql_max_depth or shape.nesting > _MOST_NESTING:
            return _too_deep(settings.graphql_max_depth)
        if shape.aliases > settings.graphql_max_aliases:
            return bad_request(
                f"An operation has at most {settings.graphql_max_aliases} aliases.", code="too_many_aliases"
            )
        if shape.root_fields > _MOST_ROOT_FIELDS:
            return bad_request(
                f"An operation has at most {_MOST_ROOT_FIELDS} fields at its top.", code="too_many_root_fields"
            )
        if shape.introspects and not settings.graphql_introspection:
            return bad_request("This server does not tell its schema.", code="introspection_disabled")
        return None


def told_cost(cost: int, settings: Settings) -> dict[str, Any]:
    """What an answer's `extensions` say of the cost."""
    return {"cost": {"requested": cost, "maximum": settings.graphql_max_cost}}


# By the document's text and the operation's name.
_LONGEST_KEPT = 4_000
_measured: LRUCache[tuple[str, str | None], Measured] = LRUCache(1_000)


class Limits(SchemaExtension):
    """Stands behind the cache of documents: a known document is valid, and may still be refused here.

    Tells in `extensions.cost` what a query or mutation was counted as.
    """

    _cost: int | None = None

    def on_operation(self) -> Iterator[None]:
        self.execution_context.parse_options["max_tokens"] = self._settings.graphql_max_tokens
        yield

    def on_parse(self) -> Iterator[None]:
        yield
        for error in self.execution_context.pre_execution_errors or ():
            if isinstance(error, GraphQLSyntaxError) and "tokens. Parsing aborted" in error.message:
                most = self._settings.graphql_max_tokens
                error.original_error = bad_request(f"A document has at most {most} tokens.", code="query_too_long")

    def on_validate(self) -> Iterator[None]:
        execution = self.execution_context
        if not execution.pre_execution_errors and (refusal := self._refusal(execution)) is not None:
            execution.pre_execution_errors = [GraphQLError(refusal.message, original_error=refusal)]
        yield

    def get_results(self) -> dict[str, Any]:
        return {} if self._cost is None else told_cost(self._cost, self._settings)

    @property
    def _settings(self) -> Settings:
        settings: Settings = self.execution_context.context.services.settings
        return settings

    def _refusal(self, execution: ExecutionContext) -> ApiError | None:
        settings = self._settings
        try:
            measured = _measure(execution)
        except RecursionError:
            return _too_deep(settings.graphql_max_depth)
        refusal = measured.refusal(settings, execution._provided_operation_name is not None)
        return refusal or self._refusal_of_cost(measured, settings.graphql_max_cost)

    def _refusal_of_cost(self, measured: Measured, maximum: int) -> ApiError | None:
        cost = measured.cost.at(self.execution_context.variables or {})
        if not measured.streams:  # what it costs to push is told nobody a thousand times
            self._cost = cost
        if cost <= maximum:
            return None
        return bad_request(
            f"The operation costs {cost}, and at most {maximum} is possible: ask for smaller pages.",
            code="query_too_expensive",
        )


def _measure(execution: ExecutionContext) -> Measured:
    document, text = execution.graphql_document, execution.query
    assert document is not None, "limits are looked at behind parsing"
    key = (text or "", execution.operation_name)
    if (measured := _measured.get(key)) is None:
        measured = Measured.of(execution.schema._schema, document, execution.operation_name)
        if text is not None and len(text) <= _LONGEST_KEPT:
            _measured[key] = measured
    return measured


def _too_deep(maximum: int) -> ApiError:
    return bad_request(f"An operation has at most {maximum} levels.", code="query_too_deep")
