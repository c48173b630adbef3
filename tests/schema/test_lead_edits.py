"""Leads that are created, replaced and patched through GraphQL, with their aliases and accounts."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.store.config_tables import Ruleset
from leadvibe.store.database import Database
from leadvibe.store.tables import Account, Lead, LeadAlias
from tests.schema.conftest import Server

CREATE = "mutation ($input: LeadInput!) { createLead(input: $input) { leadId metadata accountId profile } }"
REPLACE = """mutation ($id: ID!, $input: LeadReplacementInput!) {
    replaceLead(id: $id, input: $input) { metadata accountId account { name metadata } }
}"""
PATCH = 'mutation ($metadata: JSON!) { patchLeadMetadata(id: "ld_1", input: {metadata: $metadata}) { metadata } }'
SCORES = """query ($ids: [ID!]!, $ruleset: String! = "primary") {
    leadScores(leadIds: $ids, ruleset: $ruleset) { leadId score }
}"""


@pytest.fixture
async def account(database: Database, acme: Bootstrapped) -> str:
    async with database.session() as session, session.begin():
        session.add(
            Account(
                unit_id=acme.unit_id, account_id="acct_1", org_id=acme.org_id, name="Acme", account_metadata={"n": 1}
            )
        )
    return "acct_1"


async def ask(server: Server, acme: Bootstrapped, query: str, **variables: Any) -> Any:
    answer = await server.ask(query, variables, as_=acme)
    assert "errors" not in answer, answer
    (value,) = answer["data"].values()
    return value


async def refusal(server: Server, acme: Bootstrapped, query: str, **variables: Any) -> str:
    answer = await server.ask(query, variables, as_=acme)
    assert list(answer["data"].values()) == [None]
    return answer["errors"][0]["extensions"]["code"]


async def test_a_lead_is_created_replaced_and_patched(server: Server, acme: Bootstrapped, account: str) -> None:
    made = await ask(server, acme, CREATE, input={"id": "ld_1", "metadata": {"a": 1, "b": 2}})
    assert made == {"leadId": "ld_1", "metadata": {"a": 1, "b": 2}, "accountId": None, "profile": {"a": 1, "b": 2}}
    replaced = await ask(server, acme, REPLACE, id="ld_1", input={"accountId": account})
    assert replaced == {
        "metadata": {"a": 1, "b": 2},
        "accountId": account,
        "account": {"name": "Acme", "metadata": {"n": 1}},
    }
    assert (await ask(server, acme, REPLACE, id="ld_1", input={"accountId": None}))["account"] is None
    assert (await ask(server, acme, REPLACE, id="ld_1", input={"metadata": {"c": 3}}))["metadata"] == {"c": 3}
    assert await ask(server, acme, PATCH, metadata={"c": None, "d": [1]}) == {"metadata": {"d": [1]}}


async def test_what_cannot_be_written_says_why(server: Server, acme: Bootstrapped, account: str) -> None:
    await ask(server, acme, CREATE, input={"id": "ld_1"})
    assert await refusal(server, acme, CREATE, input={"id": "ld_1"}) == "lead_exists"
    assert await refusal(server, acme, CREATE, input={"id": ""}) == "invalid_request"
    assert await refusal(server, acme, CREATE, input={"id": "a\0"}) == "invalid_request"
    assert await refusal(server, acme, CREATE, input={"id": "ld_2", "accountId": "none"}) == "not_found"
    assert await refusal(server, acme, REPLACE, id="ld_2", input={}) == "not_found"
    assert await refusal(server, acme, REPLACE, id="a\0", input={}) == "invalid_request"
    assert await refusal(server, acme, REPLACE, id="ld_1", input={"metadata": None}) == "invalid_request"
    assert await refusal(server, acme, PATCH, metadata={"a": "x" * 102_400}) == "payload_too_large"


async def test_scores_of_several_leads(server: Server, acme: Bootstrapped, database: Database) -> None:
    async with database.session() as session, session.begin():
        session.add(Ruleset(ruleset_id="rs_1", unit_id=acme.unit_id, org_id=acme.org_id, name="Fit", is_primary=True))
        session.add(Lead(unit_id=acme.unit_id, lead_id="ld_1", score=7, scores={"rs_1": 7}))
    expected = [{"leadId": "ld_0", "score": 0}, {"leadId": "ld_1", "score": 7}]
    for ruleset in ("primary", "rs_1", "Fit"):
        assert await ask(server, acme, SCORES, ids=["ld_0", "ld_1"], ruleset=ruleset) == expected
    for variables, code in (({"ids": []}, "invalid_request"), ({"ids": ["a"], "ruleset": "x"}, "not_found")):
        answer = await server.ask(SCORES, variables, as_=acme)
        assert answer["errors"][0]["extensions"]["code"] == code


async def test_aliases_and_accounts_of_a_page_take_one_query_each(
    server: Server, acme: Bootstrapped, account: str, database: Database
) -> None:
    async with database.session() as session, session.begin():
        for n in range(5):
            key = {"unit_id": acme.unit_id, "lead_id": f"ld_{n}"}
            session.add(Lead(**key, account_id=account if n else None))
            session.add(
                LeadAlias(**key, alias_kind="email", normal_value=f"{n}@x", raw_value=f"{n}@X", alias_id=f"a{n}")
            )
    seen: list[str] = []
    engine = server.app.state.services.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda c, cursor, statement, *_: seen.append(statement))
    page = await ask(server, acme, "{ leads { nodes { leadId aliases { id kind value } account { name } } } }")
    assert page["nodes"][0] == {
        "leadId": "ld_0",
        "aliases": [{"id": "a0", "kind": "EMAIL", "value": "0@X"}],
        "account": None,
    }
    assert [node["account"] for node in page["nodes"][1:]] == [{"name": "Acme"}] * 4
    assert sum("FROM lead_aliases" in statement for statement in seen) == 1
    assert sum("FROM accounts" in statement for statement in seen) == 1
