"""Merging leads: the target becomes what it would be had it received all events."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadvibe.pipeline.merging import Truncation, merge
from leadvibe.scoring.model import LEAD_MERGED, UnitConfig
from leadvibe.store.database import Database
from leadvibe.store.tables import Lead
from tests.pipeline.test_invariance import few, worlds
from tests.pipeline.units import Unit, body, email, new_unit, rescore, true_counts
from tests.scoring.streams import START, at, config, ruleset, streams

WORLD = config(ruleset("rs_a", view=10), ruleset("rs_b", click=2))


@pytest.fixture
async def unit(database: Database) -> Unit:
    return await new_unit(database, WORLD)


async def merged(unit: Unit, target: str, *sources: str, truncation: Truncation = Truncation()) -> Any:
    return await merge(unit.database, unit.unit_id, target, sources, truncation, "mem_1")


async def make_leads(unit: Unit, *lead_ids: str) -> None:
    async with unit.database.session() as session, session.begin():
        session.add_all(Lead(unit_id=unit.unit_id, lead_id=lead_id) for lead_id in lead_ids)
    await unit.database.pool.execute(
        "UPDATE lanes SET lead_count = lead_count + $2 WHERE unit_id = $1", unit.unit_id, len(lead_ids)
    )


@few
@given(worlds, streams(fewest=5, most=40), st.data())
async def test_a_merged_lead_equals_one_that_received_all_events(
    database: Database, config: UnitConfig, events: list[Any], data: st.DataObject
) -> None:
    """Also when events under the sources' names follow the merge."""
    one, several = await new_unit(database, config), await new_unit(database, config)
    await make_leads(several, "a", "b", "c")
    names = [data.draw(st.sampled_from("abc")) for _ in events]
    split = data.draw(st.integers(0, len(events)))

    def bodies(names: Sequence[str]) -> list[dict[str, Any]]:
        return [
            body(event.event_type, name, (event.at - START).total_seconds(), event_id=f"e{event.seq}")
            for event, name in zip(events, names, strict=True)
        ]

    await one.score(*bodies("a" * len(events)))
    await several.score(*bodies(names)[:split])
    done = await merged(several, "a", "b", "c")
    await several.score(*bodies(names)[split:])
    assert done.moved_events == sum(name != "a" for name in names[:split])
    assert await scoring_of(several) == await scoring_of(one)
    leads = await several.leads()
    assert leads["a"] == (await one.leads())["a"]
    assert leads["b"] | {"lead_id": None} == leads["c"] | {"lead_id": None}
    assert (leads["b"]["scores"], leads["b"]["session_count"], leads["b"]["last_event_at"]) == ({}, 0, None)
    await true_counts(several)
    before = await several.events(), leads
    await rescore(database, several.unit_id)
    assert (await several.events(), await several.leads()) == before, "live scores are those of a replay"


async def scoring_of(unit: Unit) -> list[Any]:
    """What became of each event, in the order of arrival, without the note of the merge."""
    return [
        (event["event_id"], event["lead_id"], event["suppression_reason"], event["observed"], event["scores"])
        for event in await unit.events()
        if event["event_type"] != LEAD_MERGED
    ]


async def test_aliases_orders_and_events_move(unit: Unit) -> None:
    await unit.score(
        body(lead="a", aliases=email("a@x")), body(lead="b", aliases=email("b@x")), body(lead="c", second=1)
    )
    for lead_id in "bc":
        await unit.database.pool.execute(
            """
            INSERT INTO orders (unit_id, id, order_id, lead_id, amount, currency, status, ordered_at, metadata)
            VALUES ($1, $2, $2, $2, 10, 'EUR', 'paid', $3, '{}')
            """,
            unit.unit_id,
            lead_id,
            at(0),
        )
        await unit.database.pool.execute(
            "INSERT INTO score_snapshots VALUES ($1, $2, 'rs_a', $3, 1)",
            unit.unit_id,
            lead_id,
            at(0),
        )
    await merged(unit, "a", "b")
    await merged(unit, "c", "a")
    assert await unit.aliases() == {"a@x": "c", "b@x": "c"}
    assert {row["lead_id"] for row in await unit.rows("SELECT lead_id FROM orders WHERE unit_id = $1")} == {"c"}
    snapshots = await unit.rows("SELECT lead_id FROM score_snapshots WHERE unit_id = $1")
    assert [row["lead_id"] for row in snapshots] == ["c"], "those of sources go"
    events = [event for event in await unit.events() if event["event_type"] != LEAD_MERGED]
    assert [(event["lead_id"], event["original_lead_id"]) for event in events] == [("c", "a"), ("c", "b"), ("c", None)]
    into = await unit.rows("SELECT lead_id, merged_into FROM leads WHERE unit_id = $1 ORDER BY lead_id")
    assert [tuple(row) for row in into] == [("a", "c"), ("b", "c"), ("c", None)], "the chain is short"
    assert (await unit.scores())["c"] == 30
    await true_counts(unit)


async def test_the_note_of_a_merge_counts_nowhere(unit: Unit) -> None:
    await unit.score(body(lead="a"), body(lead="b", second=1))
    done = await merged(unit, "a", "b")
    (*_, note) = await unit.events()
    assert (note["seq"], note["event_type"], note["lead_id"]) == (done.seq, LEAD_MERGED, "a")
    assert (note["channel"], note["observed"], note["scores"]) == ("system", True, None)
    assert note["metadata"] == {
        "channel": "system",
        "source_lead_ids": ["b"],
        "moved_events": 1,
        "truncated_events": 0,
        "merged_by": "mem_1",
    }
    lead = (await unit.leads())["a"]
    assert (lead["session_count"], lead["last_event_at"], lead["last_event_type"]) == (2, at(1), "view")
    await unit.score(body(lead="a", second=2))
    assert (await unit.events())[-1]["seq"] == done.seq + 1
    assert (await unit.leads())["a"]["session_count"] == 3


async def test_waiting_events_of_a_source_land_on_the_target(unit: Unit) -> None:
    await unit.score(body(lead="a"), body(lead="b", aliases=email("b@x")))
    await unit.accept(body(lead="b", second=1), body(lead=None, second=2, aliases=email("b@x")))
    await merged(unit, "a", "b")
    await unit.work()
    assert {event["lead_id"] for event in await unit.events()} == {"a"}
    await true_counts(unit)


@pytest.mark.parametrize(
    ("truncation", "kept"),
    [
        (Truncation(), [0, 1, 2, 3, 4]),
        (Truncation(keep_last=0), [0]),
        (Truncation(keep_last=1), [0, 4]),
        (Truncation(keep_last=3), [0, 2, 3, 4]),
        (Truncation(keep_last=4), [0, 1, 2, 3, 4]),
        (Truncation(keep_last=100), [0, 1, 2, 3, 4]),
        (Truncation(before=at(3)), [0, 3, 4]),
        (Truncation(before=at(9)), [0]),
        (Truncation(before=at(0)), [0, 1, 2, 3, 4]),
    ],
)
async def test_history_may_be_truncated(unit: Unit, truncation: Truncation, kept: list[int]) -> None:
    """The target's own events stay in any case; of events of one time, the last to arrive is the latest."""
    await unit.score(
        body(lead="a", event_id="0"),
        *(body(lead="b" if n % 2 else "c", second=n, event_id=str(n)) for n in (1, 3)),
        *(body(lead="c", second=n, event_id=str(n)) for n in (2, 4)),
    )
    done = await merged(unit, "a", "b", "c", truncation=truncation)
    left = sorted(int(event["event_id"]) for event in await unit.events() if event["event_type"] != LEAD_MERGED)
    assert left == kept
    assert (done.moved_events, done.truncated_events) == (len(kept) - 1, 5 - len(kept))
    await true_counts(unit)


async def test_what_the_target_lacks_comes_from_the_sources_in_their_order(unit: Unit) -> None:
    await make_leads(unit, "a", "b", "c")
    for lead_id, account, owner, metadata in (
        ("a", None, None, {"name": "A", "none": None}),
        ("b", None, "om_b", {"name": "B", "city": "Bonn", "none": 1}),
        ("c", "acct_c", "om_c", {"city": "Cork", "plan": "Pro"}),
    ):
        await unit.database.pool.execute(
            "UPDATE leads SET account_id = $3, owner_id = $4, owner_name = $4, metadata = $5 "
            "WHERE unit_id = $1 AND lead_id = $2",
            unit.unit_id,
            lead_id,
            account,
            owner,
            metadata,
        )
    await merged(unit, "a", "b", "c")
    (row,) = await unit.rows(
        "SELECT account_id, owner_id, owner_name, metadata FROM leads WHERE unit_id = $1 AND lead_id = 'a'"
    )
    assert tuple(row) == ("acct_c", "om_b", "om_b", {"name": "A", "none": None, "city": "Bonn", "plan": "Pro"})


async def test_scoring_goes_on_around_a_merge(unit: Unit) -> None:
    """Two workers, and the merge when its turn comes: no event is lost, and none is with a source."""
    await make_leads(unit, "a", "b")
    await unit.accept(*(body(lead="ab"[n % 2], second=n, event_id=str(n)) for n in range(300)))
    await asyncio.gather(unit.work(batch_size=7, workers=2), merged(unit, "a", "b"))
    events = [event for event in await unit.events() if event["event_type"] != LEAD_MERGED]
    assert [event["event_id"] for event in events] == [str(n) for n in range(300)]
    assert {event["lead_id"] for event in events} == {"a"}
    assert await unit.scores() == {"a": 3_000, "b": 0}
    await true_counts(unit)


async def test_large_leads_merge_in_one_go(unit: Unit) -> None:
    bodies = [body(lead="ab"[n % 2], second=n, event_id=str(n)) for n in range(4_000)]
    await unit.score(*bodies)
    done = await merged(unit, "a", "b")
    assert done.moved_events == 2_000
    replayed = (await unit.replayed())["a"]
    assert (await unit.leads())["a"]["scores"] == replayed.lead.scores
    await true_counts(unit)
