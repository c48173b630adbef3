"""Documents that were parsed and found valid, kept for those who send them again."""

from __future__ import annotations

from collections.abc import Iterator

from cachetools import LRUCache
from graphql import DocumentNode
from strawberry.extensions import SchemaExtension
from strawberry.schema.base import BaseSchema

from leadvibe.schema.executor import PlannedDocument

# Characters of all texts together: the syntax tree of one takes about 100 bytes, and its plans as much again.
_MOST_CHARACTERS = 250_000


_LONGEST = 25_000  # one must not push all others out


def _length(document: DocumentNode) -> int:
    return len(document.loc.source.body) if document.loc is not None else 0


# By schema and text, because a schema has its own rules.
_valid: LRUCache[tuple[BaseSchema, str], PlannedDocument] = LRUCache(_MOST_CHARACTERS, _length)


def known(schema: BaseSchema, text: str) -> PlannedDocument | None:
    """The document, if it was found valid before."""
    return _valid.get((schema, text))


class DocumentCache(SchemaExtension):
    """Spares a known document its parsing and validation. It stands in front of whatever else parses and
    validates, and keeps what passed all of that."""

    _known = False

    def on_parse(self) -> Iterator[None]:
        execution = self.execution_context
        if execution.graphql_document is None and execution.query:
            execution.graphql_document = known(execution.schema, execution.query)
            self._known = execution.graphql_document is not None
        yield

    def on_validate(self) -> Iterator[None]:
        execution = self.execution_context
        if self._known:
            execution.pre_execution_errors = []
        yield
        if not self._known and not execution.pre_execution_errors:
            assert execution.graphql_document is not None
            document = PlannedDocument.of(execution.graphql_document)
            execution.graphql_document = document
            if execution.query and len(execution.query) <= _LONGEST:
                _valid[execution.schema, execution.query] = document
        if not execution.context.in_parts and isinstance(execution.graphql_document, PlannedDocument):
            execution.graphql_document = execution.graphql_document.undivided
