"""The named time ranges of list parameters."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

TimeRange = Literal["all", "today", "yesterday", "last_24h", "last_7d", "last_30d", "last_90d"]

_DAYS = {"last_24h": 1, "last_7d": 7, "last_30d": 30, "last_90d": 90}


def bounds(name: TimeRange | None, now: datetime) -> tuple[datetime | None, datetime | None]:
    """[from, to) of a range at `now` (UTC days); None is open."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    match name:
        case None | "all":
            return None, None
        case "today":
            return midnight, None
        case "yesterday":
            return midnight - timedelta(days=1), midnight
        case _:
            return now - timedelta(days=_DAYS[name]), None
