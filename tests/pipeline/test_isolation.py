"""Two units with the same names for everything never see each other."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from leadvibe.pipeline.scheduler import JOBS
from leadvibe.scoring.surge import STANDARD
from leadvibe.store.database import Database
from tests.pipeline.units import RECEIVED, Unit, body, email, new_unit, rescore, score_all
from tests.scoring.streams import config, grouped, plain, ruleset

OURS = config(ruleset("rs_a", view=5, click=2), filters=[plain(3, 20)], surge=STANDARD)
THEIRS = config(ruleset("rs_a", view=-7, click=40), filters=[grouped(2, 3, "click")], allow_negative_scores=True)


def stream(seed: int) -> list[dict[str, Any]]:
    """Both units' events have the same ids, leads and addresses, but not the same content."""
    chance = random.Random(seed)
    return [
        body(
            chance.choice(("view", "click")),
            chance.choice(("ld_1", "ld_2", None)),
            second=i // 3,
            event_id=f"e{i}",
            aliases=email(f"{chance.randrange(4)}@x"),
        )
        for i in range(150)
    ]


async def all_of(unit: Unit) -> tuple[Any, ...]:
    """All that a unit has; ids that the server chose are told apart by their order."""
    events, leads, aliases = await unit.events(), await unit.leads(), await unit.aliases()
    made = {lead_id: f"made {i}" for i, lead_id in enumerate(dict.fromkeys(event["lead_id"] for event in events))}
    return (
        [event | {"unit_id": None, "lead_id": made[event["lead_id"]]} for event in events],
        {made[lead_id]: lead | {"lead_id": None} for lead_id, lead in leads.items()},
        {alias: made[lead_id] for alias, lead_id in aliases.items()},
    )


async def test_interleaved_units_score_as_if_each_were_alone(database: Database) -> None:
    alone = [await new_unit(database, world) for world in (OURS, THEIRS)]
    for unit, seed in zip(alone, (1, 2), strict=True):
        await unit.score(*stream(seed), batch_size=20)
    together = [await new_unit(database, world) for world in (OURS, THEIRS)]
    for i in range(0, 150, 10):
        await asyncio.gather(
            *(unit.accept(*stream(seed)[i : i + 10]) for unit, seed in zip(together, (1, 2), strict=True))
        )
        if i % 30 == 0:
            await score_all(database, [7, 9])
    await score_all(database, [7, 9])
    for unit, same in zip(together, alone, strict=True):
        assert await all_of(unit) == await all_of(same)


async def test_rescoring_and_jobs_touch_their_own_unit_only(database: Database) -> None:
    ours, theirs = await new_unit(database, OURS), await new_unit(database, THEIRS)
    await ours.score(*stream(1))
    await theirs.score(*stream(2))
    before = await all_of(theirs)
    await database.pool.execute("UPDATE rules SET weight = 1 WHERE unit_id = $1", ours.unit_id)
    await rescore(database, ours.unit_id)
    await JOBS["purge-keys"].run(database, RECEIVED)
    assert await all_of(theirs) == before
    theirs_again = await theirs.accept(*stream(2))
    assert all(getattr(result, "duplicate", False) for result in theirs_again)
