"""Settings of scoring, the surge policy, event types."""

from __future__ import annotations

from typing import Annotated

import strawberry

from leadvibe.resolvers import settings
from leadvibe.schema.context import Info
from leadvibe.schema.derive import body_of
from leadvibe.schema.fields import field
from leadvibe.schema.words import ProcessingScope, SurgeMode


@strawberry.input(description="Changes of the scoring settings; what is left out stays.")
class ScoringChanges:
    allow_negative_scores: bool | None = strawberry.field(default=strawberry.UNSET, description="For admins only.")
    abm_enabled: bool | None = strawberry.field(default=strawberry.UNSET, description="For admins only.")
    session_timeout_minutes: int | None = strawberry.field(default=strawberry.UNSET, description="1 to 1440.")
    surge_triggers_enabled: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Whether surge triggers detect surges in this unit."
    )


@strawberry.input(description="Changes of an event type; what is left out stays.")
class EventTypeChanges:
    hidden: bool | None = strawberry.field(default=strawberry.UNSET, description="Whether it is only stored.")
    max_processing_scope: ProcessingScope | None = strawberry.field(
        default=strawberry.UNSET, description="How far its events are processed."
    )


@strawberry.type(description="Switches of scoring: the first two hold for the whole organisation.")
class ScoringSettings:
    allow_negative_scores: bool = strawberry.field(description="False: no score ever goes below 0.")
    abm_enabled: bool = strawberry.field(description="Opens the account-based operations.")
    session_timeout_minutes: int = strawberry.field(description="Idle minutes that end a session in this unit.")
    surge_triggers_enabled: bool = strawberry.field(description="Whether surge triggers detect surges in this unit.")


@strawberry.type(description="The n-th event of a session, minEvents ≤ n ≤ maxEvents, counts multiplier times.")
class SurgeBand:
    min_events: int = strawberry.field(description="First n.")
    max_events: int | None = strawberry.field(description="Last n; null is open.")
    multiplier: float = strawberry.field(description="What a rule's points are multiplied with.")


@strawberry.type(description="How a session's later events are worth more.")
class SurgePolicy:
    mode: SurgeMode = strawberry.field(description="Which multipliers hold.")
    bands: list[SurgeBand] = strawberry.field(description="In their order.")
    idle_reset_seconds: int = strawberry.field(description="A longer gap begins a new session.")
    multiplier_cap: float = strawberry.field(description="Bounds every multiplier.")

    @classmethod
    def of(cls, body: settings.SurgePolicyBody) -> SurgePolicy:
        bands = [SurgeBand(**band.model_dump()) for band in body.bands]
        return cls(
            mode=body.mode,
            bands=bands,
            idle_reset_seconds=body.idle_reset_seconds,
            multiplier_cap=body.multiplier_cap,
        )


@strawberry.input(description="A band of a custom policy.")
class SurgeBandInput:
    min_events: int = strawberry.field(description="First n.")
    max_events: int | None = strawberry.field(default=None, description="Last n; null is open.")
    multiplier: float = strawberry.field(description="1 to 3.")


@strawberry.input(description="Changes of the surge policy; what is left out stays.")
class SurgePolicyChanges:
    mode: SurgeMode | None = strawberry.field(default=strawberry.UNSET, description="Which multipliers hold.")
    bands: list[SurgeBandInput] | None = strawberry.field(default=strawberry.UNSET, description="For the mode custom.")
    idle_reset_seconds: int | None = strawberry.field(default=strawberry.UNSET, description="At least 1.")
    multiplier_cap: float | None = strawberry.field(default=strawberry.UNSET, description="1 to 3.")


@strawberry.type(description="An event type as its unit sees it.")
class EventTypeSetting:
    name: str = strawberry.field(description="The type.")
    hidden: bool = strawberry.field(description="Hidden types are only stored, and shown nowhere.")
    max_processing_scope: ProcessingScope = strawberry.field(description="How far its events are processed.")
    ou_event_count: int = strawberry.field(description="How many events of it the unit has.")
    protected: bool = strawberry.field(description="Whether its events cannot be deleted by type.")
    deletable: bool = strawberry.field(description="Whether they can.")


@strawberry.type
class SettingsQueries:
    @field
    async def scoring_settings(self, info: Info) -> ScoringSettings:
        """The switches of scoring."""
        return ScoringSettings(**(await settings.get_scoring_settings(info.context)).model_dump())

    @field
    async def surge_policy(self, info: Info) -> SurgePolicy:
        """The stored policy, else the standard one."""
        return SurgePolicy.of(await settings.get_surge_policy(info.context))

    @field
    async def event_type_settings(self, info: Info) -> list[EventTypeSetting]:
        """All event types of the unit, hidden ones too."""
        rows = await settings.list_event_type_settings(info.context)
        return [
            EventTypeSetting(
                name=row.name,
                hidden=row.hidden,
                max_processing_scope=row.max_processing_scope,
                ou_event_count=row.ou_event_count,
                protected=row.protected,
                deletable=row.deletable,
            )
            for row in rows
        ]


@strawberry.type
class SettingsMutations:
    @field
    async def update_scoring_settings(
        self, info: Info, input: Annotated[ScoringChanges, strawberry.argument(description="What changes.")]
    ) -> ScoringSettings | None:
        """Changes switches of scoring; those of the organisation need its admin."""
        await settings.update_scoring_settings(info.context, body_of(settings.ScoringChanges, input))
        return ScoringSettings(**(await settings.get_scoring_settings(info.context)).model_dump())

    @field
    async def update_surge_policy(
        self, info: Info, input: Annotated[SurgePolicyChanges, strawberry.argument(description="What changes.")]
    ) -> SurgePolicy | None:
        """Changes the surge policy for events that are scored from now on."""
        if input.bands:
            input.bands = [vars(band) for band in input.bands]  # type: ignore[misc]
        changes = body_of(settings.SurgePolicyChanges, input)
        return SurgePolicy.of(await settings.update_surge_policy(info.context, changes))

    @field
    async def update_event_type(
        self,
        info: Info,
        event_type: Annotated[str, strawberry.argument(description="The type's name.")],
        input: Annotated[EventTypeChanges, strawberry.argument(description="What changes.")],
    ) -> str | None:
        """Hides or shows a type, or bounds its processing; answers its name."""
        await settings.update_event_type(info.context, event_type, body_of(settings.EventTypeChanges, input))
        return event_type
