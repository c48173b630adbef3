"""However a stream is cut into batches and shared by workers, the scores and the log are the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from leadvibe.scoring.model import UnitConfig
from leadvibe.store.database import Database
from leadvibe.store.event_log import stored_scores
from tests.pipeline.units import Unit, body, email, new_unit, rescore, score_all
from tests.scoring.streams import configs, guarded, streams

Bodies = list[dict[str, Any]]

worlds = st.one_of(guarded(), configs())

few = settings(max_examples=15)

_leads = st.sampled_from(("a", "a", "a", "b", None, None))


@st.composite
def sendings(draw: st.DrawFn) -> Bodies:
    """A stream of events of several people, as clients send it."""
    bodies = []
    for event in draw(streams(fewest=5, most=40, types=("view", "click"))):
        lead, fresh = draw(_leads), f"{event.seq // 3}@x"  # new names turn up throughout
        aliases = draw(st.sampled_from([(fresh,), (fresh,), ("p@x",), (fresh, "p@x"), () if lead else (fresh,)]))
        second = (event.at - event.at.replace(hour=0, minute=0, second=0)).total_seconds()
        bodies.append(body(event.event_type, lead, second, aliases=email(*aliases), event_id=f"e{event.seq}"))
    return bodies


async def outcome(unit: Unit) -> tuple[Any, Any, Any]:
    """The log, the leads and the aliases, with the same names for people without a name of their own."""
    events, leads, aliases = await unit.events(), await unit.leads(), await unit.aliases()
    names: dict[str | None, str | None] = {lead_id: lead_id for lead_id in ("a", "b", None)}
    for event in events:
        names.setdefault(event["lead_id"], f"made by {event['event_id']}")
    return (
        [event | {"unit_id": None, "lead_id": names[event["lead_id"]]} for event in events],
        {names[lead_id]: lead | {"lead_id": None} for lead_id, lead in leads.items()},
        {alias: names[lead_id] for alias, lead_id in aliases.items()},
    )


@few
@given(worlds, sendings(), st.lists(st.integers(1, 12), min_size=1, max_size=3))
async def test_batches_and_workers_make_no_difference(
    database: Database, config: UnitConfig, bodies: Bodies, batch_sizes: Sequence[int]
) -> None:
    whole, cut = await new_unit(database, config), await new_unit(database, config)
    await whole.score(*bodies)
    await cut.accept(*bodies)
    await score_all(database, batch_sizes)
    assert await outcome(cut) == await outcome(whole)


@few
@given(worlds, sendings(), st.integers(1, 12))
async def test_a_replay_of_the_log_gives_the_stored_scores(
    database: Database, config: UnitConfig, bodies: Bodies, batch_size: int
) -> None:
    unit = await new_unit(database, config)
    await unit.score(*bodies, batch_size=batch_size)
    replays, leads = await unit.replayed(), await unit.leads()
    assert {lead_id: each.lead.scores for lead_id, each in replays.items()} == {
        lead_id: lead["scores"] for lead_id, lead in leads.items()
    }
    for event in await unit.events():
        mine = replays[event["lead_id"]]
        assert event["suppression_reason"] == mine.reasons.get(event["seq"])
        assert event["scores"] == stored_scores(mine.outcomes[event["seq"]].contributions)


@few
@given(worlds, sendings(), st.integers(1, 12))
async def test_rescoring_changes_nothing(
    database: Database, config: UnitConfig, bodies: Bodies, batch_size: int
) -> None:
    unit = await new_unit(database, config)
    await unit.score(*bodies, batch_size=batch_size)
    before = await outcome(unit)
    assert await rescore(database, unit.unit_id) == len(await unit.leads())
    assert await outcome(unit) == before


@few
@given(worlds, sendings(), st.data())
async def test_events_that_are_sent_again_change_nothing(
    database: Database, config: UnitConfig, bodies: Bodies, data: st.DataObject
) -> None:
    once, often = await new_unit(database, config), await new_unit(database, config)
    await once.score(*bodies)
    for i in range(0, len(bodies), 7):
        again = data.draw(st.lists(st.sampled_from(bodies[: i + 7]), max_size=5))
        await often.accept(*bodies[i : i + 7], *again)
        if data.draw(st.booleans()):
            await often.work()
    await often.work()
    assert await outcome(often) == await outcome(once)
