"""The short way of plain queries: found out once, and then answered without graphql-core's walk.

A query is plain when its document has no directive, and whatever its top fields select is answered by columns (see
projection.py): connections, lists and objects of which nothing is selected but attributes. Its top fields are
resolved by the resolvers of the schema, as ever. Whatever comes otherwise than expected raises, and is left to
graphql-core, which tells it: a query may be asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from inspect import isawaitable
from types import NoneType
from typing import Any, NamedTuple

from graphql import GraphQLField, GraphQLResolveInfo, OperationDefinitionNode, OperationType
from graphql.execution.collect_fields import collect_fields
from graphql.execution.values import VariableValues, get_argument_values, get_variable_values
from graphql.pyutils import Path
from strawberry.schema import Schema
from strawberry.schema.schema_converter import GraphQLCoreConverter, get_arguments
from strawberry.types.field import StrawberryField

from leadvibe.schema.auditing import Told
from leadvibe.schema.context import DirectInfo, Info
from leadvibe.schema.documents import known
from leadvibe.schema.executor import PlannedDocument, ProjectingExecutor
from leadvibe.schema.limits import Measured
from leadvibe.schema.projection import Completer, Unusual, completer, is_transparent

# What a resolver is called with: by position, and by name.
Arguments = tuple[list[Any], dict[str, Any]]

# Arguments that no resolver can change are made once.
_CONSTANT = (str, int, float, bool, NoneType, Enum, datetime)


class _TopField(NamedTuple):
    """A top field: its response key, what resolves it with which arguments, what is told to its resolver, what
    completes its value, and what resolvers found out of its selection."""

    key: str
    definition: StrawberryField
    arguments: Callable[[Info], Arguments]
    info: GraphQLResolveInfo[Any]
    complete: Completer
    found_out: dict[str, Any]

    async def answer(self, context: Any, variables: VariableValues) -> Any:
        told = self.info._replace(context=context, variable_values=variables)
        info = DirectInfo(told, self.definition, self.found_out)
        value = self.definition.get_result(None, info, *self.arguments(info))
        (done,) = self.complete([await value if isawaitable(value) else value])
        return done


@dataclass(frozen=True, slots=True)
class DirectQuery:
    """A plain query. `told`: to the audit trail; `measured`: for the limits, which are the caller's to look at."""

    told: Told
    measured: Measured
    operation: OperationDefinitionNode
    fields: tuple[_TopField, ...]

    async def answer(self, context: Any, given: Mapping[str, Any]) -> dict[str, Any]:
        """The query's data with these values of its variables. Raises what a resolver raised, or Unusual."""
        schema = self.fields[0].info.schema
        variables = get_variable_values(schema, self.operation.variable_definitions or (), dict(given))
        if isinstance(variables, list):
            raise Unusual
        if len(self.fields) == 1:
            (field,) = self.fields
            return {field.key: await field.answer(context, variables)}
        async with asyncio.TaskGroup() as group:
            tasks = {each.key: group.create_task(each.answer(context, variables)) for each in self.fields}
        return {key: task.result() for key, task in tasks.items()}


def direct_query(schema: Schema, text: str, name: str | None, variables: Mapping[str, Any]) -> DirectQuery | None:
    """The operation of this name, or the only one of the text; None when it is not plain, or not known to be valid."""
    document = known(schema, text)
    if document is None or document.has_directives:
        return None
    found = document.kept.direct
    if name not in found:
        executor = schema.execution_context_class.build(
            schema._schema, document, raw_variable_values=dict(variables), operation_name=name
        )
        if not isinstance(executor, ProjectingExecutor):
            return None  # no such operation, or variables that it does not take
        found[name] = _made(schema, executor, document, name)
    direct: DirectQuery | None = found[name]
    return direct


def _made(
    schema: Schema, executor: ProjectingExecutor, document: PlannedDocument, name: str | None
) -> DirectQuery | None:
    if executor.operation.operation is not OperationType.QUERY:
        return None
    told, fields = Told.of(document, name), _top_fields(schema, executor)
    if told is None or fields is None:
        return None
    return DirectQuery(told, Measured.of(executor.schema, document, name), executor.operation, fields)


def _top_fields(schema: Schema, executor: ProjectingExecutor) -> tuple[_TopField, ...] | None:
    """The operation's top fields; None when not all of them are plain."""
    root = executor.schema.query_type
    assert root is not None
    found = collect_fields(executor.schema, executor.fragments, executor.variable_values, root, executor.operation)
    fields = []
    for key, details in found.grouped_field_set.items():
        field = root.fields.get(details[0].node.name.value)
        complete = None if field is None else completer(field.type, details, executor.plan_of)
        if field is None or complete is None or not is_transparent(details):
            return None
        definition: StrawberryField = field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
        assert not definition.extensions, f"{key} is resolved by more than its resolver"
        nodes = [each.node for each in details]
        told = executor.build_resolve_info(field, nodes, root, Path(None, key, root.name))
        arguments = _arguments(schema, field, definition, told)
        fields.append(_TopField(key, definition, arguments, told, complete, {}))
    return tuple(fields)


def _arguments(
    schema: Schema, field: GraphQLField, definition: StrawberryField, told: GraphQLResolveInfo[Any]
) -> Callable[[Info], Arguments]:
    def made(info: Info) -> Arguments:
        raw = info._raw_info
        return get_arguments(
            field=definition,
            source=None,
            info=info,
            kwargs=get_argument_values(field, raw.field_nodes[0], raw.variable_values),
            config=schema.config,
            scalar_registry=schema.schema_converter.scalar_registry,
        )

    if told.operation.variable_definitions:
        return made
    info: Info = Info(_raw_info=told, _field=definition)
    placed, named = made(info)
    for_info = [name for name, value in named.items() if value is info]
    if not all(isinstance(value, _CONSTANT) for name, value in named.items() if name not in for_info):
        return made
    return lambda info: (placed, named | dict.fromkeys(for_info, info))
