"""What a rescoring would change, without changing it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

from leadvibe.pipeline.rescore import next_leads, replayed, stored_events
from leadvibe.scoring.levels import level_of
from leadvibe.scoring.model import Level
from leadvibe.store import unit_config
from leadvibe.store.database import Database, find_by_key
from leadvibe.store.queue import AnyConnection


@dataclass(slots=True)
class RescorePreview:
    """Of all leads, `affected_leads` have events to score anew: their primary scores would rise, fall or stay, and
    some leads would change level. `score_change`: all changes together. `milestones`: how many leads would come to
    stand above the threshold of each active milestone trigger (a rescoring itself fires none). `seconds`: how long
    the look took."""

    total_leads: int = 0
    affected_leads: int = 0
    increases: int = 0
    decreases: int = 0
    level_changes: int = 0
    score_change: int = 0
    milestones: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def unchanged(self) -> int:
        return self.affected_leads - self.increases - self.decreases

    @property
    def average_change(self) -> float:
        """By how many points a lead that has events would change."""
        return round(self.score_change / self.affected_leads, 2) if self.affected_leads else 0.0


async def preview(database: Database, unit_id: str) -> RescorePreview:
    """Replays the log group by group in one read-only transaction, which sees one state of it."""
    found, after, began = RescorePreview(), "", time.monotonic()
    async with (
        database.pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await find_by_key(connection)
        config, levels = await unit_config.load(connection, unit_id), await _levels(connection, unit_id)
        primary = config.primary_ruleset_id or ""
        while leads := await next_leads(connection, unit_id, after):
            events = await stored_events(connection, unit_id, leads)
            scored = {row["lead_id"] for row in events}
            after_replay: dict[str, int] = {}
            for _, replays in replayed(config, leads, events):
                after_replay |= {lead_id: each.lead.scores.get(primary, 0) for lead_id, each in replays.items()}
                await asyncio.sleep(0)  # others of this process go on
            rows = await connection.fetch(
                "SELECT lead_id, scores FROM leads WHERE unit_id = $1 AND lead_id = ANY($2::text[])", unit_id, leads
            )
            for row in rows:
                old, new = row["scores"].get(primary, 0), after_replay[row["lead_id"]]
                found.total_leads += 1
                found.affected_leads += row["lead_id"] in scored
                found.increases += new > old
                found.decreases += new < old
                found.level_changes += level_of(levels, old) != level_of(levels, new)
                found.score_change += new - old
                found.milestones.update(each.trigger_id for each in config.triggers.passed(old, new))
            after = leads[-1]
    found.seconds = time.monotonic() - began
    return found


async def _levels(connection: AnyConnection, unit_id: str) -> list[Level]:
    rows = await connection.fetch(
        "SELECT stage_id, name, min_score, max_score FROM engagement_levels WHERE unit_id = $1 ORDER BY min_score",
        unit_id,
    )
    return [Level(*row) for row in rows]
