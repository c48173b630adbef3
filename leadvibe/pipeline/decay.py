"""The decay job: takes points off the leads that were inactive for too long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from leadvibe.ids import new_id
from leadvibe.pipeline.triggers import Firings
from leadvibe.scoring.decay import Decay, decayed
from leadvibe.scoring.model import DECAY, Event, UnitConfig
from leadvibe.store import decay_state, event_log, lead_state, outbox, queue, segment_members, unit_config
from leadvibe.store.database import Database
from leadvibe.store.decay_state import Inactive
from leadvibe.store.partitions import existing_months, make_partitions, month_of
from leadvibe.store.queue import AnyConnection

# Leads of one transaction, for whose time live scoring of the unit waits.
_LEADS_AT_ONCE = 500
# Cycles of one rule that one transaction applies to a lead. Where scores have a floor, the run goes on until
# none is due. Without one, what is more comes with the next run: a lead that left years ago has a cycle for
# every hour since, and none of them is the last.
_MOST_CYCLES = 100

_HOURS = {"hours": 1, "days": 24, "weeks": 168}


async def decay(database: Database, unit_id: str, now: datetime) -> int:
    """Applies every cycle that is due in a unit, each once; returns the number of DECAY events.

    What was applied is written in the same transaction, under the unit's lane: whoever runs it again,
    or beside it, finds nothing due.
    """
    events, after, left = 0, "", False
    while True:
        async with database.pool.acquire() as connection:
            if month_of(now) not in await existing_months(connection):
                await make_partitions(connection, [month_of(now)])
            async with connection.transaction():
                step = await decay_some(connection, unit_id, now, after)
            if step is not None and step.told:
                await outbox.wake(connection)
        if step is not None:
            events, after, left = events + step.events, step.last, left or step.left
        elif left:
            after, left = "", False
        else:
            return events


class Step(NamedTuple):
    """So many DECAY events took the points off the leads up to `last`. `told`: whether messages of firings wait;
    `left`: whether a lead that may still lose points has more cycles due."""

    events: int
    last: str
    told: bool
    left: bool


async def decay_some(connection: AnyConnection, unit_id: str, now: datetime, after: str) -> Step | None:
    """The same for some leads behind `after`, in the caller's transaction; None when nothing is due any more."""
    lane = await queue.lock_lane(connection, unit_id, wait=True)
    decays = await _decays(connection, unit_id)
    leads = await decay_state.inactive_leads(connection, unit_id, decays, now, after, _LEADS_AT_ONCE)
    if lane is None or not leads:
        return None
    config = await unit_config.load(connection, unit_id)
    firings = Firings(config, lane.last_seq)
    rows, cut = _apply(unit_id, config, decays, leads, lane.last_seq, now, firings)
    await _save(connection, unit_id, config, leads, rows, lane.last_seq, now)
    told = await firings.save(connection, unit_id, now)
    return Step(len(rows), leads[-1].lead.lead_id, told, cut and not config.allow_negative_scores)


async def _decays(connection: AnyConnection, unit_id: str) -> list[Decay]:
    rows = await connection.fetch(
        "SELECT decay_id, inactive_for, unit, decrease FROM decays WHERE unit_id = $1 ORDER BY decay_id", unit_id
    )
    return [
        Decay(row["decay_id"], timedelta(hours=row["inactive_for"] * _HOURS[row["unit"]]), row["decrease"])
        for row in rows
    ]


def _apply(
    unit_id: str,
    config: UnitConfig,
    decays: Sequence[Decay],
    leads: Sequence[Inactive],
    last_seq: int,
    now: datetime,
    firings: Firings,
) -> tuple[list[tuple[Any, ...]], bool]:
    """Takes the points off the leads, and shows `firings` what they lost. Returns the rows of the log, and whether
    some lead has more cycles due."""
    rows: list[tuple[Any, ...]] = []
    cut = False
    for inactive in leads:
        for each in decays:
            applied = inactive.cycles.get(each.decay_id, 0)
            due = each.cycles(inactive.last_activity, now)
            most = min(due, applied + _MOST_CYCLES)
            for cycle in range(applied + 1, most + 1):
                seq = last_seq + len(rows) + 1
                outcome = decayed(config, inactive.lead.state, each, seq, now)
                if outcome is None:  # at the floor: the cycles that are left change nothing, either
                    most = due
                    break
                inactive.lead.changed = True
                metadata = {"channel": "system", "decay_id": each.decay_id, "cycle": cycle, "decrease": each.decrease}
                scores = event_log.stored_scores(outcome.contributions)
                event_id, lead_id = new_id("ev"), inactive.lead.lead_id
                about = (event_id, lead_id, DECAY, "system", metadata)
                told = {"event_id": event_id, "event_type": DECAY, "metadata": metadata, "skip_triggers": False}
                told |= {"occurred_at": now, "received_at": now}
                firings.see(lead_id, inactive.lead.state, Event(seq, DECAY, now), outcome, told)
                rows.append((unit_id, now, seq, *about, None, False, scores, now, now))
            inactive.cycles[each.decay_id] = max(applied, most)
            cut = cut or most < due
    return rows, cut


async def _save(
    connection: AnyConnection,
    unit_id: str,
    config: UnitConfig,
    leads: Sequence[Inactive],
    rows: Sequence[tuple[Any, ...]],
    last_seq: int,
    now: datetime,
) -> None:
    changed = [inactive.lead for inactive in leads if inactive.lead.changed]
    if rows:
        await event_log.append(connection, rows)
        await lead_state.save_leads(connection, unit_id, changed, config.primary_ruleset_id, now)
        await segment_members.touch(connection, unit_id, (lead.lead_id for lead in changed))
        await event_log.count_events(connection, unit_id, Counter({(now.date(), DECAY, "system"): len(rows)}))
        await event_log.name_event_types(connection, unit_id, [DECAY], now)
        await queue.advance_lane(connection, unit_id, last_seq + len(rows), new_leads=0)
    await decay_state.save(connection, unit_id, leads)
