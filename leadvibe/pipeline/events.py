"""Reading an engagement event as a client sends it (contract: "POST /ingest")."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from leadvibe.errors import ApiError, FieldProblem, bad_request, too_large
from leadvibe.ids import new_id
from leadvibe.scoring.model import DECAY
from leadvibe.times import rfc3339

ALIAS_KINDS = ("email", "phone", "external_id", "cookie", "social")

# Metadata larger than this is 413 (contract).
LARGEST_METADATA = 100 * 1024
# Ids and types go into indexes, whose entries have some 2,700 bytes.
_LONGEST_ID = 200
_LONGEST_ALIAS = 500
_MOST_ALIASES = 50
# Decision: timestamps more than one hour in the future are refused. The log has a partition for each
# month, so the past is bounded, too.
_FUTURE = timedelta(hours=1)
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)

_NOT_PHONE = re.compile(r"[^0-9]")


@dataclass(slots=True)
class IncomingEvent:
    """A valid event on its way to the queue. `aliases`: [kind, raw value, normal value] each.

    `key` is set when the client named the event; `digest` then tells the same content from another.
    """

    event_id: str
    event_type: str
    lead_id: str | None
    aliases: list[list[str]]
    occurred_at: datetime
    received_at: datetime
    metadata: dict[str, Any]
    key: str | None
    digest: bytes
    skip_triggers: bool = False


def normalise_alias(kind: str, raw: str) -> str:
    """The form in which aliases are compared; empty when nothing of the value is left."""
    value = raw.strip()
    if kind == "email":
        return value.lower()
    if kind == "phone":
        digits = _NOT_PHONE.sub("", value)
        return "+" + digits if digits else ""
    return value


def read_event(
    body: Any, received_at: datetime, default_key: str | None = None, skip_triggers: bool = False
) -> IncomingEvent:
    """Raises 400 with a detail for each wrong field, and 413 for too much metadata.

    `default_key` (the Idempotency-Key) names the event when the body has no `event_id`.
    """
    if not isinstance(body, Mapping):
        raise bad_request("An event is a JSON object.")
    reader = _Reader(body)
    event_type = reader.text("event_type", _LONGEST_ID, required=True)
    lead_id = reader.text("lead_id", _LONGEST_ID)
    aliases = reader.aliases()
    sent_at = body.get("timestamp")
    occurred_at = reader.time("timestamp", received_at)
    metadata, encoded = reader.metadata()
    name = "event_id" if body.get("event_id") not in (None, "") else "message_id"
    client_id = reader.text(name, _LONGEST_ID)
    if lead_id is None and not aliases and not reader.problems:
        reader.refuse("lead_id", "is required, unless aliases name the lead")
    if reader.problems:
        first = reader.problems[0]
        message = f"The event is not valid: {first.field} {first.message}."
        raise ApiError(400, "invalid_event", message, reader.problems)
    assert event_type is not None
    digest = b""
    key = f"e:{client_id}" if client_id else f"i:{default_key}" if default_key else None
    if key is not None:
        content = [event_type, lead_id, aliases, sent_at]
        digest = hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS) + encoded).digest()
    if event_type == DECAY:
        metadata = metadata | {"channel": "system"}
    event_id = client_id or new_id("ev")
    return IncomingEvent(
        event_id, event_type, lead_id, aliases, occurred_at, received_at, metadata, key, digest, skip_triggers
    )


class _Reader:
    """Takes fields out of a body and remembers what was wrong with them."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.body = body
        self.problems: list[FieldProblem] = []

    def refuse(self, field: str, message: str) -> None:
        self.problems.append(FieldProblem(field, message))

    def text(self, field: str, longest: int, required: bool = False) -> str | None:
        value = self.body.get(field)
        if required and isinstance(value, str) and not value.strip():
            value = None
        if value is None or value == "":
            if required:
                self.refuse(field, "is required")
            return None
        return self.checked(field, value, longest)

    def checked(self, field: str, value: Any, longest: int) -> str | None:
        """The value if it is a text that PostgreSQL can store."""
        if not isinstance(value, str):
            self.refuse(field, "must be a string")
        elif len(value) > longest:
            self.refuse(field, f"must have at most {longest} characters")
        elif not _storable(value):
            self.refuse(field, "must not contain NUL characters or half surrogate pairs")
        else:
            return value
        return None

    def aliases(self) -> list[list[str]]:
        """The aliases, each once; the deprecated top-level pair comes last."""
        entries = self.body.get("aliases")
        if entries is None:
            entries = []
        elif not isinstance(entries, list) or len(entries) > _MOST_ALIASES:
            self.refuse("aliases", f"must be an array of at most {_MOST_ALIASES} entries")
            return []
        found = [self.alias(f"aliases.{i}.", entry, "raw_value") for i, entry in enumerate(entries)]
        if self.body.get("alias_kind") is not None or self.body.get("alias") is not None:
            found.append(self.alias("", self.body, "alias"))
        if not found:
            return []
        unique = {(alias[0], alias[2]): alias for alias in reversed(found) if alias}
        return list(reversed(unique.values()))

    def alias(self, prefix: str, entry: Any, value_field: str) -> list[str] | None:
        if not isinstance(entry, Mapping):
            self.refuse(prefix.rstrip("."), "must be an object with alias_kind and raw_value")
            return None
        kind, raw = entry.get("alias_kind"), entry.get(value_field)
        if kind not in ALIAS_KINDS:
            self.refuse(prefix + "alias_kind", f"must be one of {', '.join(ALIAS_KINDS)}")
            return None
        text = self.checked(prefix + value_field, "" if raw is None else raw, _LONGEST_ALIAS)
        if text is None:
            return None
        normal = normalise_alias(kind, text)
        if not normal:
            self.refuse(prefix + value_field, "must not be empty")
            return None
        return [kind, text, normal]

    def time(self, field: str, received_at: datetime) -> datetime:
        value = self.body.get(field)
        if value is None or value == "":
            return received_at
        moment = rfc3339(value)
        if moment is None:
            self.refuse(field, "must be an RFC 3339 time with its offset, such as 2025-08-15T12:00:00Z")
        elif moment > received_at + _FUTURE:
            self.refuse(field, "must not be more than 1 hour in the future")
        elif moment < _EARLIEST:
            self.refuse(field, "must not be before 1970")
        else:
            return moment
        return received_at

    def metadata(self) -> tuple[dict[str, Any], bytes]:
        value = self.body.get("metadata")
        if value is None:
            return {}, b"{}"
        try:
            return value, encoded_metadata(value)
        except ValueError as error:
            self.refuse("metadata", str(error))
            return {}, b""


def encoded_metadata(value: Any) -> bytes:
    """The JSON of metadata that can be stored. Raises 413 when it is too large; a ValueError says what
    else is wrong with it."""
    if not isinstance(value, dict):
        raise ValueError("must be an object")
    try:
        encoded = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError):
        raise ValueError("is nested too deeply, or has text that is not valid UTF-8") from None
    if len(encoded) > LARGEST_METADATA:
        raise too_large(f"metadata has {len(encoded)} bytes; at most {LARGEST_METADATA} are accepted.")
    # Only a text with this sequence can have a NUL, and most have none.
    if b"\\u0000" in encoded and not _storable_deep(value):
        raise ValueError("must not contain NUL characters")
    return encoded


def _storable(text: str) -> bool:
    if "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _storable_deep(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" not in value
    if isinstance(value, dict):
        return all("\0" not in key and _storable_deep(entry) for key, entry in value.items())
    return all(map(_storable_deep, value)) if isinstance(value, list) else True
