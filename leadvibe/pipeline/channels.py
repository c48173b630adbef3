"""The channel of an event: web, email, slack, webinar, crm or system."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from leadvibe.scoring.model import DECAY

_SYNONYMS = {
    "web": ("web", "website", "site", "page", "form", "app", "browser"),
    "email": ("email", "e-mail", "mail", "newsletter"),
    "slack": ("slack",),
    "webinar": ("webinar", "webcast"),
    "crm": ("crm", "hubspot", "salesforce", "pipedrive"),
    "system": ("system",),
}
_CHANNELS = {word: channel for channel, words in _SYNONYMS.items() for word in words}


def channel_of(event_type: str, metadata: Mapping[str, Any]) -> str:
    """What `metadata.channel`, else `metadata.source`, else the type's first word names; else web."""
    if event_type == DECAY:
        return "system"
    for word in (metadata.get("channel"), metadata.get("source")):
        if isinstance(word, str) and (channel := _CHANNELS.get(word.strip().lower())):
            return channel
    return _named_by(event_type)


@lru_cache(maxsize=4096)  # units have a few dozen types
def _named_by(event_type: str) -> str:
    first = event_type.replace("-", "_").replace(" ", "_").split("_", 1)[0].lower()
    return _CHANNELS.get(first, "web")
