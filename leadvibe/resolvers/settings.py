"""Settings of scoring: the organisation's and the unit's switches, the surge policy, event types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.errors import ApiError, FieldProblem, bad_request, forbidden, not_found
from leadvibe.resolvers.caller import Caller, Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.scoring.model import DECAY, NOTES, Scope
from leadvibe.scoring.surge import CUSTOM_CAP, PRESETS, STANDARD
from leadvibe.store import event_types
from leadvibe.store.config_tables import SurgePolicyRow
from leadvibe.store.lanes import hold_lane, outdate_fit
from leadvibe.store.tables import EventType, Organisation, OrgUnit

# Types that only the server makes; their events are no mistake of a client that one would want to remove.
PROTECTED_TYPES = NOTES | {DECAY}


class ScoringSettings(BaseModel):
    """`allow_negative_scores` and `abm_enabled` hold for the organisation, the others for the unit."""

    allow_negative_scores: bool = Field(description="False: no score ever goes below 0.")
    abm_enabled: bool = Field(description="Opens the account-based operations.")
    session_timeout_minutes: int = Field(description="Idle minutes that end a session in this unit.")
    surge_triggers_enabled: bool = Field(description="Whether surge triggers detect surges in this unit.")


class ScoringChanges(BaseModel):
    """What is left out keeps its value."""

    allow_negative_scores: bool | None = Field(default=None, description="Admins of the organisation only.")
    abm_enabled: bool | None = Field(default=None, description="Admins of the organisation only.")
    session_timeout_minutes: int | None = Field(default=None, ge=1, le=1440, description="1 to 1440.")
    surge_triggers_enabled: bool | None = Field(default=None, description="Turns surge triggers of this unit on.")


class BandBody(BaseModel):
    """The n-th event of a session, min_events ≤ n ≤ max_events (null: open), counts `multiplier` times."""

    min_events: int = Field(ge=1, le=1_000_000)
    max_events: int | None = Field(default=None, ge=1, le=1_000_000)
    # What lies above the policy's cap, 3 at most, is cut to it.
    multiplier: float = Field(ge=1, le=100)


class SurgePolicyBody(BaseModel):
    """How a session's later events are worth more."""

    org_id: str
    unit_id: str
    mode: Literal["off", "standard", "gentle", "custom"]
    bands: list[BandBody]
    idle_reset_seconds: int
    multiplier_cap: float


class SurgePolicyChanges(BaseModel):
    """`bands` are for the mode custom; the other modes have their own."""

    mode: Literal["off", "standard", "gentle", "custom"] | None = None
    bands: list[BandBody] | None = Field(default=None, max_length=50)
    idle_reset_seconds: int | None = Field(default=None, ge=1, le=366 * 86_400)
    multiplier_cap: float | None = Field(default=None, ge=1, le=3)


class EventTypeChanges(BaseModel):
    """What is left out keeps its value."""

    hidden: bool | None = Field(default=None, description="Hidden types are only stored, and shown nowhere.")
    max_processing_scope: Scope | None = Field(
        default=None, description="observe: store and show; decide: also score; activate: also fire triggers."
    )


@dataclass(frozen=True, slots=True)
class EventTypeSetting:
    """An event type as its unit sees it. A protected type's events cannot be deleted by type."""

    name: str
    hidden: bool
    max_processing_scope: str
    ou_event_count: int
    protected: bool
    deletable: bool


@operation(Permission.READ)
async def get_scoring_settings(context: Context) -> ScoringSettings:
    async with context.services.database.session() as session:
        organisation, unit = await _places(session, context.caller)
    return ScoringSettings(
        allow_negative_scores=organisation.allow_negative_scores,
        abm_enabled=organisation.abm_enabled,
        session_timeout_minutes=unit.session_timeout_minutes,
        surge_triggers_enabled=unit.surge_triggers_enabled,
    )


@operation(Permission.WRITE)
async def update_scoring_settings(context: Context, changes: ScoringChanges) -> None:
    """403 when a member who is no admin changes what holds for the whole organisation."""
    caller, given = context.caller, _given(changes)
    of_organisation = given.keys() & {"allow_negative_scores", "abm_enabled"}
    if of_organisation and caller.org_role != "admin":
        raise forbidden(f"Only an admin of the organization may change {' and '.join(sorted(of_organisation))}.")
    async with context.services.database.session() as session, session.begin():
        # Both are part of every unit's configuration.
        units = await session.exec(select(OrgUnit.unit_id).where(OrgUnit.org_id == caller.org_id))
        for unit_id in sorted(units.all()) if of_organisation else [caller.unit_id]:
            await hold_lane(session, unit_id)
            if "allow_negative_scores" in given:
                await outdate_fit(session, unit_id, "profile", "account")
        organisation, unit = await _places(session, caller)
        for name, value in given.items():
            setattr(organisation if name in of_organisation else unit, name, value)


@operation(Permission.READ)
async def get_surge_policy(context: Context) -> SurgePolicyBody:
    """The stored policy, else the standard one."""
    caller = context.caller
    async with context.services.database.session() as session:
        row = await session.get(SurgePolicyRow, caller.unit_id)
        _, unit = await _places(session, caller)
    return _policy_body(unit, row or _preset(caller.unit_id, STANDARD.mode))


@operation(Permission.WRITE)
async def update_surge_policy(context: Context, changes: SurgePolicyChanges) -> SurgePolicyBody:
    """Presets have their own bands; 400 for custom bands that are missing, overlap or leave a gap."""
    caller, given = context.caller, _given(changes)
    async with context.services.database.session() as session, session.begin():
        await hold_lane(session, caller.unit_id)
        row = await session.get(SurgePolicyRow, caller.unit_id)
        if row is None:
            row = _preset(caller.unit_id, STANDARD.mode)
            session.add(row)
        if given.get("mode", row.mode) != row.mode:
            fresh = _preset(caller.unit_id, given["mode"])
            row.mode, row.bands = fresh.mode, fresh.bands
            row.idle_reset_seconds, row.multiplier_cap = fresh.idle_reset_seconds, fresh.multiplier_cap
        if row.mode == "custom" and "bands" in given:
            row.bands = given["bands"]
        row.idle_reset_seconds = given.get("idle_reset_seconds", row.idle_reset_seconds)
        row.multiplier_cap = given.get("multiplier_cap", row.multiplier_cap)
        if row.mode == "custom":
            _check_bands(row.bands)
        _, unit = await _places(session, caller)
    return _policy_body(unit, row)


@operation(Permission.READ)
async def list_event_type_settings(context: Context) -> Sequence[EventTypeSetting]:
    """All event types of the unit, hidden ones too, in alphabetical order."""
    unit_id = context.caller.unit_id
    async with context.services.database.session() as session:
        types = (await session.exec(select(EventType).where(EventType.unit_id == unit_id))).all()
        counts = await event_types.event_totals(session, unit_id)
    return [_setting(row, counts.get(row.name, 0)) for row in sorted(types, key=lambda row: row.name)]


@operation(Permission.WRITE)
async def update_event_type(context: Context, name: str, changes: EventTypeChanges) -> None:
    """Holds for events that are scored from now on. 404 for a type that the unit does not know."""
    unit_id = context.caller.unit_id
    async with context.services.database.session() as session, session.begin():
        await hold_lane(session, unit_id)
        query = select(EventType).where(EventType.unit_id == unit_id, col(EventType.name) == name)
        row = (await session.exec(query)).first()
        if row is None:
            raise not_found(f"Event type {name}")
        for field, value in _given(changes).items():
            setattr(row, field, value)


def _given(changes: BaseModel) -> dict[str, Any]:
    """The fields the client sent; none of them may be null."""
    given = changes.model_dump(include=changes.model_fields_set)
    if nulls := [name for name, value in given.items() if value is None]:
        problems = [FieldProblem(name, "must not be null") for name in nulls]
        raise ApiError(400, "invalid_request", "A field that must have a value is null.", problems)
    return given


async def _places(session: AsyncSession, caller: Caller) -> tuple[Organisation, OrgUnit]:
    organisation = await session.get(Organisation, caller.org_id)
    unit = await session.get(OrgUnit, caller.unit_id)
    assert organisation is not None and unit is not None, "a caller's places exist"
    return organisation, unit


def _preset(unit_id: str, mode: str) -> SurgePolicyRow:
    """The mode's own bands and cap, and the gap that ends any session; custom begins without bands."""
    preset = PRESETS.get(mode)
    bands = [
        {"min_events": band.min_events, "max_events": band.max_events, "multiplier": band.multiplier}
        for band in (preset.bands if preset else ())
    ]
    return SurgePolicyRow(
        unit_id=unit_id,
        mode=mode,
        bands=bands,
        idle_reset_seconds=None,
        multiplier_cap=preset.multiplier_cap if preset else CUSTOM_CAP,
    )


def _policy_body(unit: OrgUnit, row: SurgePolicyRow) -> SurgePolicyBody:
    values = row.model_dump()
    if values["idle_reset_seconds"] is None:
        values["idle_reset_seconds"] = 60 * unit.session_timeout_minutes
    return SurgePolicyBody(org_id=unit.org_id, **values)


def _check_bands(bands: Sequence[dict[str, Any]]) -> None:
    """The first begins at 1, each begins where the one before ends, and only the last is open."""
    if not bands:
        raise bad_request("A custom policy needs bands.", bands="must not be empty")
    expected = 1
    for number, band in enumerate(bands, 1):
        low, high = band["min_events"], band["max_events"]
        if low != expected:
            raise bad_request(f"Band {number} begins at {low}, not at {expected}.", bands="must follow each other")
        if high is None and number < len(bands):
            raise bad_request(f"Band {number} is open, and not the last.", bands="only the last may be open")
        if high is not None and high < low:
            raise bad_request(f"Band {number} is empty.", bands="max_events must not be below min_events")
        expected = (high or low) + 1


def _setting(row: EventType, count: int) -> EventTypeSetting:
    protected = row.name in PROTECTED_TYPES
    return EventTypeSetting(row.name, row.hidden, row.max_processing_scope, count, protected, not protected)
