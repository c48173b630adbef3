"""Why a lead's scores moved lately."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from leadvibe.errors import bad_request
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.resolvers.leads import get_lead
from leadvibe.scoring.explanation import Explanation
from leadvibe.scoring.model import UnitConfig
from leadvibe.store import explanation, unit_config

DEFAULT_HOURS = 24
MOST_HOURS = 2**31 - 1

# No event is older.
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RuleWeight:
    """What a rule gives today."""

    ruleset_id: str
    rule_id: str
    event_type: str
    weight: int


@dataclass(frozen=True, slots=True)
class ScoreExplanation:
    """The last `range_hours` of a lead, and today's weights of all active rules, the largest first."""

    range_hours: int
    explanation: Explanation
    snapshot: Sequence[RuleWeight]

    @property
    def surge_total(self) -> int:
        return sum(boost.boost for boost in self.explanation.boosts.values())

    @property
    def surge_event_count(self) -> int:
        return sum(boost.count for boost in self.explanation.boosts.values())

    @property
    def decay_applied(self) -> int:
        """Negative, over all active rulesets."""
        return sum(change.decay for change in self.explanation.changes.values())


@operation(Permission.READ)
async def explain_lead_score(context: Context, lead_id: str, hours: int = DEFAULT_HOURS) -> ScoreExplanation:
    """The lead's events of the last `hours` hours, by the time they happened. 400 unless hours ≥ 1, 404 for
    an unknown lead."""
    if not 1 <= hours <= MOST_HOURS:
        raise bad_request("The window has at least an hour.", hours=f"must be 1 to {MOST_HOURS}")
    unit_id = context.caller.unit_id
    await get_lead(context, lead_id)
    now = datetime.now(UTC)
    since = now - min(timedelta(hours=hours), now - _EARLIEST + timedelta(hours=1))
    async with context.services.database.pool.acquire() as connection, connection.transaction():
        config = await unit_config.load(connection, unit_id)
        explained = Explanation(config)
        async for event in explanation.scored_events(connection, unit_id, lead_id, since, now):
            explained.add(*event)
    return ScoreExplanation(hours, explained, _snapshot(config))


def _snapshot(config: UnitConfig) -> list[RuleWeight]:
    weights = [
        RuleWeight(ruleset.ruleset_id, rule.rule_id, rule.event_type, rule.weight)
        for ruleset in config.rulesets
        for rule in ruleset.rules.values()
    ]
    return sorted(weights, key=lambda each: (-abs(each.weight), each.event_type, each.rule_id))
