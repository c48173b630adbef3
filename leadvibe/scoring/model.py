"""The plain data that scoring reads and writes. Times are aware UTC datetimes, scores whole points.

What comes into being with every event is a NamedTuple: making one takes a third of the time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from leadvibe.scoring.fit import FitConfig
from leadvibe.scoring.trigger_index import Triggers

Scope = Literal["observe", "decide", "activate"]
SuppressionReason = Literal["inorganic", "inorganic_grouped", "metadata_filter"]

DECAY = "DECAY"
# What the server notes in a lead's timeline. A note counts nowhere: not as points, activity or session.
LEAD_MERGED = "lead_merged"
NOTES = frozenset({LEAD_MERGED})


@dataclass(frozen=True, slots=True)
class Rule:
    """`weight` points for an event of exactly `event_type` whose time lies in [start_at, end_at]."""

    rule_id: str
    event_type: str
    weight: int
    start_at: datetime | None = None
    end_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ruleset:
    """An active ruleset with its active rules (event type → rule: the pair is unique)."""

    ruleset_id: str
    rules: dict[str, Rule]
    start_at: datetime | None = None
    end_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class VelocityFilter:
    """More than `count_threshold` events of a lead and type within `time_window_ms` are not organic."""

    filter_id: str
    event_type: str
    count_threshold: int
    time_window_ms: int
    group_events: bool = False


@dataclass(frozen=True, slots=True)
class Band:
    """The n-th event of a session, min_events ≤ n ≤ max_events (None: open), has this multiplier."""

    min_events: int
    max_events: int | None
    multiplier: float


@dataclass(frozen=True, slots=True)
class SurgePolicy:
    """How a session's later events are worth more. `multiplier_cap` bounds every band."""

    mode: Literal["off", "standard", "gentle", "custom"]
    bands: tuple[Band, ...]
    idle_reset_seconds: int
    multiplier_cap: float


@dataclass(frozen=True, slots=True)
class SurgeTrigger:
    """A lead has at least `threshold_count` events of `event_type` (None: any) within `window`."""

    trigger_id: str
    event_type: str | None
    window: timedelta
    threshold_count: int


@dataclass(frozen=True, slots=True)
class Level:
    """A named range of the primary score, both bounds inclusive; `max_score` None is open."""

    level_id: str
    name: str
    min_score: int
    max_score: int | None


@dataclass(frozen=True, slots=True)
class UnitConfig:
    """All that an OU's configuration says about scoring.

    `rulesets`: the active engagement rulesets. `filters`: velocity filters by event type.
    `ceilings`: event types whose scope is not `activate`; a hidden type stands here as `observe`.
    `account`: None while account-based scoring is off.
    `surge_triggers`: none while the unit's detection is off. `triggers`: the active ones.
    """

    rulesets: tuple[Ruleset, ...]
    filters: dict[str, tuple[VelocityFilter, ...]]
    surge: SurgePolicy
    allow_negative_scores: bool = False
    ceilings: dict[str, Scope] = field(default_factory=dict)
    primary_ruleset_id: str | None = None
    profile: FitConfig = field(default_factory=FitConfig)
    account: FitConfig | None = None
    surge_triggers: tuple[SurgeTrigger, ...] = ()
    triggers: Triggers = field(default_factory=Triggers)


class Event(NamedTuple):
    """One event of one lead. `seq` is its place in the OU's order of arrival.

    `recorded` is set for DECAY events only: the effective delta by ruleset that was recorded when
    the decay was applied; a replay takes it over as it is.
    """

    seq: int
    event_type: str
    at: datetime
    recorded: dict[str, int] | None = None


@dataclass(slots=True)
class Past:
    """An earlier event of a filtered type. `deltas`: its effective points by ruleset, None when it was
    suppressed or taken back."""

    at: datetime
    seq: int
    deltas: dict[str, int] | None = None


@dataclass(slots=True)
class LeadState:
    """What scoring must know of a lead before its next event; `apply` brings it up to date.

    `history`: for event types with a velocity filter, the lead's earlier counted events (neither
    observed nor metadata-filtered), sorted by (at, seq), at least as far back as the filters look.
    """

    scores: dict[str, int] = field(default_factory=dict)
    session_count: int = 0
    session_at: datetime | None = None
    last_event_at: datetime | None = None
    last_event_type: str | None = None
    history: dict[str, list[Past]] = field(default_factory=dict)


class Contribution(NamedTuple):
    """What one event did to one ruleset's score: `after − before == delta`; `boost` of it is surge.

    A take-back of a grouped burst is part of the delta of the event that caused it; `earned` is what
    the event itself gave, and what taking it back reverses.
    """

    delta: int
    before: int
    after: int
    earned: int
    boost: int = 0
    rule_id: str | None = None


class Outcome(NamedTuple):
    """What became of an event. `contributions` holds the rulesets whose score it changed, or in
    which a rule of it counted. `taken_back`: earlier events of the burst, now `inorganic_grouped`."""

    suppression_reason: SuppressionReason | None
    observed: bool
    contributions: dict[str, Contribution]
    taken_back: tuple[Past, ...] = ()
