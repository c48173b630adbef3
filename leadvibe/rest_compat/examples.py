"""Examples of bodies and parameters: each name has its example once, and a body's is made of those of its fields."""

from __future__ import annotations

from typing import Any

_AT = "2026-03-01T12:00:00Z"
_LEAD, _EVENT, _RULESET = "ld_ada", "ev_01m8zq4k2v", "rs_01m8zq4k2v"

# What is not JSON.
MEDIA = {
    "text/csv": "event_id,lead_id,event_type,timestamp\nev_01m8zq4k2v,ld_ada,page_view,2026-03-01T12:00:00Z\n",
    "text/event-stream": 'id: 42\nevent: score_update\ndata: {"type":"score_update","lead_id":"ld_ada","delta":5,'
    '"score":42}\n\n',
    "text/html": "<!doctype html>",
    "text/plain": "queue_depth 0.0\n",
    "multipart/form-data": {"file": "event_type,lead_id\npage_view,ld_ada\n"},
}

_NAMED: dict[str, Any] = {
    "account_id": "acme.example",
    "account_level": "Strategic",
    "account_property": "industry",
    "account_score": 30,
    "alias_kind": "email",
    "aliases": [{"alias_kind": "email", "raw_value": "ada@acme.example"}],
    "amount": 99.5,
    "authorize_url": "https://slack.com/oauth/v2/authorize?client_id=1.2",
    "before": 37,
    "after": 42,
    "best_alias": "ada@acme.example",
    "channel": "web",
    "client_id": "lv_01m8zq4k2v",
    "client_secret": "a-long-secret",
    "code": "not_found",
    "comparison_value": "SaaS",
    "condition": "equals",
    "conditions": [{"event_type": "page_view", "min_count": 3}],
    "count_threshold": 10,
    "currency": "EUR",
    "current_password": "a long passphrase",
    "new_password": "another long passphrase",
    "password": "a long passphrase",
    "decay_id": "dc_01m8zq4k2v",
    "decrease": 5,
    "inactive_for": 30,
    "unit": "days",
    "delta": 5,
    "description": "Leads that are ready to talk.",
    "domain": "acme.example",
    "email": "ada@acme.example",
    "engagement_level": "Hot",
    "engagement_scores": {_RULESET: 42},
    "error": "The lead does not exist, or is not accessible here.",
    "eventID": _EVENT,
    "event_id": _EVENT,
    "eventType": "page_view",
    "event_type": "page_view",
    "event_types": ["page_view", "demo_request"],
    "executionTimeEstimate": "2 seconds",
    "field": "weight",
    "field_name": "industry",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "id": "id_01m8zq4k2v",
    "idle_reset_seconds": 1800,
    "ids": [_EVENT],
    "ip": "192.0.2.7",
    "job_id": "job_01m8zq4k2v",
    "kind": "channel",
    "latency_ms": 12,
    "leadID": _LEAD,
    "lead_id": _LEAD,
    "lead_ids": [_LEAD],
    "leads": 3,
    "level_id": "lv_01m8zq4k2v",
    "limit": 50,
    "max_events": 5,
    "max_processing_scope": "activate",
    "max_score": 100,
    "memberId": "mb_01m8zq4k2v",
    "message": "Done.",
    "metadata": {"industry": "SaaS"},
    "method": "POST",
    "milestoneTriggers": {"mt_01m8zq4k2v": 1},
    "min_events": 3,
    "min_score": 50,
    "multiplier": 1.25,
    "multiplier_cap": 2.0,
    "mode": "standard",
    "name": "Enterprise",
    "next_before": None,
    "operator": "equals",
    "org_id": "org_01m8zq4k2v",
    "org_member_id": "mb_01m8zq4k2v",
    "ouId": "unit_01m8zq4k2v",
    "owner_name": "Grace Hopper",
    "path": "/rules",
    "profile_level": "Good fit",
    "profile_property": "industry",
    "profile_score": 30,
    "profile_scores": {_RULESET: 30},
    "raw_value": "ada@acme.example",
    "role": "Operator",
    "ruleId": "rl_01m8zq4k2v",
    "rule_id": "rl_01m8zq4k2v",
    "rule_name": "In software",
    "ruleset": "primary",
    "ruleset_id": _RULESET,
    "ruleset_name": "Default",
    "ruleset_names": {_RULESET: "Default"},
    "score": 42,
    "score_change": 5,
    "score_delta": 5,
    "score_gain": 12,
    "score_threshold": 50,
    "scores": {_RULESET: 42},
    "secret_id": "sc_01m8zq4k2v",
    "segment_id": "sg_01m8zq4k2v",
    "sentence": "ada@acme.example created a rule.",
    "sequence_name": "Evaluation",
    "session_timeout_minutes": 30,
    "slack_target_id": "C012345",
    "slug": "acme",
    "source": "newsletter",
    "sourceLeadIds": ["ld_guest"],
    "source_field": "company_industry",
    "source_lead_ids": ["ld_guest"],
    "source_scores": {"ld_guest": 7},
    "stage_id": "lv_01m8zq4k2v",
    "status": "ok",
    "targetLeadId": _LEAD,
    "target_lead_id": _LEAD,
    "threshold_count": 5,
    "time_window_ms": 60_000,
    "token": "eyJhbGciOiJFUzI1NiJ9...",
    "top_score": 42,
    "trigger_id": "mt_01m8zq4k2v",
    "trigger_name": "Ready to talk",
    "unit_id": "unit_01m8zq4k2v",
    "unit_name": "Europe",
    "user_email": "ada@acme.example",
    "value": "SaaS",
    "verb": "created",
    "webhook_url": "https://hooks.acme.example/leadvibe",
    "weight": 5,
    "window_seconds": 3600,
}  # fmt: skip

_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str, "integer": int, "number": (int, float), "array": list, "object": dict, "null": type(None),
}  # fmt: skip
_FORMATS = {"date-time": _AT, "date": "2026-03-01", "binary": ""}
_PLAIN: dict[str, Any] = {"string": "text", "integer": 1, "number": 1.0, "boolean": True, "null": None}


def named(name: str) -> Any:
    """The example of a parameter; times are the same everywhere."""
    return _NAMED.get(name, _AT)


class Examples:
    """Makes examples of schemas that refer to `components`."""

    def __init__(self, components: dict[str, Any]) -> None:
        self._components = components

    def of(self, schema: dict[str, Any], name: str = "", written: bool = True) -> Any:
        """An example of the schema, for a field of this name. One that is not `written` but read is a request:
        it has the fields it needs and those with an example of their own."""
        if "$ref" in schema:
            return self.of(self._components[schema["$ref"].rsplit("/", 1)[1]], name, written)
        if "examples" in schema:
            return schema["examples"][0]
        if "const" in schema:
            return schema["const"]
        if "anyOf" in schema:
            return self.of(schema["anyOf"][0], name, written)
        if "enum" in schema:
            return _NAMED[name] if _NAMED.get(name) in schema["enum"] else schema["enum"][0]
        kind = schema.get("type", "object")
        if name in _NAMED and isinstance(_NAMED[name], _TYPES.get(kind, ())):
            return _NAMED[name]
        return self._made(schema, kind, name, written)

    def _made(self, schema: dict[str, Any], kind: str, name: str, written: bool) -> Any:
        if kind == "array":
            return [self.of(schema["items"], name.removesuffix("s"), written)]
        if kind == "object":
            return self._object(schema, name, written)
        if (format := schema.get("format")) in _FORMATS:
            return _FORMATS[format]
        default = schema.get("default")
        return _PLAIN[kind] if default in (None, "") else default

    def _object(self, schema: dict[str, Any], name: str, written: bool) -> dict[str, Any]:
        required = schema.get("required", ())
        inner = schema.get("additionalProperties")
        if "properties" not in schema and inner is True:
            return dict(_NAMED["metadata"])
        if "properties" not in schema and isinstance(inner, dict):
            return {name.removesuffix("s") or "name": self.of(inner, name.removesuffix("s"), written)}
        return {
            each: self.of(entry, each, written)
            for each, entry in schema.get("properties", {}).items()
            if written or each in required or (each in _NAMED and not entry.get("deprecated"))
        }
