"""What one event did to its lead's scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leadvibe.errors import not_found
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.store import event_queries, ruleset_queries
from leadvibe.store.config_tables import Ruleset


@dataclass(frozen=True, slots=True)
class RulesetEffect:
    """What an event did to the score of one ruleset, the surge boost included. `ruleset_name` is null once the
    ruleset is deleted; `rule_id` when no rule counted but a filter took points back, or points decayed."""

    ruleset_id: str
    ruleset_name: str | None
    delta: int
    before: int
    after: int
    boost: int
    rule_id: str | None


@dataclass(frozen=True, slots=True)
class EventExplanation:
    """An event and its effects, the primary ruleset's first; none when it was suppressed or nothing counted it."""

    event_id: str
    lead_id: str | None
    event_type: str
    occurred_at: datetime
    rulesets: Sequence[RulesetEffect]


@operation(Permission.READ)
async def explain_event_score(context: Context, event_id: str) -> EventExplanation:
    """What the event did as it was scored, or last rescored; 404 for an unknown event."""
    unit_id = context.caller.unit_id
    async with context.services.database.session() as session:
        event = await event_queries.event(session, unit_id, event_id)
        if event is None:
            raise not_found(f"Event {event_id}")
        scores = event.scores or {}
        known = await ruleset_queries.some(session, unit_id, scores.keys())
    effects = [_effect(ruleset_id, entry, known.get(ruleset_id)) for ruleset_id, entry in scores.items()]
    effects.sort(key=lambda effect: _place(effect, known.get(effect.ruleset_id)))
    return EventExplanation(event.event_id, event.lead_id, event.event_type, event.occurred_at, effects)


def _effect(ruleset_id: str, entry: Sequence[Any], ruleset: Ruleset | None) -> RulesetEffect:
    delta, before, after, boost, rule_id = entry[:5]
    return RulesetEffect(ruleset_id, ruleset.name if ruleset else None, delta, before, after, boost, rule_id)


def _place(effect: RulesetEffect, ruleset: Ruleset | None) -> tuple[bool, str, str]:
    return not (ruleset and ruleset.is_primary), effect.ruleset_name or "", effect.ruleset_id
