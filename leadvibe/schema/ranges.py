"""Named ranges of time."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from typing import Any

import strawberry

from leadvibe.store import time_ranges


@strawberry.enum(description="A range of time that ends now, or with a day; days are those of UTC.")
class TimeRange(Enum):
    ALL = strawberry.enum_value("all", description="All time.")
    TODAY = strawberry.enum_value("today", description="Since midnight.")
    YESTERDAY = strawberry.enum_value("yesterday", description="The day before today.")
    LAST_24H = strawberry.enum_value("last_24h", description="The last 24 hours.")
    LAST_7D = strawberry.enum_value("last_7d", description="The last 7 times 24 hours.")
    LAST_30D = strawberry.enum_value("last_30d", description="The last 30 times 24 hours.")
    LAST_90D = strawberry.enum_value("last_90d", description="The last 90 times 24 hours.")


def name_of(range: TimeRange) -> time_ranges.TimeRange:
    """The range as the resolvers name it."""
    name: Any = range.value
    return name  # type: ignore[no-any-return]


def bounds(range: TimeRange) -> tuple[datetime | None, datetime | None]:
    """[from, to) of a range as it is now; None is open."""
    return time_ranges.bounds(name_of(range), datetime.now(UTC))
