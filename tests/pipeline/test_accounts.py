"""Accounts in the worker: leads are linked, events bring properties along, rules score them."""

from __future__ import annotations

from typing import Any

import pytest

from leadvibe.scoring.free_mail import FREE_MAIL, company_domain
from leadvibe.scoring.model import UnitConfig
from leadvibe.scoring.surge import STANDARD
from leadvibe.store.config_tables import AccountMapping, AccountRule, AccountRuleset
from leadvibe.store.database import Database
from leadvibe.store.lanes import hold_lane
from leadvibe.store.tables import Account
from tests.pipeline.units import Unit, body, email, new_unit


async def abm(unit: Unit, on: bool = True) -> None:
    """Switches account-based scoring as PUT /settings/scoring does."""
    async with unit.database.session() as session, session.begin():
        await hold_lane(session, unit.unit_id)
    await unit.rows(
        f"""
        UPDATE organisations SET abm_enabled = {on}
        WHERE org_id = (SELECT org_id FROM org_units WHERE unit_id = $1)
        """
    )


async def add(unit: Unit, *rows: Any) -> None:
    async with unit.database.session() as session, session.begin():
        await hold_lane(session, unit.unit_id)
        session.add_all(rows)


@pytest.fixture
async def unit(database: Database) -> Unit:
    unit = await new_unit(database, UnitConfig((), {}, STANDARD))
    await abm(unit)
    return unit


async def links(unit: Unit) -> dict[str, str | None]:
    """The name of each lead's account."""
    rows = await unit.rows(
        """
        SELECT l.lead_id, a.name FROM leads l
        LEFT JOIN accounts a ON a.unit_id = l.unit_id AND a.account_id = l.account_id WHERE l.unit_id = $1
        """
    )
    return {row["lead_id"]: row["name"] for row in rows}


async def accounts(unit: Unit) -> dict[str, dict[str, Any]]:
    rows = await unit.rows("SELECT * FROM accounts WHERE unit_id = $1")
    return {row["account_id"]: dict(row) for row in rows}


async def test_people_with_addresses_of_a_company_become_its_leads(unit: Unit) -> None:
    await unit.score(
        body(lead="a", aliases=email("Ann@Acme.com")),
        body(lead="b", aliases=email("bob@acme.com"), metadata={"company": " Acme Corporation "}),
        body(lead="c", aliases=email("cy@rival.co.uk")),
        body(lead="d", aliases=email("dan@gmail.com")),
        body(lead="e"),
    )
    assert await links(unit) == {
        "a": "Acme Corporation",
        "b": "Acme Corporation",
        "c": "rival.co.uk",
        "d": None,
        "e": None,
    }
    assert {row["domain"] for row in (await accounts(unit)).values()} == {"acme.com", "rival.co.uk"}
    await unit.score(body(lead="f", aliases=email("fay@acme.com"), metadata={"company": "Other"}))
    assert (await links(unit))["f"] == "Acme Corporation", "a known account keeps its name"


async def test_an_account_that_an_event_names_comes_before_the_domain(unit: Unit) -> None:
    await add(unit, Account(unit_id=unit.unit_id, account_id="acct_1", org_id="org", name="Named", domain="named.com"))
    await unit.score(
        body(lead="a", aliases=email("ann@acme.com"), metadata={"accountId": "acct_1"}),
        body(lead="b", metadata={"account_id": "acct_1"}),
        body(lead="c", aliases=email("cy@acme.com"), metadata={"account_id": "acct_nobody", "accountId": 7}),
    )
    assert await links(unit) == {"a": "Named", "b": "Named", "c": "acme.com"}
    await unit.score(body(lead="a", metadata={"account_id": "acct_nobody"}, aliases=email("ann@other.com")))
    assert (await links(unit))["a"] == "Named", "a lead with an account keeps it"
    assert len(await accounts(unit)) == 2


async def test_accounts_of_another_unit_are_not_named(unit: Unit, database: Database) -> None:
    other = await new_unit(database, UnitConfig((), {}, STANDARD))
    await abm(other)
    await add(other, Account(unit_id=other.unit_id, account_id="acct_1", org_id="org", domain="acme.com"))
    await unit.score(body(lead="a", metadata={"account_id": "acct_1"}), body(lead="b", aliases=email("b@acme.com")))
    assert await links(unit) == {"a": None, "b": "acme.com"}


async def test_nothing_happens_while_account_based_scoring_is_off(unit: Unit) -> None:
    await abm(unit, on=False)
    await unit.score(body(lead="a", aliases=email("ann@acme.com")))
    assert (await links(unit), await accounts(unit)) == ({"a": None}, {})
    await abm(unit)
    await unit.score(body(lead="a", aliases=email("ann@acme.com")))
    assert await links(unit) == {"a": None}, "the address is not new"
    await unit.score(body(lead="a", aliases=email("ann@acme.de")))
    assert await links(unit) == {"a": "acme.de"}


async def test_suppressed_events_link_nobody(unit: Unit) -> None:
    await unit.rows(
        """
        INSERT INTO velocity_filters (unit_id, filter_id, org_id, event_type, count_threshold, time_window_ms,
                                      group_events, created_at, updated_at)
        VALUES ($1, 'fl', 'org', 'view', 1, 60000, false, '2025-01-01Z', '2025-01-01Z')
        """
    )
    await add(unit, Account(unit_id=unit.unit_id, account_id="acct_1", org_id="org", name="Named"))
    await unit.score(body(lead="a"), body(lead="a", second=1, metadata={"account_id": "acct_1"}))
    assert await links(unit) == {"a": None}


@pytest.mark.parametrize("batch_size", [1, 1000])
async def test_events_bring_properties_along_and_rules_score_them(unit: Unit, batch_size: int) -> None:
    common = {"unit_id": unit.unit_id, "org_id": "org"}
    await add(
        unit,
        AccountRuleset(**common, id="rs_1", name="Fit", is_primary=True),
        AccountRuleset(**common, id="rs_2", name="Size"),
        AccountRuleset(**common, id="rs_3", name="Off", enabled=False),
        AccountRule(
            **common, id="rl_1", ruleset_id="rs_1", account_property="industry", condition="equals",
            comparison_value="software", weight=30,
        ),
        AccountRule(
            **common, id="rl_2", ruleset_id="rs_2", account_property="employees", condition="gte",
            comparison_value="100", weight=20,
        ),
        AccountMapping(**common, id="am_1", source_field="branch", account_property="industry"),
        AccountMapping(
            **common, id="am_2", source_field="size", account_property="employees", update_behavior="set_once"
        ),
        AccountMapping(**common, id="am_3", source_field="plan", account_property="plan", update_behavior="append"),
    )  # fmt: skip
    await unit.score(
        body(lead="a", aliases=email("ann@acme.com"), metadata={"branch": "Retail", "size": 250, "plan": "Free"}),
        body(lead="b", aliases=email("bob@acme.com"), metadata={"branch": "Software", "size": 3}),
        body(lead="a", second=1, metadata={"plan": "Pro"}),
        body(lead="c", metadata={"branch": "Nobody's"}),
        body(lead="d", aliases=email("dan@empty.com")),
        batch_size=batch_size,
    )
    found = {row["domain"]: row for row in (await accounts(unit)).values()}
    acme, empty = found["acme.com"], found["empty.com"]
    assert acme["metadata"] == {"industry": "Software", "employees": 250, "plan": "Pro", "plan_list": ["Free", "Pro"]}
    assert (acme["account_score"], acme["account_scores"]) == (30, {"rs_1": 30, "rs_2": 20})
    assert (empty["metadata"], empty["account_scores"]) == ({}, {"rs_1": 0, "rs_2": 0})


def test_free_mail_says_nothing_of_a_company() -> None:
    assert company_domain("Jane@Acme.COM") == "acme.com"
    for address in (
        "jane@gmail.com",
        "jane@GMX.de",
        "jane",
        "@acme.com",
        "jane@acme",
        "jane@.com",
        "jane@acme.",
        "a@b c.d",
    ):
        assert company_domain(address) is None, address
    assert all(domain == domain.lower() and "." in domain for domain in FREE_MAIL)
