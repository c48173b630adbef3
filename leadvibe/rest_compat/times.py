"""Times in query strings."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator


def _rfc3339(value: Any) -> Any:
    """The time in UTC. Pydantic alone would also take numbers and times without an offset."""
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        pass
    raise ValueError("must be an RFC 3339 time with its offset, such as 2025-08-15T12:00:00Z")


Rfc3339 = Annotated[datetime, BeforeValidator(_rfc3339)]
