"""Resolver fields that are described where they are written: the docstring is the description."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import strawberry

Resolver = TypeVar("Resolver", bound=Callable[..., Any])


def field(resolver: Resolver) -> Resolver:
    """Makes a method a field of its type."""
    made: Any = strawberry.field(resolver, description=_described(resolver))
    return made  # type: ignore[no-any-return]


def subscription(resolver: Resolver) -> Resolver:
    """Makes a method that answers an async generator a field of the subscription type."""
    made: Any = strawberry.subscription(resolver, description=_described(resolver))
    return made  # type: ignore[no-any-return]


def _described(resolver: Callable[..., Any]) -> str:
    text = inspect.getdoc(resolver)
    assert text is not None, f"{resolver.__qualname__} has no docstring"
    return " ".join(text.split())
