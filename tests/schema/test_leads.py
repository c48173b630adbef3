"""Leads through GraphQL: pages, filters, orders, levels, and how many queries they take."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.store import lead_state
from leadvibe.store.config_tables import Ruleset
from leadvibe.store.database import Database
from leadvibe.store.tables import Lead
from tests.schema.conftest import Server

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PAGE = """query ($first: Int!, $after: String, $filter: LeadFilter, $orderBy: LeadOrder! = SCORE) {
    leads(first: $first, after: $after, filter: $filter, orderBy: $orderBy) {
        totalCount
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
        edges { cursor node { leadId score } }
    }
}"""


@pytest.fixture
async def leads(database: Database, acme: Bootstrapped) -> list[str]:
    """30 leads, best first: lead n has 90 − 3n points and was seen n minutes ago; lead 30 was merged away."""
    async with database.session() as session, session.begin():
        session.add(
            Ruleset(ruleset_id="rs_1", unit_id=acme.unit_id, org_id=acme.org_id, name="Default", is_primary=True)
        )
        for n in range(31):
            session.add(
                Lead(
                    unit_id=acme.unit_id,
                    lead_id=f"ld_{n:02}",
                    score=90 - 3 * n,
                    scores={"rs_1": 90 - 3 * n, "rs_gone": 1},
                    last_event_at=NOW - timedelta(minutes=n),
                    last_event_type="page_view" if n % 2 else "signup",
                    created_at=NOW - timedelta(days=n),
                    lead_metadata={"n": n},
                    merged_into="ld_00" if n == 30 else None,
                )
            )
    await database.pool.execute("UPDATE lanes SET lead_count = 30 WHERE unit_id = $1", acme.unit_id)
    return [f"ld_{n:02}" for n in range(30)]


async def _page(server: Server, acme: Bootstrapped, **variables: Any) -> dict[str, Any]:
    answer = await server.ask(PAGE, {"first": 50} | variables, as_=acme)
    assert "errors" not in answer, answer
    return answer["data"]["leads"]


def _ids(page: dict[str, Any]) -> list[str]:
    return [edge["node"]["leadId"] for edge in page["edges"]]


async def test_pages_follow_one_another_without_gap(server: Server, acme: Bootstrapped, leads: list[str]) -> None:
    seen: list[str] = []
    after = None
    for expected in (7, 7, 7, 7, 2):
        page = await _page(server, acme, first=7, after=after)
        info = page["pageInfo"]
        assert (len(page["edges"]), page["totalCount"]) == (expected, 30)
        assert info["hasPreviousPage"] == (after is not None)
        assert info["hasNextPage"] == (expected == 7)
        assert (info["startCursor"], info["endCursor"]) == (page["edges"][0]["cursor"], page["edges"][-1]["cursor"])
        seen += _ids(page)
        after = info["endCursor"]
    assert seen == leads


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"minScore": 81, "maxScore": 84}, ["ld_02", "ld_03"]),
        ({"eventType": "signup", "maxScore": 10}, ["ld_28"]),
        ({"createdFrom": "2026-02-27T12:00:00Z", "createdTo": "2026-03-01T12:00:00Z"}, ["ld_01", "ld_02"]),
        ({"activeSince": "2026-03-01T11:59:00Z"}, ["ld_00", "ld_01"]),
        ({"leadIds": ["ld_05", "ld_none", "ld_30"]}, ["ld_05"]),
        ({"leadIds": []}, []),
    ],
)
async def test_a_filter_narrows_the_list(
    server: Server, acme: Bootstrapped, leads: list[str], wanted: dict[str, Any], expected: list[str]
) -> None:
    page = await _page(server, acme, filter=wanted)
    assert (_ids(page), page["totalCount"]) == (expected, len(expected))


async def test_the_order_can_be_chosen(server: Server, acme: Bootstrapped, leads: list[str]) -> None:
    for order in ("SCORE", "LAST_EVENT", "CREATED"):
        first = await _page(server, acme, first=10, orderBy=order)
        rest = await _page(server, acme, after=first["pageInfo"]["endCursor"], orderBy=order)
        assert _ids(first) + _ids(rest) == leads


@pytest.mark.parametrize("first", [0, -1, 501])
async def test_a_page_has_at_most_500_nodes(server: Server, acme: Bootstrapped, first: int) -> None:
    answer = await server.ask(PAGE, {"first": first}, as_=acme)
    assert answer["errors"][0]["extensions"] == {
        "code": "invalid_request",
        "details": [{"field": "first", "message": "must be 1 to 500"}],
    }


@pytest.mark.parametrize("after", ["", "x", "é", "bnVsbA", "W10"])
async def test_a_cursor_of_no_list_is_refused(server: Server, acme: Bootstrapped, after: str) -> None:
    answer = await server.ask(PAGE, {"first": 5, "after": after}, as_=acme)
    assert answer["errors"][0]["extensions"]["code"] == "invalid_request"


async def test_one_lead_comes_with_its_level_and_scores(server: Server, acme: Bootstrapped, leads: list[str]) -> None:
    answer = await server.ask(
        """{ lead(id: "ld_10") {
            leadId score rulesetId engagementLevel engagementScores { rulesetId rulesetName score }
            metadata lastEventAt lastEventType accountId mergedInto
        } }""",
        as_=acme,
    )
    assert answer["data"]["lead"] == {
        "leadId": "ld_10",
        "score": 60,
        "rulesetId": "rs_1",
        "engagementLevel": "Hot",
        "engagementScores": [{"rulesetId": "rs_1", "rulesetName": "Default", "score": 60}],
        "metadata": {"n": 10},
        "lastEventAt": "2026-03-01T11:50:00Z",
        "lastEventType": "signup",
        "accountId": None,
        "mergedInto": None,
    }


async def test_an_unknown_and_a_foreign_lead_look_the_same(
    server: Server, acme: Bootstrapped, rival: Bootstrapped, leads: list[str]
) -> None:
    for sender, lead_id in ((acme, "ld_none"), (rival, "ld_10")):
        answer = await server.ask("query ($id: ID!) { lead(id: $id) { score } }", {"id": lead_id}, as_=sender)
        assert answer["data"] == {"lead": None}
        assert answer["errors"][0]["extensions"]["code"] == "not_found"
    assert (await server.ask("{ leads { totalCount } }", as_=rival))["data"] == {"leads": {"totalCount": 0}}


async def test_leads_are_found_by_id_and_alias(
    server: Server, acme: Bootstrapped, leads: list[str], database: Database
) -> None:
    async with database.pool.acquire() as connection:
        alias = {("email", "ada@x.example"): ("Ada@x.example", "ld_07")}
        await lead_state.save_aliases(connection, acme.unit_id, alias, datetime.now(UTC))
    search = "query ($q: String!) { searchLeads(q: $q) { id matchType bestAlias engagementLevel } }"
    found = (await server.ask(search, {"q": "ada@"}, as_=acme))["data"]["searchLeads"]
    assert found == [{"id": "ld_07", "matchType": "ALIAS", "bestAlias": "Ada@x.example", "engagementLevel": "Hot"}]
    found = (await server.ask(search, {"q": "ld_0"}, as_=acme))["data"]["searchLeads"]
    assert len(found) == 10


async def test_the_number_of_queries_does_not_grow_with_the_page(
    server: Server, acme: Bootstrapped, leads: list[str]
) -> None:
    query = """query ($first: Int!) {
        leads(first: $first) { nodes { leadId engagementLevel rulesetId engagementScores { rulesetName score } } }
    }"""
    statements: list[str] = []
    engine = server.app.state.services.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    counts = []
    for first in (1, 30):
        statements.clear()
        answer = await server.ask(query, {"first": first}, as_=acme)
        assert len(answer["data"]["leads"]["nodes"]) == first
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 6, statements
