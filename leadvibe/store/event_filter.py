"""Which events a list shows, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, or_
from sqlmodel import col

from leadvibe.store import event_counts
from leadvibe.store.paging import SortKey
from leadvibe.store.tables import EngagementEvent

KEYS = [SortKey(EngagementEvent.occurred_at), SortKey(EngagementEvent.seq)]


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events a list shows; None does not filter. `metadata`: (key, text value) pairs that
    `logic` combines. Events of hidden types never show."""

    event_type: str | None = None
    lead_id: str | None = None
    occurred_from: datetime | None = None
    occurred_to: datetime | None = None
    metadata: Sequence[tuple[str, str]] = ()
    logic: Literal["and", "or"] = "and"

    @property
    def counted(self) -> bool:
        """Whether what it finds is kept counted."""
        return self.lead_id is None and not self.metadata

    @property
    def window(self) -> event_counts.Window:
        return event_counts.Window(self.occurred_from, self.occurred_to, self.event_type)

    def conditions(
        self, unit_id: str, hidden: Sequence[str], event: Any = EngagementEvent
    ) -> list[ColumnElement[bool]]:
        """`hidden`: the unit's hidden types; most units have none, and then nothing needs to look at types.
        `event`: the events asked for, where they are not all."""
        wanted: list[tuple[Any, Any]] = [
            (self.event_type, lambda v: col(event.event_type) == v),
            (self.lead_id, lambda v: col(event.lead_id) == v),
            (self.occurred_from, lambda v: col(event.occurred_at) >= v),
            (self.occurred_to, lambda v: col(event.occurred_at) < v),
        ]
        combined = [self.holds(col(event.event_metadata))] if self.metadata else []
        shown = [col(event.event_type).not_in(hidden)] if hidden else []
        given = [condition(value) for value, condition in wanted if value is not None]
        return [col(event.unit_id) == unit_id, *shown, *given, *combined]

    def holds(self, metadata: Any) -> ColumnElement[bool]:
        """Whether this metadata meets the filter."""
        pairs = [metadata[key].astext == value for key, value in self.metadata]
        return and_(*pairs) if self.logic == "and" else or_(*pairs)
