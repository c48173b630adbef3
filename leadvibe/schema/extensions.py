"""Runs the extensions' hooks: what Strawberry inspects anew for each operation is known here beforehand."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from inspect import isgenerator
from types import TracebackType
from typing import Any

from strawberry.extensions import SchemaExtension
from strawberry.extensions.runner import SchemaExtensionsRunner
from strawberry.types.execution import ExecutionContext, StreamExecutionResult


class Runner(SchemaExtensionsRunner):
    """Strawberry's runner for extensions whose hooks are generator functions, as all of this server's are, and whose
    results need no waiting."""

    def __init__(self, execution_context: ExecutionContext, extensions: list[SchemaExtension]) -> None:
        super().__init__(execution_context, extensions)
        self._having: dict[str, list[Any]] = {}

    def operation(self) -> Any:
        return self._around("on_operation")

    def validation(self) -> Any:
        return self._around("on_validate")

    def parsing(self) -> Any:
        return self._around("on_parse")

    def executing(self) -> Any:
        return self._around("on_execute")

    def on_stream_result(self, result: StreamExecutionResult) -> Any:
        return self._around("on_stream_result", result)

    async def get_extensions_results(self, ctx: ExecutionContext) -> dict[str, Any]:
        results = dict(ctx.extensions_results)
        for extension in self._with("get_results"):
            results |= extension.get_results()
        return results

    def _around(self, hook: str, *about: Any) -> _Around:
        hooks = [getattr(each, hook)(*about) for each in self._with(hook)]
        assert all(map(isgenerator, hooks)), f"{hook} is no generator function somewhere"
        return _Around(hooks)

    def _with(self, method: str) -> list[Any]:
        """The extensions that have the method; a stream asks for each of its messages."""
        found = self._having.get(method)
        if found is None:
            found = self._having[method] = [each for each in self.extensions if _has(type(each), method)]
        return found


class _Around:
    """Enters the hooks in their order and leaves them in the opposite one."""

    def __init__(self, hooks: Sequence[Generator[None, None, None]]) -> None:
        self._hooks, self._entered = hooks, 0

    async def __aenter__(self) -> None:
        try:
            for hook in self._hooks:
                next(hook)
                self._entered += 1
        except BaseException as error:
            if (left := self._left(error)) is not None:
                raise left from None
            raise

    async def __aexit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> bool:
        left = self._left(error)
        if left is not None and left is not error:
            raise left
        return left is None

    def _left(self, error: BaseException | None) -> BaseException | None:
        """Leaves the hooks that were entered; what is raised after that."""
        for hook in reversed(self._hooks[: self._entered]):
            try:
                if error is None:
                    next(hook, None)
                else:
                    hook.throw(error)
            except StopIteration:
                error = None
            except BaseException as raised:
                error = raised
        return error


def _has(kind: Any, method: str) -> bool:
    return getattr(kind, method) is not getattr(SchemaExtension, method)
