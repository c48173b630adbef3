"""Lists of large units: deep pages, totals, and search by any piece of an alias."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadvibe.store import event_queries, lead_queries, lead_state, metadata_lists, paging
from leadvibe.store.database import Database
from leadvibe.store.event_filter import EventFilter
from leadvibe.store.grams import fold
from leadvibe.store.lead_queries import LeadFilter, LeadOrder
from leadvibe.store.tables import Lane, Lead
from tests.pipeline.units import Unit, body, new_unit
from tests.scoring.streams import at, config, ruleset

NOW = datetime(2026, 3, 1, tzinfo=UTC)
UNIT = "unit_lists"


@pytest.fixture
async def leads(database: Database) -> list[str]:
    """A hundred leads with ties in score and time, some without events, some that lists do not show."""
    rows = [
        Lead(
            unit_id=UNIT,
            lead_id=f"ld_{n:03}",
            score=n % 7,
            last_event_at=None if n % 5 == 0 else NOW - timedelta(hours=n % 11),
            last_event_type=("view", "click")[n % 2],
            created_at=NOW - timedelta(days=n % 13),
            merged_into="ld_001" if n % 17 == 3 else None,
            deleting=n % 19 == 5,
        )
        for n in range(100)
    ]
    shown = [row.lead_id for row in rows if row.merged_into is None and not row.deleting]
    async with database.session() as session, session.begin():
        session.add(Lane(unit_id=UNIT, lead_count=len(shown)))
        session.add_all(rows)
    return shown


@pytest.mark.parametrize("order", LeadOrder)
@pytest.mark.parametrize("wanted", [LeadFilter(), LeadFilter(min_score=2), LeadFilter(event_type="view")])
async def test_pages_by_number_make_up_the_whole_list(
    database: Database, leads: list[str], order: LeadOrder, wanted: LeadFilter
) -> None:
    async with database.session() as session:
        whole = await lead_queries.page(session, UNIT, wanted, order)
        pages = [await lead_queries.page(session, UNIT, wanted, order, 7, offset=n) for n in range(0, 105, 7)]
    ids = [row.lead_id for row in whole.rows]
    assert [row.lead_id for page in pages for row in page.rows] == ids
    assert {page.total for page in pages} == {len(ids)} == {whole.total}
    assert [page.has_next for page in pages] == [n + 7 < len(ids) for n in range(0, 105, 7)]
    if wanted == LeadFilter():
        assert sorted(ids) == leads


async def test_a_total_is_exact_up_to_a_bound_and_about_right_beyond(
    database: Database, leads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.pool.execute("ANALYZE leads")
    wanted = LeadFilter(min_score=2, created_from=NOW - timedelta(days=30))
    async with database.session() as session:
        exact = await lead_queries.count(session, UNIT, wanted)
        monkeypatch.setattr(paging, "MOST_COUNTED", 10)
        about = await lead_queries.count(session, UNIT, wanted)
    assert exact > 10
    assert exact / 2 < about < exact * 2


WORDS = st.text("abAB%_\\é.@", min_size=1, max_size=8)


@settings(max_examples=12)
@given(aliases=st.lists(WORDS, min_size=1, max_size=12, unique=True), q=st.text("abAB%_\\é.@", min_size=2, max_size=5))
async def test_a_search_finds_what_a_scan_finds(database: Database, aliases: list[str], q: str) -> None:
    unit_id = f"unit_{abs(hash((tuple(aliases), q)))}"
    async with database.session() as session, session.begin():
        await session.merge(Lane(unit_id=unit_id))
        for n in range(len(aliases)):
            await session.merge(Lead(unit_id=unit_id, lead_id=f"#{n}"))
    keys = {("social", alias): (alias, f"#{n}") for n, alias in enumerate(aliases)}
    async with database.pool.acquire() as connection:
        await lead_state.save_aliases(connection, unit_id, keys, NOW)
    async with database.session() as session:
        found = await lead_queries.search(session, unit_id, q, most=100)
    assert {match.lead_id for match in found} == {f"#{n}" for n, alias in enumerate(aliases) if fold(q) in fold(alias)}


async def test_a_search_sees_no_other_unit_and_no_lead_that_lists_hide(database: Database) -> None:
    async with database.session() as session, session.begin():
        for unit_id in ("unit_a", "unit_b"):
            session.add(Lane(unit_id=unit_id))
            session.add(Lead(unit_id=unit_id, lead_id=f"x_{unit_id}"))
        session.add(Lead(unit_id="unit_a", lead_id="x_gone", merged_into="x_unit_a"))
    async with database.pool.acquire() as connection:
        for unit_id in ("unit_a", "unit_b"):
            await lead_state.save_aliases(
                connection, unit_id, {("email", "jane@a.example"): ("Jane@A.example", f"x_{unit_id}")}, NOW
            )
        await lead_state.save_aliases(
            connection, "unit_a", {("email", "jane@b.example"): ("jane@b.example", "x_gone")}, NOW
        )
    async with database.session() as session:
        (match,) = await lead_queries.search(session, "unit_a", "ANE@", most=10)
    assert (match.lead_id, match.match_type, match.best_alias) == ("x_unit_a", "alias", "Jane@A.example")


@pytest.fixture
async def unit(database: Database) -> Unit:
    """Events of five days, of three types, one of which is hidden; some at the same moment."""
    unit = await new_unit(database, config(ruleset("rs_a", view=1)))
    bodies = [
        body(
            ("view", "click", "secret")[n % 3],
            f"ld_{n % 4}",
            -86_400.0 * (n % 5) - 3_600 * (n % 7),
            metadata={"path": f"/{n % 2}", "n": n},
        )
        for n in range(90)
    ]
    await unit.score(*bodies)
    await database.pool.execute("UPDATE event_types SET hidden = true WHERE name = 'secret'")
    return unit


@pytest.mark.parametrize(
    "wanted",
    [
        EventFilter(),
        EventFilter(event_type="view"),
        EventFilter(lead_id="ld_1"),
        EventFilter(occurred_from=at(-200_000), occurred_to=at(-40_000)),
        EventFilter(metadata=[("path", "/1")]),
        EventFilter(metadata=[("path", "/1"), ("n", "4")], logic="or"),
    ],
)
async def test_pages_of_events_by_number_make_up_the_whole_list(unit: Unit, wanted: EventFilter) -> None:
    async with unit.database.session() as session:
        whole = await event_queries.page(session, unit.unit_id, wanted, 1000)
        pages = [await event_queries.page(session, unit.unit_id, wanted, 7, offset=n) for n in range(0, 98, 7)]
    ids = [row.event_id for row in whole.rows]
    assert [row.event_id for page in pages for row in page.rows] == ids and 0 < len(ids) <= 60
    assert {page.total for page in pages} == {len(ids)} == {whole.total}


async def test_a_total_of_a_metadata_filter_is_never_less_than_what_its_pages_show(
    unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_queries, "_EVENTS_SAMPLED", 20)
    rare = EventFilter(metadata=[("n", "4"), ("n", "9"), ("n", "39")], logic="or")
    async with unit.database.session() as session:
        everything = await event_queries.page(session, unit.unit_id, rare, 50)
        monkeypatch.setattr(metadata_lists, "_MOST_LOOSE", 0)
        assert await event_queries.count(session, unit.unit_id, rare, ["secret"]) != len(everything.rows) == 3
        pages = [await event_queries.page(session, unit.unit_id, rare, 1, offset=n) for n in range(5)]
        behind = await event_queries.page(session, unit.unit_id, rare, 5, everything.cursors[0])
    assert (everything.total, len(behind.rows)) == (3, 2) and behind.total >= 2
    assert [len(page.rows) for page in pages] == [1, 1, 1, 0, 0]
    assert all(page.total >= n + 1 for n, page in enumerate(pages[:3])) and pages[2].total == 3


async def test_a_total_of_a_metadata_filter_is_told_from_the_newest_events(
    unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_queries, "_EVENTS_SAMPLED", 20)
    monkeypatch.setattr(event_queries, "_FEW_SAMPLED", 5)
    async with unit.database.session() as session:
        about = await event_queries.count(session, unit.unit_id, EventFilter(metadata=[("path", "/1")]), ["secret"])
    assert 15 <= about <= 45 and about % 3 == 0  # thirty of sixty; a third of them is looked at
