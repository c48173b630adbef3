"""What the API reference shows of each operation: its request sample, and what the answer has in it.

A description of an answer is a type, a value, a `Form`, a list whose items all fit the one description
in it (there must be some), or a dict of names that must be there; further names are welcome.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple


class Form(NamedTuple):
    """A text or number of a certain form."""

    name: str
    holds: Callable[[Any], bool]


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and value.endswith("Z") and datetime.fromisoformat(value).tzinfo is not None


TIME = Form("an RFC 3339 time in UTC", _is_time)
ID = Form("an id", lambda value: isinstance(value, str) and value != "")
MAYBE_TEXT = Form("a text or null", lambda value: value is None or isinstance(value, str))
MAYBE_INT = Form("an integer or null", lambda value: value is None or type(value) is int)
NUMBER = Form("a number", lambda value: isinstance(value, (int, float)) and not isinstance(value, bool))
EMPTY = Form("an empty list", lambda value: value == [])


def misfits(value: Any, wanted: Any, place: str = "body") -> Iterator[str]:
    """What of the value is not as described."""
    if isinstance(wanted, Form):
        if not wanted.holds(value):
            yield f"{place} is {value!r}, not {wanted.name}"
    elif isinstance(wanted, type):
        if type(value) is not wanted:
            yield f"{place} is {value!r}, not {wanted.__name__}"
    elif isinstance(wanted, list) and len(wanted) == 1 and not isinstance(wanted[0], str):
        if not isinstance(value, list) or not value:
            yield f"{place} is {value!r}, not a filled list"
            return
        for number, item in enumerate(value):
            yield from misfits(item, wanted[0], f"{place}[{number}]")
    elif isinstance(wanted, dict):
        if not isinstance(value, dict):
            yield f"{place} is {value!r}, not an object"
            return
        for name, inner in wanted.items():
            if name not in value:
                yield f"{place} has no {name}"
            else:
                yield from misfits(value[name], inner, f"{place}.{name}")
    elif value != wanted or isinstance(value, bool) != isinstance(wanted, bool):
        yield f"{place} is {value!r}, not {wanted!r}"


@dataclass(frozen=True)
class Sample:
    """An operation. `{names}` in path and body stand for what the test makes first, and so does `given`.

    `answer` None: there is no body, or the reference shows none. `auth`: the schemes that it names.
    """

    method: str
    path: str
    status: int = 200
    body: Any = None
    answer: Any = None
    given: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    auth: tuple[str, ...] = ("bearer", "basic")
    query: dict[str, str] = field(default_factory=dict)
    file: bytes | None = None


_BEARER = ("bearer",)
_HISTORY = ("history",)

_PAGE_VIEW = {
    "lead_id": "ld_123",
    "event_type": "page_view",
    "timestamp": "2025-08-15T12:00:00Z",
    "metadata": {"path": "/pricing", "utm_source": "newsletter"},
}
_EVENT = {
    "id": "ev_001", "lead_id": "ld_123", "event_type": "page_view", "timestamp": TIME, "created_at": TIME,
    "metadata": {"path": "/pricing"}, "suppression_reason": None, "original_lead_id": None,
}  # fmt: skip
_ANY_EVENT = dict.fromkeys(("id", "lead_id", "event_type"), str) | {"timestamp": TIME, "metadata": dict}
_RANKED = {"lead_id": ID, "score": int, "last_event_at": TIME}

EVENTS = [
    Sample("POST", "/ingest", 202, _PAGE_VIEW, {"message": "event ingested", "metadata": _PAGE_VIEW["metadata"]}),
    Sample("POST", "/import", 202, answer={"message": str, "imported": 1, "errors": 0},
           file=b"event_type,lead_id,timestamp,metadata,email\npage_view,ld_123,2025-08-15T12:00:00Z,{},a@acme.com\n"),
    Sample("GET", "/event-types", answer=["page_view"], given=_HISTORY, auth=_BEARER),
    Sample("GET", "/event-types/page_view/properties", given=_HISTORY, auth=_BEARER,
           answer={"event_type": "page_view", "properties": ["channel", "company", "path"]}),
    Sample("GET", "/events", given=_HISTORY, answer=[_ANY_EVENT]),
    Sample("GET", "/events", given=_HISTORY, query={"metadata": "path:/pricing"}, answer=[_EVENT]),
    Sample("DELETE", "/events/batch", body={"ids": ["ev_001"]}, given=_HISTORY),
    Sample("GET", "/events/ld_123", given=_HISTORY, answer=[_EVENT]),
    Sample("GET", "/events/ev_001/score-explain", aliases=("/event/ev_001/score-explain",), given=_HISTORY, answer={
        "event_id": "ev_001", "lead_id": "ld_123", "event_type": "page_view", "occurred_at": TIME,
        "rulesets": [{"ruleset_id": ID, "ruleset_name": "Default", "delta": 87, "before": 0, "after": 87}],
    }),
    Sample("GET", "/events/export", aliases=("/export",), given=_HISTORY),
    Sample("GET", "/channels", given=_HISTORY, answer=["email", "web"]),
    Sample("GET", "/lead/ld_123/activity", aliases=("/leads/ld_123/activity",), given=_HISTORY,
           answer={"events": [_ANY_EVENT | {"channel": "web"}], "orders": EMPTY, "timeline": [{"timestamp": TIME}]}),
]  # fmt: skip

ANALYTICS = [
    Sample("GET", "/events-analytics", given=_HISTORY,
           answer={"totals": {"events": 2, "unique_leads": 2}, "by_type": {"page_view": 2}}),
    Sample("GET", "/event-stats", given=_HISTORY,
           answer={"last_24h": {"events": 2, "leads": 2}, "top_events": [{"event_type": "page_view", "count": 2}]}),
    Sample("GET", "/top-leads", given=_HISTORY, answer=[_RANKED]),
    Sample("GET", "/score-gains", given=_HISTORY, answer=[_RANKED | {"score_gain": 87}]),
    Sample("GET", "/recent-score-gains", given=_HISTORY, answer=[_RANKED | {"score_gain": 87}]),
]  # fmt: skip

_LEAD = {
    "id": "ld_new", "org_id": ID, "unit_id": ID, "account_id": MAYBE_TEXT, "owner_id": None, "owner_name": None,
    "created_at": TIME, "updated_at": TIME, "merged_into": None, "metadata": {"plan": "Pro"},
}  # fmt: skip
_NEW_LEAD = {"id": "ld_new", "metadata": {"plan": "Pro"}, "account_id": "{account}"}
_READ = {
    "lead": {"id": "ld_123", "org_id": ID, "unit_id": ID, "account_id": ID, "merged_into": None, "metadata": dict},
    "account": {"account_id": ID, "org_id": ID, "domain": "acme.com", "name": str, "metadata": dict},
}
_PATCH = {"industry": "SaaS", "plan": "Pro"}
_PATCHED = {"id": "ld_123", "org_id": ID, "unit_id": ID, "metadata": _PATCH}
_SCORE = {"lead_id": "ld_123", "score": 87, "ruleset_id": ID, "engagement_scores": dict, "profile_scores": dict}
_ALIASES = [
    {"alias_kind": "email", "raw_value": "jane@acme.com", "kind": "email", "value": "jane@acme.com",
     "id": ID, "created_at": TIME}
]  # fmt: skip
_LISTED = {
    "org_id": ID, "lead_id": ID, "score": 87, "ruleset_id": ID, "last_event_at": TIME, "created_at": TIME,
    "updated_at": TIME, "owner_name": None, "engagement_scores": dict, "profile_scores": dict, "ruleset_names": dict,
    "engagement_primary_ruleset_name": "Default", "profile_primary_ruleset_name": None,
}  # fmt: skip

LEADS = [
    Sample("POST", "/leads/scores", aliases=("/scores/batch",), given=_HISTORY,
           body={"lead_ids": ["ld_123", "ld_456"], "ruleset": "primary"}, answer=[{"lead_id": ID, "score": 87}]),
    Sample("GET", "/score/ld_123", aliases=("/leads/ld_123/score",), given=_HISTORY, answer=_SCORE),
    Sample("GET", "/leads", given=_HISTORY, query={"page": "1", "limit": "25"},
           answer={"leads": [_LISTED], "total": 2, "page": 1, "limit": 25}),
    Sample("POST", "/leads", 201, _NEW_LEAD, _LEAD, aliases=("/lead",)),
    Sample("GET", "/leads/search", given=_HISTORY, query={"q": "jane"},
           answer=[{"id": "ld_123", "match_type": "alias", "best_alias": "jane@acme.com",
                    "engagement_level": "Very Hot", "profile_level": None}]),
    Sample("GET", "/leads/ld_123", aliases=("/lead/ld_123",), given=_HISTORY, answer=_READ),
    Sample("PATCH", "/leads/ld_123/metadata", aliases=("/lead/ld_123/metadata",), given=_HISTORY, body=_PATCH,
           answer=_PATCHED),
    Sample("GET", "/leads/ld_123/aliases", aliases=("/lead/ld_123/aliases",), given=_HISTORY, answer=_ALIASES),
    Sample("GET", "/leads/ld_123/profile", given=_HISTORY, answer={"lead_id": "ld_123", "metadata": dict}),
    Sample("GET", "/leads/ld_123/account", given=_HISTORY,
           answer={"lead_id": "ld_123", "account_id": ID, "metadata": dict}),
    Sample("PUT", "/lead/ld_123", given=_HISTORY, body={"metadata": _PATCH, "account_id": "{account}"},
           answer=_READ["lead"] | {"metadata": _PATCH}),
    Sample("DELETE", "/lead/ld_123", given=_HISTORY, answer={"lead_id": "ld_123", "message": str}),
    Sample("GET", "/lead/ld_123/deletion-status", given=("deleted_lead",),
           answer={"lead_id": "ld_123", "status": "completed"}),
    Sample("POST", "/leads/merge", given=_HISTORY,
           body={"targetLeadId": "ld_123", "sourceLeadIds": ["ld_456"], "truncate": {"policy": "none"}},
           answer={"target": {"id": "ld_123"}, "mergedSources": [ID], "movedEvents": 1, "truncatedEvents": 0,
                   "rescore": dict}),
    Sample("GET", "/lead/ld_123/score-explain", aliases=("/leads/ld_123/score-explain",), given=_HISTORY, answer={
        "top_drivers": [{"event_type": "page_view", "total": 87}],
        "snapshot": [{"event_type": "page_view", "weight": 87}],
        "surge_boost": EMPTY, "surge_total": 0, "surge_event_count": 0, "decay_applied": 0, "range_hours": 24,
    }),
]  # fmt: skip

# What every row of configuration has besides its own fields.
_AUDITED = {"org_id": ID, "unit_id": ID, "created_at": TIME, "updated_at": TIME, "created_by": ID, "updated_by": ID}


def _family(
    path: str,
    key: str,
    body: dict[str, Any],
    changes: dict[str, Any],
    name: str,
    auth: tuple[str, ...] = ("bearer", "basic"),
    updated: int = 200,
    aliases: tuple[str, ...] = (),
    shown: dict[str, Any] | None = None,
) -> list[Sample]:
    """List, create, update and delete. `shown`: what the reference's answer has besides the request."""
    row = _AUDITED | {key: ID} | body | (shown or {})
    item, items = f"{path}/{{{name}}}", tuple(f"{alias}/{{{name}}}" for alias in aliases)
    changed = row | changes if updated == 200 else None
    given = ("other_levels",) if name.endswith("_level") else ()
    return [
        Sample("GET", path, answer=[row], given=(name,), auth=auth, aliases=aliases),
        Sample("POST", path, 201, body, row, auth=auth, aliases=aliases),
        Sample("PUT", item, updated, changes, changed, auth=auth, aliases=items),
        Sample("DELETE", item, 204, auth=auth, aliases=items, given=given),
    ]


def _fit(surface: str) -> list[Sample]:
    """Rulesets, rules and mappings of profiles or accounts."""
    base, ruleset, rule, mapping = (
        f"/{surface}-scoring/rulesets", f"{surface}_ruleset", f"{surface}_rule", f"{surface}_mapping",
    )  # fmt: skip
    body = {
        f"{surface}_property": "contact_job_title", "condition": "contains", "comparison_value": "VP",
        "weight": 30, "ui_order": 0,
    }  # fmt: skip
    change = body | {"condition": "equals", "weight": -30, "ui_order": 1}
    source = {"source_field": "utm_source", f"{surface}_property": "acquisition_source"}
    return [
        *_family(base, "id", {"name": "Fit", "enabled": True}, {"name": "Fitter", "enabled": False}, ruleset,
                 shown={"is_primary": True}),
        *_family(f"{base}/{{{ruleset}}}/rules", "id", body, change, rule, shown={"ruleset_id": ID}),
        *_family(f"/{surface}-mappings", "id", source, source | {"source_field": "campaign"}, mapping,
                 shown={"update_behavior": "always_latest"}),
        Sample("GET", f"/{'lead' if surface == 'profile' else 'account'}-metadata/properties",
               given=("metadata",), answer=["industry", "plan"]),
    ]  # fmt: skip


def _levels(path: str, key: str, name: str) -> list[Sample]:
    body = {"name": "Lost", "min_score": -100, "max_score": -10}
    _, *others = _family(path, key, body, body | {"name": "Gone", "max_score": -11}, name)
    own = {key: ID, "org_id": ID, "name": str, "min_score": int, "max_score": MAYBE_INT}
    return [Sample("GET", path, answer=[own], given=(name,)), *others]


_SURGE_TRIGGER = {"event_type": "page_view", "window_seconds": 3600, "window_unit": "hours", "threshold_count": 5}

CONFIGURATION = [
    *_family("/rules", "rule_id", {"event_type": "email_open", "weight": 5, "active": True},
             {"weight": 0, "icon": "mail", "active": True, "start_at": "2019-08-24T14:15:22Z",
              "end_at": "2019-08-24T14:15:22Z"}, "rule",
             shown={"ruleset_id": ID, "icon": None, "start_at": None, "end_at": None}),
    Sample("GET", "/rulesets/{ruleset_of_rule}/rules", given=("rule",),
           answer=[{"rule_id": ID, "ruleset_id": ID, "event_type": "email_open", "weight": 5}]),
    *_family("/surge-triggers", "trigger_id", _SURGE_TRIGGER | {"webhook_url": "https://hooks.acme.com/surge"},
             _SURGE_TRIGGER | {"webhook_url": None, "emails": ["a@acme.com"]}, "surge_trigger", auth=_BEARER,
             updated=204, shown={"emails": None}),
    Sample("GET", "/surge-events", auth=_BEARER, answer=EMPTY),
    *_family("/rulesets", "ruleset_id", {"name": "Marketing", "score_column": "total_score"},
             {"name": "Sales"}, "ruleset", shown={"is_primary": True, "active": True}),
    *_family("/decays", "decay_id", {"inactive_for": 30, "unit": "days", "decrease": 25},
             {"inactive_for": 2, "unit": "weeks", "decrease": 1}, "decay"),
    *_family("/filters", "filter_id",
             {"event_type": "page_view", "count_threshold": 10, "time_window_ms": 60_000, "group_events": True},
             {"event_type": "click", "count_threshold": 1, "time_window_ms": 1, "group_events": False},
             "filter", aliases=("/inorganic-filters",)),
    *_fit("profile"),
    *_fit("account"),
    *_levels("/engagement-levels", "stage_id", "engagement_level"),
    *_levels("/profile-levels", "level_id", "profile_level"),
    *_levels("/account-levels", "level_id", "account_level"),
]  # fmt: skip

_ACCOUNT = {
    "account_id": ID, "org_id": ID, "unit_id": ID, "name": "Acme", "domain": "acme.com", "top_score": 87,
    "leads_count": 2, "owner_name": None, "surging": False, "intent_level": "high", "metadata": dict,
    "last_activity_at": TIME, "created_at": TIME, "updated_at": TIME,
}  # fmt: skip

ACCOUNTS = [
    Sample("GET", "/accounts", given=_HISTORY, query={"page": "1", "limit": "25", "range": "last_7d"},
           answer={"accounts": [_ACCOUNT], "total": 1, "page": 1, "limit": 25}),
    Sample("DELETE", "/accounts/batch", body={"ids": ["{account}"]}, answer={"unlinked_leads": 2}),
    Sample("GET", "/accounts/{account}", aliases=("/accounts/acme.com",), given=_HISTORY, answer={
        **{name: _ACCOUNT[name] for name in ("account_id", "org_id", "domain", "name", "metadata", "top_score")},
        "leads": [{"lead_id": ID, "score": 87, "owner_name": None, "last_event_at": TIME, "metadata": dict}],
        "recent_events": [_ANY_EVENT],
    }),
]  # fmt: skip

_PERIOD = {"start": "2019-08-24T14:15:22Z", "end": "2019-08-24T15:15:22Z"}

REST = [
    Sample("GET", "/api/v1/ou/{unit}/surge/metrics", aliases=("/org-units/{unit}/surge-metrics",), auth=_BEARER,
           query=_PERIOD | {"interval": "15m"},
           answer=_PERIOD | {"ou_id": ID, "interval": "15m",
                             "totals": {"surges": 0, "leads": 0, "events": 0, "boost_points": 0},
                             "peak": None, "channels": EMPTY, "series": [{"bucket_start": TIME, "surges": 0}]}),
    Sample("POST", "/admin/backfill/account-profile", auth=_BEARER, given=_HISTORY,
           answer={"leads_processed": 2, "accounts_linked": 0, "accounts_created": 0, "profile_scores_updated": 0}),
    Sample("POST", "/admin/backfill/event-account-ids", auth=_BEARER, given=_HISTORY,
           answer={"events_scanned": 2, "events_updated": 2, "leads_without_account": 0}),
    Sample("POST", "/admin/backfill/profile-mappings", given=_HISTORY,
           answer={"leads_processed": 2, "leads_updated": 0}),
    Sample("GET", "/settings/scoring", auth=_BEARER, answer={
        "allow_negative_scores": False, "abm_enabled": True, "session_timeout_minutes": 30}),
    Sample("PUT", "/settings/scoring", 204, auth=_BEARER, body={
        "allow_negative_scores": True, "abm_enabled": True, "session_timeout_minutes": 1}),
    Sample("GET", "/settings/ou/surge-policy", auth=_BEARER, answer={
        "org_id": ID, "unit_id": ID, "mode": "standard", "idle_reset_seconds": 1800, "multiplier_cap": 2,
        "bands": [{"min_events": int, "max_events": MAYBE_INT, "multiplier": NUMBER}]}),
    Sample("PUT", "/settings/ou/surge-policy", 204, auth=_BEARER, body={
        "mode": "off", "bands": [], "idle_reset_seconds": 1, "multiplier_cap": 1}),
]  # fmt: skip

SAMPLES = [*EVENTS, *ANALYTICS, *LEADS, *CONFIGURATION, *ACCOUNTS, *REST]
