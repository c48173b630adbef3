"""Rules, rulesets, filters and levels through GraphQL."""

from __future__ import annotations

from typing import Any

import pytest

from leadvibe.resolvers.bootstrap import Bootstrapped
from tests.schema.conftest import Server

CREATE_RULE = """mutation ($input: RuleInput!) {
    createRule(input: $input) { ruleId rulesetId eventType weight active startAt createdBy }
}"""


async def test_a_rule_is_made_changed_listed_and_removed(server: Server, acme: Bootstrapped) -> None:
    given = {"eventType": "page_view", "weight": 5, "startAt": "2026-03-01T12:00:00+01:00"}
    made = (await server.ask(CREATE_RULE, {"input": given}, as_=acme))["data"]["createRule"]
    assert made | given | {"startAt": "2026-03-01T11:00:00Z", "active": True} == made
    assert made["createdBy"] == acme.org_member_id

    change = (
        "mutation ($id: ID!) { updateRule(id: $id, input: {weight: -3, startAt: null}) { weight startAt eventType } }"
    )
    changed = await server.ask(change, {"id": made["ruleId"]}, as_=acme)
    assert changed["data"]["updateRule"] == {"weight": -3, "startAt": None, "eventType": "page_view"}

    listed = await server.ask(
        "query ($id: ID!) { rulesets { name isPrimary } rules(rulesetId: $id) { ruleId weight } }",
        {"id": made["rulesetId"]},
        as_=acme,
    )
    assert listed["data"] == {
        "rulesets": [{"name": "Default", "isPrimary": True}],
        "rules": [{"ruleId": made["ruleId"], "weight": -3}],
    }

    removed = await server.ask("mutation ($id: ID!) { deleteRule(id: $id) }", {"id": made["ruleId"]}, as_=acme)
    assert removed["data"]["deleteRule"] == made["ruleId"]
    assert (await server.ask("{ rules { ruleId } }", as_=acme))["data"]["rules"] == []


async def test_every_family_has_the_same_operations(server: Server, acme: Bootstrapped) -> None:
    answer = await server.ask(
        """mutation {
            createRuleset(input: {name: "Fit"}) { rulesetId active scoreColumn }
            createFilter(input: {eventType: "click", countThreshold: 3, timeWindowMs: 31622400000}) { timeWindowMs }
            createEngagementLevel(input: {name: "Frozen", minScore: -100, maxScore: -1}) { name maxScore }
        }""",
        as_=acme,
    )
    assert answer["data"]["createRuleset"]["active"] is True
    assert answer["data"]["createFilter"] == {"timeWindowMs": 31622400000}
    assert answer["data"]["createEngagementLevel"] == {"name": "Frozen", "maxScore": -1}
    levels = await server.ask("{ engagementLevels { name } filters { eventType } }", as_=acme)
    assert levels["data"]["engagementLevels"][0] == {"name": "Frozen"}
    assert levels["data"]["filters"] == [{"eventType": "click"}]


async def test_a_broken_constraint_is_told_by_field(server: Server, acme: Bootstrapped) -> None:
    answer = await server.ask(
        'mutation { createFilter(input: {eventType: "a", countThreshold: 0, timeWindowMs: 0}) { filterId } }', as_=acme
    )
    (error,) = answer["errors"]
    assert answer["data"] == {"createFilter": None}
    assert error["path"] == ["createFilter"]
    assert error["extensions"]["code"] == "invalid_request"
    assert {detail["field"] for detail in error["extensions"]["details"]} == {"countThreshold", "timeWindowMs"}


@pytest.mark.parametrize(
    ("name", "kind", "given", "field"),
    [
        ("createSegment", "SegmentInput", {"name": " "}, "name"),
        ("createRuleset", "RulesetInput", {"name": "\t"}, "name"),
        ("createRule", "RuleInput", {"eventType": "  ", "weight": 1}, "eventType"),
    ],
)
async def test_a_name_of_blanks_is_none(
    server: Server, acme: Bootstrapped, name: str, kind: str, given: dict[str, Any], field: str
) -> None:
    answer = await server.ask(f"mutation ($i: {kind}!) {{ {name}(input: $i) {{ unitId }} }}", {"i": given}, as_=acme)
    (error,) = answer["errors"]
    assert error["extensions"] == {
        "code": "invalid_request",
        "details": [{"field": field, "message": "must not be blank"}],
    }


async def test_a_rule_of_the_unit_s_own_making_is_told_by_its_code(server: Server, acme: Bootstrapped) -> None:
    rule = {"input": {"eventType": "page_view", "weight": 5}}
    await server.ask(CREATE_RULE, rule, as_=acme)
    answer = await server.ask(CREATE_RULE, rule, as_=acme)
    assert answer["errors"][0]["extensions"] == {"code": "rule_exists"}
    period = rule["input"] | {"eventType": "b", "startAt": "2026-03-02T00:00:00Z", "endAt": "2026-03-01T00:00:00Z"}
    answer = await server.ask(CREATE_RULE, {"input": period}, as_=acme)
    assert [detail["field"] for detail in answer["errors"][0]["extensions"]["details"]] == ["endAt"]


async def test_one_mutation_s_error_leaves_the_others_results(server: Server, acme: Bootstrapped) -> None:
    answer = await server.ask(
        """mutation {
            good: createRule(input: {eventType: "a", weight: 1}) { weight }
            bad: deleteRule(id: "rl_none")
        }""",
        as_=acme,
    )
    assert answer["data"] == {"good": {"weight": 1}, "bad": None}
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["not_found"]


async def test_another_organisation_s_rows_do_not_exist(
    server: Server, acme: Bootstrapped, rival: Bootstrapped
) -> None:
    made = await server.ask(CREATE_RULE, {"input": {"eventType": "a", "weight": 1}}, as_=acme)
    own = made["data"]["createRule"]
    asked = await server.ask("mutation ($id: ID!) { deleteRule(id: $id) }", {"id": own["ruleId"]}, as_=rival)
    assert asked["errors"][0]["extensions"]["code"] == "not_found"
    asked = await server.ask(
        "query ($id: ID!) { rules(rulesetId: $id) { ruleId } }", {"id": own["rulesetId"]}, as_=rival
    )
    assert asked["errors"][0]["extensions"]["code"] == "not_found"
    assert (await server.ask("{ rules { ruleId } }", as_=rival))["data"] == {"rules": []}
