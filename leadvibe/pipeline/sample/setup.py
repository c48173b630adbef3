"""The configuration of the story. Its triggers have no receivers: they fire, and nobody is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from leadvibe.ids import new_id
from leadvibe.store.columns import ConfigRow
from leadvibe.store.config_tables import (
    AccountLevel,
    AccountRule,
    AccountRuleset,
    DecayRule,
    ProfileLevel,
    ProfileMapping,
    ProfileRule,
    ProfileRuleset,
    Rule,
    Ruleset,
    SurgeTrigger,
    VelocityFilter,
)
from leadvibe.store.segment_tables import Segment, SegmentRule
from leadvibe.store.trigger_tables import EventStep, MilestoneTrigger, PatternCondition, PatternTrigger, SequenceTrigger

# Who made it, by which wiping knows it.
SEED = "seed"

_ENGAGEMENT = {
    "page_view": 1, "pricing_view": 4, "email_open": 1, "email_click": 2, "content_download": 5, "form_submit": 6,
    "webinar_registered": 4, "webinar_attended": 8, "demo_request": 15, "trial_started": 12, "product_login": 2,
    "meeting_booked": 12, "slack_community_post": 3, "email_unsubscribe": -15,
}  # fmt: skip
_PRODUCT = {"trial_started": 20, "product_login": 5, "pricing_view": 2, "demo_request": 10}

_PROPERTIES = ("first_name", "last_name", "job_title", "seniority", "company", "company_size", "country")

Row = TypeVar("Row", bound=ConfigRow)


@dataclass(frozen=True, slots=True)
class Setup:
    """Makes the rows for a unit, in the order in which they are to be listed."""

    unit_id: str
    org_id: str
    made_at: datetime
    rows: list[ConfigRow] = field(default_factory=list)

    def _add(self, row: type[Row], **values: Any) -> Row:
        at = self.made_at + timedelta(milliseconds=len(self.rows))
        own: dict[str, Any] = {row.key: new_id(row.id_prefix), "unit_id": self.unit_id, "org_id": self.org_id}
        own |= {"created_at": at, "updated_at": at, "created_by": SEED, "updated_by": SEED}
        made = row(**own, **values)
        self.rows.append(made)
        return made

    def engagement(self, is_primary: bool, active: bool) -> None:
        """A ruleset of the story's own."""
        ruleset = self._add(Ruleset, name="Sample engagement", is_primary=is_primary, active=active)
        for event_type, weight in _ENGAGEMENT.items():
            self._add(Rule, ruleset_id=ruleset.ruleset_id, event_type=event_type, weight=weight)

    def whole_unit(self) -> None:
        """What would act on leads of others as well: only for a unit that has none."""
        product = self._add(Ruleset, name="Sample product interest", score_column="product_score")
        for event_type, weight in _PRODUCT.items():
            self._add(Rule, ruleset_id=product.ruleset_id, event_type=event_type, weight=weight)
        self._add(VelocityFilter, event_type="page_view", count_threshold=8, time_window_ms=10_000)
        self._add(VelocityFilter, event_type="email_open", count_threshold=3, time_window_ms=5_000, group_events=True)
        self._add(DecayRule, inactive_for=14, unit="days", decrease=4)
        for name in _PROPERTIES:
            self._add(ProfileMapping, source_field=name, profile_property=name)
        self._profiles()
        self._accounts()

    def _profiles(self) -> None:
        ruleset = self._add(ProfileRuleset, name="Ideal customer", is_primary=True)
        for place, (name, condition, value, weight) in enumerate(
            (
                ("seniority", "equals", "C-Level", 35),
                ("seniority", "equals", "VP", 30),
                ("seniority", "equals", "Director", 25),
                ("job_title", "contains", "marketing", 15),
                ("company_size", "gte", "200", 20),
                ("country", "equals", "US", 10),
            )
        ):
            about = {"profile_property": name, "condition": condition, "comparison_value": value, "weight": weight}
            self._add(ProfileRule, ruleset_id=ruleset.id, ui_order=place, **about)
        for name, low, high in (("Poor fit", 0, 19), ("Fair fit", 20, 44), ("Good fit", 45, None)):
            self._add(ProfileLevel, name=name, min_score=low, max_score=high)

    def _accounts(self) -> None:
        ruleset = self._add(AccountRuleset, name="Target accounts", is_primary=True)
        for place, (name, condition, value, weight) in enumerate(
            (
                ("industry", "equals", "Software", 30),
                ("industry", "equals", "Finance", 20),
                ("employees", "gte", "250", 25),
                ("employees", "gte", "2000", 15),
            )
        ):
            about = {"account_property": name, "condition": condition, "comparison_value": value, "weight": weight}
            self._add(AccountRule, ruleset_id=ruleset.id, ui_order=place, **about)
        for name, low, high in (("Tier 3", 0, 24), ("Tier 2", 25, 49), ("Tier 1", 50, None)):
            self._add(AccountLevel, name=name, min_score=low, max_score=high)

    def triggers(self) -> None:
        """Of all kinds."""
        self._add(MilestoneTrigger, name="Warming up", event_type="*", score_threshold=25, fire_mode="always")
        self._add(MilestoneTrigger, name="Ready for sales", event_type="*", score_threshold=75, notify_exit=True)
        journey = ["content_download", "pricing_view", "demo_request"]
        self._add(
            SequenceTrigger,
            name="From content to demo",
            event_types=journey,
            event_steps=[EventStep(event_type=name, order=place) for place, name in enumerate(journey)],
            window_seconds=45 * 86_400,
            window_unit="days",
            ordered=True,
        )
        self._add(
            PatternTrigger,
            name="Comes back to pricing",
            description="Looks at the prices three times within a week.",
            window_seconds=7 * 86_400,
            conditions=[PatternCondition(event_type="pricing_view", min_count=3)],
        )
        self._add(SurgeTrigger, event_type="page_view", window_seconds=1_800, window_unit="minutes", threshold_count=5)
        self._add(SurgeTrigger, window_seconds=3_600, window_unit="hours", threshold_count=10)

    def segments(self) -> None:
        """Of leads by what they did, who they are, and where they work."""
        self._segment(
            "Hot decision makers", *_level("Very Hot"), ("lead_metadata", "seniority", "not_equals", "Individual")
        )
        self._segment("Looked at pricing", ("event_metadata", "path", "equals", "/pricing"))
        self._segment("Larger companies", ("lead_metadata", "company_size", "greater_than", "400"))
        self._segment("Cold", *_level("Cold"))

    def _segment(self, name: str, *rules: tuple[str, str, str, str]) -> None:
        segment = self._add(Segment, name=name, description="Sample segment.")
        for place, (kind, of, operator, value) in enumerate(rules):
            about = {"rule_type": kind, "field_name": of, "operator": operator, "value": value, "order_index": place}
            self._add(SegmentRule, segment_id=segment.segment_id, rule_name=f"{of} {operator} {value}", **about)


def _level(name: str) -> Iterator[tuple[str, str, str, str]]:
    yield "engagement_level", "engagement_level", "equals", name
