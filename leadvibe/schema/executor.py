"""graphql-core's executor, with plain selections answered by columns (see projection.py)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

from graphql import REMOVE, DirectiveNode, DocumentNode, GraphQLObjectType, Visitor, get_nullable_type, visit
from graphql.execution.collect_fields import CollectedFields, FieldDetailsList, GroupedFieldSet
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from leadvibe.schema.projection import Plan, is_transparent, plan

_DIVIDING = {"defer", "stream"}


class Plans:
    """What was found out about the selections of a document, for one set of values of its variables."""

    def __init__(self) -> None:
        self.collected: dict[tuple[Any, ...], CollectedFields] = {}
        # By the identity of the collected fields, which `collected` keeps alive.
        self.plans: dict[int, Plan] = {}
        # How whole operations are answered (see direct.py), by the names that requests call them.
        self.direct: dict[str | None, Any] = {}


class PlannedDocument(DocumentNode):
    """A document whose plans are kept for those who execute it again."""

    @classmethod
    def of(cls, document: DocumentNode) -> PlannedDocument:
        return cls(definitions=document.definitions, loc=document.loc)

    @cached_property
    def kept(self) -> Plans:
        return Plans()

    @property
    def has_directives(self) -> bool:
        """With directives, what is selected may be another thing each time."""
        return self.loc is None or "@" in self.loc.source.body

    @property
    def plans(self) -> Plans:
        return Plans() if self.has_directives else self.kept

    @cached_property
    def undivided(self) -> DocumentNode:
        """The document for those who take an answer only whole: nothing of it is deferred or streamed."""
        if not self.has_directives:
            return self
        plain = DocumentNode(definitions=self.definitions, loc=self.loc)  # `visit` knows no kinds but its own
        undivided: DocumentNode = visit(plain, _Undivided())
        return undivided


class _Undivided(Visitor):
    def enter_directive(self, node: DirectiveNode, *_: Any) -> Any:
        return REMOVE if node.name.value in _DIVIDING else None


class ProjectingExecutor(StrawberryGraphQLCoreExecutionContext):
    """Answers the plain fields of a selection at once, and executes the others."""

    _plans: Plans
    # The plain fields of the list that is being completed, by the identities of selection and object.
    _rows: dict[tuple[int, int], dict[str, Any]]

    @classmethod
    def build(cls, schema: Any, document: DocumentNode, *args: Any, **kwargs: Any) -> Any:
        built = super().build(schema, document, *args, **kwargs)
        if isinstance(built, ProjectingExecutor):
            built._plans = document.plans if isinstance(document, PlannedDocument) else Plans()
            built._rows = {}
        return built

    def collect_subfields(
        self, return_type: GraphQLObjectType, field_details_list: FieldDetailsList
    ) -> CollectedFields:
        if not is_transparent(field_details_list):
            return super().collect_subfields(return_type, field_details_list)
        key = (return_type.name, *(id(each.node) for each in field_details_list))
        found = self._plans.collected.get(key)
        if found is None:
            found = super().collect_subfields(return_type, field_details_list)
            if not found.new_defer_usages and self._is_plain_execution:
                self._plans.collected[key] = found
                made = plan(return_type, found.grouped_field_set, self.plan_of)
                if made is not None:
                    self._plans.plans[id(found.grouped_field_set)] = made
        return found

    def complete_list_value(
        self,
        return_type: Any,
        field_details_list: FieldDetailsList,
        info: Any,
        path: Any,
        result: Any,
        position_context: Any,
    ) -> Any:
        def as_ever() -> Any:
            return super(ProjectingExecutor, self).complete_list_value(
                return_type, field_details_list, info, path, result, position_context
            )

        item_type = get_nullable_type(return_type.of_type)
        if type(result) is not list or not result or not isinstance(item_type, GraphQLObjectType):
            return as_ever()
        found = self.plan_of(item_type, field_details_list)
        rows = None if found is None or position_context is not None else _rows(found, result)
        if found is None or rows is None:
            return as_ever()
        if not found.others:
            return rows
        selection = id(found.selected)
        self._rows.update(((selection, id(each)), row) for each, row in zip(result, rows, strict=True))
        try:
            return as_ever()
        finally:
            for each in result:
                self._rows.pop((selection, id(each)), None)

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Any,
        grouped_field_set: GroupedFieldSet,
        position_context: Any,
    ) -> Any:
        found = self._plans.plans.get(id(grouped_field_set))
        row = None
        if found is not None and found.selected is grouped_field_set:
            row = self._rows.pop((id(grouped_field_set), id(source_value)), None)
            if row is None and (rows := _rows(found, [source_value])):
                (row,) = rows
        if found is None or row is None:
            return super().execute_fields(parent_type, source_value, path, grouped_field_set, position_context)
        if not found.others:
            return row
        others: Any = super().execute_fields(parent_type, source_value, path, found.others, position_context)
        return _merged(found, row, others) if self.is_awaitable(others) else found.merged(row, others)

    def plan_of(self, kind: GraphQLObjectType, details: FieldDetailsList) -> Plan | None:
        """How to answer what the field selects of this type; None when nothing of it is plain."""
        if not is_transparent(details):
            return None
        return self._plans.plans.get(id(self.collect_subfields(kind, details).grouped_field_set))

    @property
    def _is_plain_execution(self) -> bool:
        """Whether nothing stands around the resolvers, and nothing can end them early."""
        return self.abort_signal is None and not (self.middleware_manager and self.middleware_manager.middlewares)


def _rows(found: Plan, objects: Sequence[Any]) -> list[dict[str, Any]] | None:
    """The plain fields of the objects; None when graphql-core has something to tell of them."""
    with suppress(Exception):
        return found.rows(objects)
    return None


async def _merged(found: Plan, row: dict[str, Any], others: Any) -> dict[str, Any]:
    return found.merged(row, await others)
