"""Errors as GraphQL shows them: `extensions.code` is the contract's code, and internals stay inside."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from typing import Any

from graphql import GraphQLError
from sqlalchemy.exc import DBAPIError
from strawberry.extensions import SchemaExtension
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.utils.str_converters import to_camel_case

from leadvibe.errors import ApiError, bad_request

_NOT_IN_REPERTOIRE = "22021"

# Where graphql-core prints the value that does not fit, which may be a secret or long: behind it nothing is said.
_PRINTED_VALUE = re.compile(r"(?s)(?:, found:?|(?<=value)(?<!invalid value):) .*")
# Where it names what there is instead, which is nobody's business when the schema is not told.
_SUGGESTION = re.compile(r" Did you mean .*\?")

_log = logging.getLogger(__name__)


class ContractErrors(SchemaExtension):
    """Gives every error its code, and hides the text of what was not meant for clients."""

    _streamed = False

    def on_operation(self) -> Iterator[None]:
        yield
        # What a stream sends was treated message by message.
        if not self._streamed:
            self._treat(self.execution_context.result)

    def on_stream_result(self, result: Any) -> Iterator[None]:
        self._streamed = True
        self._treat(result)
        yield

    def _treat(self, result: Any) -> None:
        """Also what the parts of a part tell, where an answer is given in parts."""
        brought, done = (getattr(result, name, None) or () for name in ("incremental", "completed"))
        for part in (result, *brought, *done):
            if errors := getattr(part, "errors", None):
                helped = self.execution_context.context.services.settings.graphql_introspection
                part.errors = [shown(error, helped) for error in errors]


def shown(error: GraphQLError, helped: bool = True) -> GraphQLError:
    """The error with code and details; one that is a failure of the server is logged and masked. `helped`: with the
    names of the schema that may have been meant."""
    cause = error.original_error
    if _is_about_nul(cause):
        cause = bad_request("A text has a NUL character, which nothing stored here has.")
    if isinstance(cause, ApiError):
        return _rewritten(error, cause.message, extensions_of(cause))
    if cause is None or isinstance(cause, GraphQLError | CannotGetOperationTypeError | InvalidOperationTypeError):
        # The document is not of this schema, or has no such operation; or a value is not of its type.
        message = _PRINTED_VALUE.sub(".", error.message)
        return _rewritten(error, message if helped else _SUGGESTION.sub("", message), {"code": "invalid_query"})
    _log.error("GraphQL operation failed at %s", error.path, exc_info=cause)
    return _rewritten(error, "The server failed to answer; it has logged why.", {"code": "internal_error"})


def _is_about_nul(error: BaseException | None) -> bool:
    """PostgreSQL's text has no NUL character; JSON's and GraphQL's has."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, "sqlstate", None) == _NOT_IN_REPERTOIRE


def _rewritten(error: GraphQLError, message: str, extensions: dict[str, Any]) -> GraphQLError:
    where = error.nodes, error.source, error.positions, error.path
    return GraphQLError(message, *where, original_error=error.original_error, extensions=extensions)


def extensions_of(error: ApiError) -> dict[str, Any]:
    """The contract's code and details, for an error's `extensions`."""
    extensions: dict[str, Any] = {"code": error.code}
    if error.details:
        extensions["details"] = problems(error)
    if error.retry_after is not None:
        extensions["retryAfter"] = error.retry_after
    return extensions


def problems(error: ApiError) -> Sequence[dict[str, str]]:
    """`details` with the names of fields as GraphQL spells them."""
    return [{"field": to_camel_case(d.field), "message": d.message} for d in error.details]
