"""What an operation asks for, found without executing it: how deep, and how much at once.

A pure function of the document, and linear in its size: a fragment is looked at once, however often it
is spread, although what is in it counts each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)


@dataclass(slots=True)
class Shape:
    """`depth`: levels of objects, `nesting`: these and the fragments around them; `aliases` and `root_fields`:
    how many, those of fragments included; `introspects`: whether the schema itself is asked for."""

    depth: int = 0
    nesting: int = 0
    aliases: int = 0
    root_fields: int = 0
    introspects: bool = False

    def add(self, inner: Shape, objects: int) -> None:
        """Takes in what stands a level further inside; `objects`: 1 if that is a level of objects."""
        self.depth = max(self.depth, inner.depth + objects)
        self.nesting = max(self.nesting, inner.nesting + 1)
        self.aliases += inner.aliases
        self.introspects |= inner.introspects
        self.root_fields += 0 if objects else inner.root_fields


@dataclass(slots=True)
class _Shapes:
    fragments: Mapping[str, FragmentDefinitionNode]
    known: dict[str, Shape] = field(default_factory=dict)

    def of(self, selection_set: SelectionSetNode) -> Shape:
        shape = Shape()
        for node in selection_set.selections:
            if isinstance(node, FieldNode):
                shape.root_fields += 1
                shape.aliases += node.alias is not None
                shape.introspects |= node.name.value in ("__schema", "__type")
                if node.selection_set is not None:
                    shape.add(self.of(node.selection_set), objects=1)
            elif isinstance(node, InlineFragmentNode):
                shape.add(self.of(node.selection_set), objects=0)
            elif isinstance(node, FragmentSpreadNode):
                shape.add(self._of_fragment(node.name.value), objects=0)
        return shape

    def _of_fragment(self, name: str) -> Shape:
        if name not in self.known:
            self.known[name] = Shape()  # what a fragment is within itself; validation refuses that
            if name in self.fragments:
                self.known[name] = self.of(self.fragments[name].selection_set)
        return self.known[name]


def shape_of(fragments: Mapping[str, FragmentDefinitionNode], operation: OperationDefinitionNode) -> Shape:
    """The shape of an operation of a document with these fragments."""
    return _Shapes(fragments).of(operation.selection_set)


def fragments_of(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    """The document's fragments, by their names."""
    return {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
