"""A unit's event log that grows as a worker lets it grow."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from leadvibe.live.publisher import Publisher
from leadvibe.store.database import Database

PRIMARY, OTHER = "rs_primary", "rs_other"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

_ROW: dict[str, Any] = {
    "occurred_at": NOW,
    "lead_id": "ld_1",
    "event_type": "page_view",
    "channel": "web",
    "metadata": {},
    "suppression_reason": None,
    "observed": False,
    "received_at": NOW,
    "processed_at": NOW,
}


@dataclass
class EventLog:
    """Appends scored events to one unit, each batch in one transaction, and tells the bus after it."""

    database: Database
    publisher: Publisher
    unit_id: str
    events: list[str] = field(default_factory=list)

    async def score(self, *events: dict[str, Any], tell: bool = True) -> None:
        async with self.database.pool.acquire() as connection, connection.transaction():
            last = await connection.fetchval("SELECT last_seq FROM lanes WHERE unit_id = $1 FOR UPDATE", self.unit_id)
            rows = [self._row(last + i, given) for i, given in enumerate(events, 1)]
            records = [tuple(row.values()) for row in rows]
            await connection.copy_records_to_table("engagement_events", records=records, columns=list(rows[0]))
            await connection.execute(
                "UPDATE lanes SET last_seq = $2 WHERE unit_id = $1", self.unit_id, last + len(rows)
            )
        self.events += [row["event_id"] for row in rows]
        if tell:
            await self.publisher.publish(self.unit_id, last + 1, last + len(rows))

    def _row(self, seq: int, given: dict[str, Any]) -> dict[str, Any]:
        own = {
            "unit_id": self.unit_id,
            "seq": seq,
            "event_id": f"ev_{self.unit_id}_{seq}",
            "scores": {PRIMARY: [1, seq - 1, seq, 0, "rl_1"], OTHER: [-2, 0, -2, 0, "rl_2"]},
        }
        return _ROW | own | given


async def any_time(database: Database) -> None:
    """Makes a partition for events of any time."""
    await database.pool.execute("CREATE TABLE all_events PARTITION OF engagement_events DEFAULT")
