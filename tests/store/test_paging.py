"""Keyset pages: a walk sees every row once, in order, however many ties and nulls there are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadvibe.errors import ApiError
from leadvibe.ids import new_id
from leadvibe.store.database import Database
from leadvibe.store.lead_queries import LeadFilter, LeadOrder, page
from leadvibe.store.paging import decode_cursor, encode_cursor
from leadvibe.store.tables import Lane, Lead

START = datetime(2026, 1, 1, tzinfo=UTC)
EVERYONE = LeadFilter()
few = settings(max_examples=30)

# Few different values, so that most of them are shared.
_times = st.integers(0, 2).map(lambda n: START + timedelta(microseconds=n))
_people = st.lists(st.tuples(st.integers(-1, 1), st.none() | _times, _times), max_size=25)
People = list[tuple[int, datetime | None, datetime]]


async def new_leads(database: Database, people: People) -> str:
    """A unit with these leads: score, last event, creation."""
    unit_id = new_id("unit")
    rows = [
        Lead(unit_id=unit_id, lead_id=f"ld_{i:02}", score=score, last_event_at=last, created_at=created)
        for i, (score, last, created) in enumerate(people)
    ]
    async with database.session() as session, session.begin():
        session.add_all(rows)
        session.add(Lane(unit_id=unit_id, lead_count=len(rows)))
        session.add(Lead(unit_id=new_id("unit"), lead_id="ld_foreign"))
        session.add(Lead(unit_id=unit_id, lead_id="ld_merged", merged_into="ld_00"))
    return unit_id


def in_order(people: People, order: LeadOrder) -> list[str]:
    """The ids as they should come: descending, nulls last, ties by id."""

    def last(value: datetime | None) -> tuple[bool, float]:
        return value is None, 0.0 if value is None else -value.timestamp()

    def key(i: int) -> tuple[Any, ...]:
        score, event, created = people[i]
        match order:
            case LeadOrder.SCORE:
                return -score, last(event), i
            case LeadOrder.LAST_EVENT:
                return last(event), i
            case LeadOrder.CREATED:
                return -created.timestamp(), i

    return [f"ld_{i:02}" for i in sorted(range(len(people)), key=key)]


async def walk(database: Database, unit_id: str, order: LeadOrder, size: int) -> list[list[str]]:
    """The ids of every page, from the first to the one that says it is the last."""
    pages, after = [], None
    async with database.session() as session:
        while True:
            found = await page(session, unit_id, EVERYONE, order, size, after)
            pages.append([lead.lead_id for lead in found.rows])
            if not found.has_next:
                return pages
            after = found.cursors[-1]


@few
@given(_people, st.sampled_from(LeadOrder), st.integers(1, 7))
async def test_a_walk_sees_every_lead_once_and_in_order(
    database: Database, people: People, order: LeadOrder, size: int
) -> None:
    unit_id = await new_leads(database, people)
    pages = await walk(database, unit_id, order, size)
    assert [lead_id for each in pages for lead_id in each] == in_order(people, order)
    assert all(len(each) == size for each in pages[:-1])
    assert 0 < len(pages[-1]) <= size or people == []


@few
@given(_people.filter(bool), st.sampled_from(LeadOrder), st.data())
async def test_a_page_continues_behind_any_row(
    database: Database, people: People, order: LeadOrder, data: st.DataObject
) -> None:
    unit_id = await new_leads(database, people)
    at = data.draw(st.integers(0, len(people) - 1))
    async with database.session() as session:
        whole = await page(session, unit_id, EVERYONE, order)
        rest = await page(session, unit_id, EVERYONE, order, 100, whole.cursors[at])
    assert [lead.lead_id for lead in rest.rows] == in_order(people, order)[at + 1 :]
    assert (rest.total, rest.has_next) == (len(people), False)


async def test_a_lead_that_comes_in_during_a_walk_moves_no_other(database: Database) -> None:
    unit_id = await new_leads(database, [(1, START, START)] * 6)
    async with database.session() as session:
        first = await page(session, unit_id, EVERYONE, LeadOrder.SCORE, 3)
        session.add(Lead(unit_id=unit_id, lead_id="ld_new", score=9))
        await session.commit()
        second = await page(session, unit_id, EVERYONE, LeadOrder.SCORE, 3, first.cursors[-1])
    assert [lead.lead_id for lead in second.rows] == ["ld_03", "ld_04", "ld_05"]


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "nonsense",
        "AAAA",
        "é",
        encode_cursor([]),
        encode_cursor([1, "ld_1"]),
        encode_cursor([1, None, "ld_1", "more"]),
        encode_cursor(["1", None, "ld_1"]),
        encode_cursor([1, "yesterday", "ld_1"]),
        encode_cursor([1, 5, "ld_1"]),
        encode_cursor([1.5, None, "ld_1"]),
        encode_cursor([[1], None, "ld_1"]),
    ],
)
def test_a_cursor_of_another_make_is_400(cursor: str) -> None:
    with pytest.raises(ApiError) as caught:
        decode_cursor(cursor, LeadOrder.SCORE.keys)
    assert (caught.value.status, caught.value.details[0].field) == (400, "after")


def test_a_cursor_keeps_its_values() -> None:
    values = [7, START + timedelta(microseconds=1), 'ld_"1"']
    assert decode_cursor(encode_cursor(values), LeadOrder.SCORE.keys) == values
    assert decode_cursor(encode_cursor([7, None, "ld"]), LeadOrder.SCORE.keys) == [7, None, "ld"]


@pytest.mark.parametrize(
    "cursor",
    [
        encode_cursor([2**63, None, "ld_1"]),
        encode_cursor([True, None, "ld_1"]),
        encode_cursor([1, None, "a\0b"]),
        encode_cursor([1, "0001-01-01T00:00:00+14:00", "ld_1"]),
    ],
    ids=["number", "boolean", "text", "time"],
)
async def test_a_cursor_with_values_that_no_row_can_have_is_400(database: Database, cursor: str) -> None:
    unit_id = await new_leads(database, [(1, START, START)])
    async with database.session() as session:
        with pytest.raises(ApiError):
            await page(session, unit_id, EVERYONE, LeadOrder.SCORE, 3, cursor)
