"""Accounts through GraphQL: the connection, one account, deletion, keys of metadata."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.store.database import Database
from leadvibe.store.tables import Account, Lead, Organisation
from tests.schema.conftest import Server

LIST = """query ($after: String, $filter: AccountFilter) {
  accounts(first: 2, after: $after, filter: $filter) {
    nodes { accountId name engagement { leadsCount topScore intentLevel ownerName surging } accountScore accountLevel }
    pageInfo { hasNextPage endCursor } totalCount
  }
}"""


@pytest.fixture
async def abm(database: Database, acme: Bootstrapped) -> Bootstrapped:
    """Four accounts, whose best leads have 70, 30, 30 and no points."""
    async with database.session() as session, session.begin():
        organisation = await session.get(Organisation, acme.org_id)
        assert organisation is not None
        organisation.abm_enabled = True
        for n, (name, score) in enumerate((("Acme", 70), ("beta", 30), ("Able", 30), ("Calm", None))):
            key = {"unit_id": acme.unit_id, "account_id": f"acct_{n}"}
            session.add(
                Account(**key, org_id=acme.org_id, name=name, domain=f"{name}.com".lower(), account_metadata={name: 1})
            )
            if score is not None:
                session.add(Lead(**key, lead_id=f"ld_{n}", score=score, owner_name="Jane", lead_metadata={"role": n}))
    return acme


async def test_the_connection_pages_by_cursor(server: Server, abm: Bootstrapped) -> None:
    seen, after = [], None
    for _ in range(2):
        page = (await server.ask(LIST, {"after": after}, as_=abm))["data"]["accounts"]
        seen += page["nodes"]
        after = page["pageInfo"]["endCursor"]
    assert [node["name"] for node in seen] == ["Acme", "Able", "beta", "Calm"]
    assert (page["totalCount"], page["pageInfo"]["hasNextPage"]) == (4, False)
    assert seen[0] == {
        "accountId": "acct_0",
        "name": "Acme",
        "engagement": {
            "leadsCount": 1,
            "topScore": 70,
            "intentLevel": "HIGH",
            "ownerName": "Jane",
            "surging": False,
        },
        "accountScore": 0,
        "accountLevel": None,
    }
    filtered = await server.ask(LIST, {"filter": {"intentLevel": "MEDIUM", "search": "B"}}, as_=abm)
    assert [node["name"] for node in filtered["data"]["accounts"]["nodes"]] == ["Able", "beta"]
    for cursor in ("x", "WzFd"):
        (error,) = (await server.ask(LIST, {"after": cursor}, as_=abm))["errors"]
        assert error["extensions"]["code"] == "invalid_request"


async def test_an_account_surges_with_a_trigger_that_was_set_off(
    server: Server, abm: Bootstrapped, database: Database
) -> None:
    for lead_id, hours in (("ld_0", 23), ("ld_1", 25)):
        await database.pool.execute(
            """
            INSERT INTO surge_events (unit_id, surge_event_id, seq, trigger_id, lead_id, event_count, window_seconds,
                                      detected_at, snapshot)
            VALUES ($1, $2, 1, 'sg', $2, 5, 60, $3, '{}')
            """,
            abm.unit_id,
            lead_id,
            datetime.now(UTC) - timedelta(hours=hours),
        )
    nodes = (await server.ask(LIST, as_=abm))["data"]["accounts"]["nodes"]
    assert [node["engagement"]["surging"] for node in nodes] == [True, False]


async def test_an_account_with_its_leads(server: Server, abm: Bootstrapped) -> None:
    query = '{ account(id: "acme.com") { account { name metadata } leads { leadId score } recentEvents { eventId } } }'
    assert (await server.ask(query, as_=abm))["data"]["account"] == {
        "account": {"name": "Acme", "metadata": {"Acme": 1}},
        "leads": [{"leadId": "ld_0", "score": 70}],
        "recentEvents": [],
    }
    answer = await server.ask('{ account(id: "nobody") { account { name } } }', as_=abm)
    assert (answer["data"], answer["errors"][0]["extensions"]["code"]) == ({"account": None}, "not_found")


async def test_deletion_and_keys(server: Server, abm: Bootstrapped) -> None:
    mutation = 'mutation { deleteAccounts(ids: ["acct_0", "acct_3", "x"]) { unlinkedLeads deletedAccounts } }'
    done = (await server.ask(mutation, as_=abm))["data"]["deleteAccounts"]
    assert done == {"unlinkedLeads": 1, "deletedAccounts": 2}
    keys = (await server.ask("{ accountMetadataProperties leadMetadataProperties }", as_=abm))["data"]
    assert keys == {"accountMetadataProperties": ["Able", "beta"], "leadMetadataProperties": ["role"]}


async def test_accounts_are_closed_while_abm_is_off(server: Server, rival: Bootstrapped) -> None:
    for operation in (
        "{ accounts { totalCount } }",
        '{ account(id: "a") { account { name } } }',
        "{ accountMetadataProperties }",
        'mutation { deleteAccounts(ids: ["a"]) { deletedAccounts } }',
    ):
        (error,) = (await server.ask(operation, as_=rival))["errors"]
        assert error["extensions"]["code"] == "abm_disabled"
