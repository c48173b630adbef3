"""The static cost of an operation: how many objects it may answer with, whatever is stored.

A pure function of schema and document first, of the variables' values then: the sizes of lists are often
variables. As in `shape.py`, a fragment is looked at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLCompositeType,
    GraphQLField,
    GraphQLList,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
)

from leadvibe.schema.paging import MOST_NODES
from leadvibe.schema.shape import shape_of

# The arguments that say how many objects a list, or the lists of a connection, may have.
SLICING = ("first", "last", "limit", "sample")
# What a list without such an argument is taken to have.
USUAL_NODES = 10
MUTATION_COST = 10


class Size(NamedTuple):
    """A number of nodes that a variable gives."""

    variable: str
    otherwise: int


# For each product of sizes, how many objects come with it.
Terms = Counter[tuple[Size, ...]]


@dataclass(frozen=True, slots=True)
class Cost:
    """A sum of products of sizes."""

    terms: Terms

    def at(self, variables: Mapping[str, Any]) -> int:
        """The cost with these values, not yet coerced, of variables."""
        return sum(
            count * prod(_nodes(variables.get(size.variable), size.otherwise) for size in sizes)
            for sizes, count in self.terms.items()
        )


NOTHING = Cost(Counter())


@dataclass(slots=True)
class _Costs:
    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    defaults: Mapping[str, int]
    known: dict[tuple[str, str, Size | int | None], Terms] = field(default_factory=dict)

    def of(self, selection_set: SelectionSetNode, parent: GraphQLCompositeType, size: Size | int | None) -> Terms:
        """The cost of one object of the parent's type; `size`: that of the lists in it."""
        total: Terms = Counter()
        for node in selection_set.selections:
            if isinstance(node, FieldNode):
                total.update(self._of_field(node, parent, size))
            elif isinstance(node, InlineFragmentNode):
                total.update(self.of(node.selection_set, self._narrowed(node.type_condition, parent), size))
            elif isinstance(node, FragmentSpreadNode):
                total.update(self._of_fragment(node.name.value, parent, size))
        return total

    def _of_fragment(self, name: str, parent: GraphQLCompositeType, size: Size | int | None) -> Terms:
        key = name, parent.name, size
        if key not in self.known:
            self.known[key] = Counter()
            if fragment := self.fragments.get(name):
                inner = self.of(fragment.selection_set, self._narrowed(fragment.type_condition, parent), size)
                self.known[key] = inner
        return self.known[key]

    def _narrowed(self, condition: Any, parent: GraphQLCompositeType) -> GraphQLCompositeType:
        kind = self.schema.type_map.get(condition.name.value) if condition is not None else None
        return kind if kind is not None and is_composite_type(kind) else parent

    def _of_field(self, node: FieldNode, parent: GraphQLCompositeType, size: Size | int | None) -> Terms:
        definition = getattr(parent, "fields", {}).get(node.name.value)
        if definition is None or node.selection_set is None:
            return Counter()  # a leaf, introspection, or what validation refuses
        own = self._size(node, definition)
        kind: Any = get_named_type(definition.type)
        if not isinstance(get_nullable_type(definition.type), GraphQLList):
            inner = self.of(node.selection_set, kind, own)
            inner[()] += 1
            return inner
        inner = self.of(node.selection_set, kind, None)
        inner[()] += 1
        return _times(inner, next((each for each in (own, size) if each is not None), USUAL_NODES))

    def _size(self, node: FieldNode, definition: GraphQLField) -> Size | int | None:
        name = next((name for name in SLICING if name in definition.args), None)
        if name is None:
            return None
        default = definition.args[name].default_value
        otherwise = default if isinstance(default, int) else MOST_NODES
        value = next((argument.value for argument in node.arguments or () if argument.name.value == name), None)
        if isinstance(value, VariableNode):
            return Size(value.name.value, self.defaults.get(value.name.value, otherwise))
        return _nodes(int(value.value), otherwise) if isinstance(value, IntValueNode) else otherwise


def cost_of(
    schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode], operation: OperationDefinitionNode
) -> Cost:
    """One for each object, 10 for each mutation; a list has as many objects as it is asked for."""
    root = schema.get_root_type(operation.operation)
    if root is None:
        return NOTHING
    defaults = {
        node.variable.name.value: int(node.default_value.value)
        for node in operation.variable_definitions or ()
        if isinstance(node.default_value, IntValueNode)
    }
    terms = _Costs(schema, fragments, defaults).of(operation.selection_set, root, None)
    if operation.operation is OperationType.MUTATION:
        terms[()] += MUTATION_COST * shape_of(fragments, operation).root_fields
    return Cost(terms)


def _times(cost: Terms, size: Size | int) -> Terms:
    if isinstance(size, int):
        return Counter({sizes: count * size for sizes, count in cost.items()})
    return Counter({tuple(sorted((*sizes, size))): count for sizes, count in cost.items()})


def _nodes(value: Any, otherwise: int) -> int:
    """A page is never larger than the largest; one that asks for more is refused by its field."""
    if not isinstance(value, int) or isinstance(value, bool):
        value = otherwise
    return int(min(max(value, 0), MOST_NODES))
