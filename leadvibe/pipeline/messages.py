"""What a firing tells the world: the body of its webhook, and a message for each of the trigger's destinations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from asyncpg import Record

from leadvibe.scoring.levels import level_name
from leadvibe.store import outbox, trigger_state
from leadvibe.store.outbox import NewDelivery
from leadvibe.store.queue import AnyConnection
from leadvibe.store.surge_events import Surge
from leadvibe.store.trigger_state import LeadFacts

# An event off the queue, or one that the server makes itself.
EventRow = Mapping[str, Any] | Record

_TYPES = {
    "milestone": "milestone.entered",
    "milestone_exit": "milestone.exited",
    "sequence": "sequence.completed",
    "pattern": "pattern.matched",
    "surge": "surge.fired",
}
_KINDS = {"milestone_exit": "milestone"}


def payload(
    unit_id: str,
    firing: Mapping[str, Any],
    trigger: Mapping[str, Any],
    lead: LeadFacts,
    engagement_level: str | None,
    event: EventRow,
    now: datetime,
) -> dict[str, Any]:
    """The body of a webhook (contract, "Webhook contract"); its id is the firing's."""
    kind, matched = firing["kind"], firing["matched"]
    return {
        "id": firing["firing_id"],
        "type": _TYPES[kind],
        "fired_at": _time(now),
        "org_id": trigger["org_id"],
        "unit_id": unit_id,
        "trigger": {
            "trigger_id": firing["trigger_id"],
            "name": firing["trigger_name"],
            "kind": _KINDS.get(kind, kind),
            "event_type": trigger.get("event_type"),
            "score_threshold": firing["score_threshold"],
        },
        "lead": {
            "lead_id": lead.lead_id,
            "score": firing["score"],
            "previous_score": firing["previous_score"],
            "engagement_level": engagement_level,
            "profile_level": lead.profile_level,
            "account_level": lead.account_level,
            "owner_name": lead.owner_name,
            "aliases": lead.aliases,
            "metadata": lead.metadata,
        },
        "event": {
            "event_id": event["event_id"],
            "event_type": event["event_type"],
            "timestamp": _time(event["occurred_at"]),
            "metadata": event["metadata"],
        },
        "matched": {"event_types": matched.get("event_types", []), "counts": matched.get("counts", {})},
    }


def tells(trigger: Mapping[str, Any]) -> bool:
    """Whether the trigger names a destination."""
    return any(trigger.get(each) for each in ("webhook_url", "emails", "slack_target_id", "teams_target_id"))


def deliveries(payload: dict[str, Any], trigger: Mapping[str, Any], received_at: datetime) -> Iterator[NewDelivery]:
    """A message for each destination that the trigger names."""

    def message(channel: outbox.Channel, **target: Any) -> NewDelivery:
        return NewDelivery(payload["id"], payload["type"], channel, target, payload, received_at)

    if trigger["webhook_url"]:
        yield message("webhook", url=trigger["webhook_url"])
    if trigger["emails"]:
        texts = {key: trigger.get(f"email_{key}") for key in ("subject", "preheader", "message")}
        yield message("email", to=trigger["emails"], **texts)
    if slack_id := trigger.get("slack_target_id"):
        yield message("slack", kind=trigger["slack_target_kind"] or "channel", id=slack_id)
    if teams_id := trigger.get("teams_target_id"):
        if teams_id.startswith(("https://", "http://")):
            yield message("teams", url=teams_id)
        else:
            yield message("teams", kind=trigger["teams_target_kind"] or "channel", id=teams_id)


async def tell_surges(
    connection: AnyConnection,
    unit_id: str,
    surges: Sequence[tuple[str, Surge]],
    rows: Mapping[int, EventRow],
    now: datetime,
) -> bool:
    """Messages of surges (surge event id, surge), in the batch's transaction; whether there are any. `rows`: the
    events that made them, by seq."""
    triggers = await trigger_state.load_triggers(
        connection, unit_id, {"surge_triggers": {surge.trigger_id for _, surge in surges}}
    )
    facts = await trigger_state.load_facts(connection, unit_id, {surge.lead_id for _, surge in surges})
    levels = await trigger_state.load_levels(connection, unit_id, "engagement", "stage_id")
    found: list[NewDelivery] = []
    for surge_event_id, surge in surges:
        trigger, lead = triggers.get(surge.trigger_id), facts.get(surge.lead_id)
        if trigger is None or lead is None:
            continue
        score, row = surge.snapshot["score"], rows[surge.seq]
        firing = {
            "firing_id": surge_event_id,
            "kind": "surge",
            "trigger_id": surge.trigger_id,
            "trigger_name": f"{surge.event_type or 'Any event'} surge",
            "score": score,
            "previous_score": None,
            "score_threshold": None,
            "matched": {"event_types": [surge.event_type] if surge.event_type else []},
        }
        body = payload(unit_id, firing, trigger, lead, level_name(levels, score), row, now)
        found += deliveries(body, trigger, row["received_at"])
    if found:
        await outbox.enqueue(connection, unit_id, found, now)
    return bool(found)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
