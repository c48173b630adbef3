"""Times as clients write them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator


def rfc3339(value: Any) -> datetime | None:
    """An RFC 3339 time, whose letters may be small ones, in UTC; None for whatever is none, or is outside the years
    1 to 9999 there."""
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value.upper())
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (AttributeError, TypeError, ValueError, OverflowError):
        return None


def _checked(value: Any) -> datetime:
    moment = rfc3339(value)
    if moment is None:
        raise ValueError("must be an RFC 3339 time with its offset, such as 2025-08-15T12:00:00Z")
    return moment


# A field with a time in UTC. Pydantic alone takes a number for seconds, even in a text, and times that lie in the
# year 0 or 10000 of UTC, which PostgreSQL and Python do not have.
Moment = Annotated[AwareDatetime, BeforeValidator(_checked)]
