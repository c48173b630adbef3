"""The scalars of the schema besides GraphQL's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NewType

import strawberry
from graphql import GraphQLError, ValueNode, value_from_ast_untyped
from strawberry.schema.config import StrawberryConfig

# A whole number that may need more than the 32 bits of Int: scores and milliseconds.
BigInt = NewType("BigInt", int)


def _big_int(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return value
    raise GraphQLError("A BigInt is a whole number of at most 64 bits.")


def _literal_parser(parse: Callable[[Any], Any]) -> Callable[..., Any]:
    """Parses what stands in a document as `parse` does a variable's value; its errors say where that is."""

    def parse_literal(node: ValueNode, variables: dict[str, Any] | None = None) -> Any:
        try:
            return parse(value_from_ast_untyped(node, variables))
        except GraphQLError as error:
            raise GraphQLError(error.message, node) from None

    return parse_literal


def as_time(value: Any) -> datetime | None:
    """The time that a JSON value tells, None when it tells none."""
    try:
        return _time(value)
    except GraphQLError:
        return None


def _time(value: Any) -> datetime:
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise GraphQLError("A DateTime is RFC 3339 text, such as 2026-03-01T12:00:00Z.") from None
    if time.tzinfo is None:
        raise GraphQLError("A DateTime needs its offset: end it with Z for UTC.")
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise GraphQLError("A DateTime lies in the years 1 to 9999 of UTC.") from None


def _in_utc(time: datetime) -> datetime:
    """A time stays one until the answer is encoded: the JSON encoder writes it as RFC 3339 by itself, faster."""
    return time if time.tzinfo is UTC else time.astimezone(UTC)


def in_utc(times: Sequence[Any]) -> Sequence[Any]:
    """What DateTime makes of times, or of none, for a whole column."""
    return [time if time is None or time.tzinfo is UTC else _in_utc(time) for time in times]


CONFIG = StrawberryConfig(
    enable_experimental_incremental_execution=True,
    scalar_map={
        dict[str, Any]: strawberry.scalar(name="JSON", description="Any JSON value; here always an object."),
        BigInt: strawberry.scalar(
            name="BigInt",
            description="A whole number of up to 64 bits, written as a JSON number.",
            parse_value=_big_int,
            parse_literal=_literal_parser(_big_int),
        ),
        datetime: strawberry.scalar(
            name="DateTime",
            description="A time as RFC 3339 text; answers are in UTC and end with Z.",
            serialize=_in_utc,
            parse_value=_time,
            parse_literal=_literal_parser(_time),
        ),
    },
)
