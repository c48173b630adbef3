"""What a message for people says of a firing: a headline, and the facts of the lead."""

from __future__ import annotations

import re
from typing import Any

import orjson

_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_NAMES = {
    "lead_id": "Lead", "score": "Score", "previous_score": "Score before", "engagement_level": "Engagement level",
    "profile_level": "Profile level", "account_level": "Account level", "owner_name": "Owner",
}  # fmt: skip


def filled(text: str, payload: dict[str, Any]) -> str:
    """The text with the values of its placeholders, such as {{lead_id}}; unknown ones stay as typed."""
    values = _values(payload)
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)


def headline(payload: dict[str, Any]) -> str:
    """One line: the trigger's name, who the lead is, and the score."""
    name = payload.get("trigger", {}).get("name") or payload["type"]
    lead = payload.get("lead", {})
    score = "" if lead.get("score") is None else f" reached {lead['score']}"
    return f"[{name}] {lead_name(lead)}{score}"


def lead_name(lead: dict[str, Any]) -> str:
    """What people call the lead: its name, else its e-mail address, else its id."""
    metadata = lead.get("metadata") or {}
    parts = [metadata.get("first_name"), metadata.get("last_name")]
    full = " ".join(part for part in parts if isinstance(part, str) and part)
    named = metadata.get("name")
    return (named if isinstance(named, str) and named else full) or _email(lead) or str(lead.get("lead_id", "A lead"))


def facts(payload: dict[str, Any], why: str | None = None) -> list[tuple[str, str]]:
    """Label and value: the lead, why it is where it is, then its metadata."""
    lead, event = payload.get("lead", {}), payload.get("event") or {}
    found = [(label, _text(lead[key])) for key, label in _NAMES.items() if lead.get(key) is not None]
    found += [(str(each["alias_kind"]), str(each["raw_value"])) for each in lead.get("aliases") or []]
    if event.get("event_type"):
        found.append(("Event", f"{event['event_type']} at {event.get('timestamp', 'an unknown time')}"))
    if why:
        found.append(("Why", why))
    return found + [(str(key), _text(value)) for key, value in (lead.get("metadata") or {}).items()]


def _values(payload: dict[str, Any]) -> dict[str, str]:
    lead, trigger, event = payload.get("lead", {}), payload.get("trigger", {}), payload.get("event") or {}
    values = {
        "lead_id": lead.get("lead_id"),
        "lead_email": _email(lead),
        "score": lead.get("score"),
        "score_threshold": trigger.get("score_threshold"),
        "event_type": event.get("event_type") or trigger.get("event_type"),
        "trigger_name": trigger.get("name"),
        "owner_name": lead.get("owner_name"),
    }
    return {name: "" if value is None else str(value) for name, value in values.items()}


def _email(lead: dict[str, Any]) -> str | None:
    aliases = lead.get("aliases") or []
    return next((str(each["raw_value"]) for each in aliases if each["alias_kind"] == "email"), None)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
