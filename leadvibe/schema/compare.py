"""What changed between two schemas, as far as clients of the older one are concerned."""

from __future__ import annotations

from typing import NamedTuple

from graphql import build_schema
from graphql.utilities import find_breaking_changes, find_dangerous_changes


class Changes(NamedTuple):
    """`breaking`: documents that were valid may not be; `dangerous`: clients may meet what they do not expect."""

    breaking: list[str]
    dangerous: list[str]


def changes(old: str, new: str) -> Changes:
    """The changes from one SDL text to the other, a sentence each."""
    before, after = build_schema(old), build_schema(new)
    return Changes(
        [change.description for change in find_breaking_changes(before, after)],
        [change.description for change in find_dangerous_changes(before, after)],
    )
