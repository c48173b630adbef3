"""Metadata with types: JSON has none, so a client that knows what a value is asks for it as that."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry.utils.str_converters import to_camel_case

from leadvibe.schema.fields import field
from leadvibe.schema.scalars import as_time

Path = Annotated[
    str,
    strawberry.argument(
        description="Its key. Dots lead into objects, and numbers into lists: `company.size`, `interests.0`."
    ),
]
# More digits than the index of any list.
_LONGEST_INDEX = 9


@strawberry.type
class Described:
    """What has metadata, as JSON and by its values."""

    metadata: dict[str, Any] = strawberry.field(description="What else is known of it.")

    @field
    def metadata_text(self, path: Path) -> str | None:
        """A text of the metadata; null when there is none, or something else."""
        value = value_at(self.metadata, path)
        return value if isinstance(value, str) else None

    @field
    def metadata_number(self, path: Path) -> float | None:
        """A number of the metadata; null when there is none, or something else."""
        value = value_at(self.metadata, path)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    @field
    def metadata_boolean(self, path: Path) -> bool | None:
        """True or false, as the metadata says; null when it says neither."""
        value = value_at(self.metadata, path)
        return value if isinstance(value, bool) else None

    @field
    def metadata_time(self, path: Path) -> datetime | None:
        """A time of the metadata, written as RFC 3339 text with its offset; null when there is none, or something
        else."""
        return as_time(value_at(self.metadata, path))


# The fields of Described with a resolver, which reads `metadata`.
READING = ("metadata_text", "metadata_number", "metadata_boolean", "metadata_time")
# All that read it, by their GraphQL names.
METADATA_FIELDS = ("metadata", *map(to_camel_case, READING))


def value_at(value: Any, path: str) -> Any:
    """What stands there in a JSON value; None where nothing does. A key that has dots itself goes before a way
    into objects."""
    while True:
        if isinstance(value, dict) and path in value:
            return value[path]
        first, dot, rest = path.partition(".")
        if isinstance(value, dict) and dot:
            value = value.get(first)
        elif isinstance(value, list) and first.isdecimal() and first.isascii() and len(first) <= _LONGEST_INDEX:
            value = value[int(first)] if int(first) < len(value) else None
            if not dot:
                return value
        else:
            return None
        path = rest
