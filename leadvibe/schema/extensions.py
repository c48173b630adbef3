"""Runs the extensions' hooks: what Strawberry inspects anew for each operation is known here beforehand."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import cache
from inspect import isgeneratorfunction
from types import TracebackType
from typing import Any

from strawberry.extensions import SchemaExtension
from strawberry.extensions.runner import SchemaExtensionsRunner


class Runner(SchemaExtensionsRunner):
    """Strawberry's runner for extensions whose hooks are generator functions, as all of this server's are."""

    def operation(self) -> Any:
        return self._around("on_operation")

    def validation(self) -> Any:
        return self._around("on_validate")

    def parsing(self) -> Any:
        return self._around("on_parse")

    def executing(self) -> Any:
        return self._around("on_execute")

    def _around(self, hook: str) -> _Around:
        kinds: list[Any] = [type(each) for each in self.extensions]
        found = zip(self.extensions, kinds, strict=True)
        return _Around([getattr(each, hook)() for each, kind in found if _has(kind, hook)])


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


@cache
def _has(kind: Any, hook: str) -> bool:
    own = getattr(kind, hook)
    if own is getattr(SchemaExtension, hook):
        return False
    assert isgeneratorfunction(own), f"{kind.__name__}.{hook} is no generator function"
    return True
