"""Answers in parts, as multipart/mixed: what a query defers or streams comes when it is ready, behind the rest.

A part names what it brings in two ways: as graphql-js 17 does, by the `id` of what was pending and a `subPath` in it,
and as it was done before, by a whole `path` and a `label`. So the clients of both find their way.
https://github.com/graphql/graphql-wg/blob/main/rfcs/DeferStream.md
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from graphql.execution import InitialIncrementalExecutionResult
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.execution import PreExecutionError

Results = AsyncGenerator[Any, None]


async def begun(results: Results) -> Any:
    """What an operation answers: its only result, or all of them where the first one says that more will come.

    Raises what makes an operation one that cannot be asked for in this way, as executing it by itself would.
    """
    first = await anext(results)
    if isinstance(first, InitialIncrementalExecutionResult):
        return _from(first, results)
    await results.aclose()
    if isinstance(first, PreExecutionError):
        for error in first.errors or ():
            if isinstance(error.original_error, InvalidOperationTypeError | CannotGetOperationTypeError):
                raise error.original_error
    return first


async def _from(first: Any, rest: Results) -> Results:
    async with aclosing(rest):
        yield first
        async for result in rest:
            yield result


def told(part: dict[str, Any]) -> dict[str, Any]:
    """A part as it is sent: without extensions and labels that say nothing, and with whole paths."""
    for brought in part.get("incremental", ()):
        brought["path"] = [*brought["path"], *brought.get("subPath", ())]
        if brought["label"] is None:
            del brought["label"]
    return {key: value for key, value in part.items() if key != "extensions" or value}
