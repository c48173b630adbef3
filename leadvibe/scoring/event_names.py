"""Event types as people write them: `Page View`, `page-view` and `page_view` are the same (contract,
"Event type names")."""

from __future__ import annotations

import re
from functools import lru_cache

_SEPARATORS = re.compile(r"[\W_]+")


@lru_cache(maxsize=10_000)
def normal_name(event_type: str) -> str:
    """The name by which triggers, steps and segment rules compare event types: lower case, words joined
    by one underscore. A name of nothing but separators stays as it is."""
    return _SEPARATORS.sub("_", event_type.strip()).strip("_").lower() or event_type
