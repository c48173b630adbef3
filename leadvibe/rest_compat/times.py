"""Days and times of periods in query strings."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator


def _iso8601(value: Any, days_on: int) -> Any:
    """A date becomes the midnight `days_on` days on; a time without an offset is one of UTC."""
    try:
        if len(value) == len("2025-08-15"):
            day = date.fromisoformat(value) + timedelta(days=days_on)
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("must be an ISO 8601 date or time, such as 2025-08-15 or 2025-08-15T12:00:00Z") from None


# The beginning and the end of a period of whole days, or of times.
IsoStart = Annotated[datetime, BeforeValidator(lambda value: _iso8601(value, 0))]
IsoEnd = Annotated[datetime, BeforeValidator(lambda value: _iso8601(value, 1))]
