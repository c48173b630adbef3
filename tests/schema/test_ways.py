"""From whatever names a thing by its id to the thing itself."""

from __future__ import annotations

from typing import Any

import pytest

from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.store.database import Database
from tests.pipeline.units import Unit, body
from tests.schema.conftest import Server, bearer

Made = dict[str, Any]

MAKE = """mutation {
    abm: updateScoringSettings(input: {abmEnabled: true, surgeTriggersEnabled: true}) { abmEnabled }
    ruleset: createRuleset(input: {name: "Fit"}) { rulesetId }
    first: createRule(input: {eventType: "view", weight: 5}) { ruleId }
    second: createRule(input: {eventType: "click", weight: 7}) { ruleId ruleset { name rules { ruleId } } }
    empty: createRuleset(input: {name: "Other"}) { rulesetId rules { ruleId } }
    profile: createProfileRuleset(input: {name: "Profile"}) { id rules { id } }
    account: createAccountRuleset(input: {name: "Account"}) { id }
    milestone: createMilestoneTrigger(input: {eventType: "*", scoreThreshold: 5}) { triggerId }
    sequence: createSequence(input: {
        eventTypes: ["view", "click"], windowSeconds: 600, windowUnit: MINUTES, webhookUrl: "", slackTargetId: "C1"
    }) { triggerId }
    pattern: createPatternTrigger(input: {conditions: [{eventType: "view", minCount: 2}]}) { triggerId }
    surge: createSurgeTrigger(input: {
        eventType: "view", thresholdCount: 2, windowSeconds: 600, emails: ["a@x.example"]
    }) { triggerId }
    segment: createSegment(input: {name: "All"}) { segmentId rules { ruleId } }
}"""


async def ask(server: Server, who: Bootstrapped, query: str, **variables: Any) -> Any:
    answer = await server.ask(query, variables, as_=who)
    assert "errors" not in answer, answer
    return answer["data"]


@pytest.fixture
async def made(server: Server, acme: Bootstrapped) -> Made:
    return dict(await ask(server, acme, MAKE))


@pytest.fixture
async def scored(made: Made, database: Database, acme: Bootstrapped) -> Made:
    """The same, and a lead that set all triggers off."""
    await Unit(database, acme.unit_id).score(body("view"), body("view"), body("click"))
    return made


async def test_rulesets_lead_to_their_rules_and_back(server: Server, acme: Bootstrapped, made: Made) -> None:
    ids = [made[name]["ruleId"] for name in ("first", "second")]
    # A mutation sees what those before it in the same operation have made.
    assert {each["ruleId"] for each in made["second"]["ruleset"]["rules"]} == set(ids)
    found = await ask(server, acme, "{ rulesets { name rules { ruleId ruleset { name } } } }")
    fit, other = sorted(found["rulesets"], key=lambda each: str(each["name"]))
    assert {each["ruleId"] for each in fit["rules"]} == set(ids) and other["rules"] == []
    assert {each["ruleset"]["name"] for each in fit["rules"]} == {"Fit"}


@pytest.mark.parametrize("kind", ["profile", "account"])
async def test_fit_rulesets_lead_to_their_rules_and_back(
    server: Server, acme: Bootstrapped, made: Made, kind: str
) -> None:
    query = f"""mutation ($id: ID!, $input: {kind.title()}RuleInput!) {{
        create{kind.title()}Rule(rulesetId: $id, input: $input) {{ ruleset {{ id rules {{ id ruleset {{ name }} }} }} }}
    }}"""
    rule = {f"{kind}Property": "plan", "condition": "EQUALS", "comparisonValue": "pro", "weight": 3}
    answer = await ask(server, acme, query, id=made[kind]["id"], input=rule)
    ((made_rule),) = answer.values()
    assert made_rule["ruleset"]["id"] == made[kind]["id"]
    assert [each["ruleset"]["name"] for each in made_rule["ruleset"]["rules"]] == [kind.title()]


async def test_segments_lead_to_their_rules_and_back(server: Server, acme: Bootstrapped, made: Made) -> None:
    query = """mutation ($id: ID!, $input: SegmentRuleInput!) {
        createSegmentRule(segmentId: $id, input: $input) { segment { segmentId rules { fieldName segment { name } } } }
    }"""
    rule = {"ruleType": "LEAD_METADATA", "fieldName": "plan", "operator": "exists"}
    answer = await ask(server, acme, query, id=made["segment"]["segmentId"], input=rule)
    assert answer["createSegmentRule"]["segment"] == {
        "segmentId": made["segment"]["segmentId"],
        "rules": [{"fieldName": "plan", "segment": {"name": "All"}}],
    }


async def test_what_names_a_lead_leads_to_it(server: Server, acme: Bootstrapped, scored: Made) -> None:
    query = """query ($milestone: ID!) {
        searchLeads(q: "ld_1") { lead { leadId ruleset { name } } }
        leadScores(leadIds: ["ld_1", "nobody"]) { score lead { leadId } }
        scoreHistory(leadId: "ld_1") { lead { leadId } }
        leadActivity(leadId: "ld_1", filter: {range: ALL}) { events { lead { leadId } } }
        mergePreview(input: {targetLeadId: "ld_1", sourceLeadIds: ["ld_2"]}) {
            target { leadId } sources { leadId } sourceScores { lead { leadId } }
        }
        simulateMilestoneTrigger(id: $milestone, days: 3000) { leads { leadId } }
    }"""
    await ask(server, acme, 'mutation { createLead(input: {id: "ld_2"}) { leadId } }')
    found = await ask(server, acme, query, milestone=scored["milestone"]["triggerId"])
    lead, other = {"leadId": "ld_1"}, {"leadId": "ld_2"}
    assert found["searchLeads"] == [{"lead": lead | {"ruleset": {"name": "Fit"}}}]
    assert [each["lead"] for each in found["leadScores"]] == [lead, None]
    assert found["scoreHistory"]["lead"] == lead
    assert found["leadActivity"]["events"] == [{"lead": lead}] * 3
    assert found["mergePreview"] == {"target": lead, "sources": [other], "sourceScores": [{"lead": other}]}
    assert found["simulateMilestoneTrigger"]["leads"] == [lead]


async def test_a_firing_leads_to_its_trigger_and_its_event(server: Server, acme: Bootstrapped, scored: Made) -> None:
    query = """{ firings { nodes { type trigger {
        ... on MilestoneTrigger { triggerId } ... on SequenceTrigger { triggerId } ... on PatternTrigger { triggerId }
    } eventId event { eventId eventType } } } }"""
    firings = (await ask(server, acme, query))["firings"]["nodes"]
    assert {each["type"]: each["trigger"]["triggerId"] for each in firings} == {
        name.upper(): scored[name]["triggerId"] for name in ("milestone", "sequence", "pattern")
    }
    assert all(each["event"]["eventId"] == each["eventId"] for each in firings)
    await ask(server, acme, "mutation ($id: ID!) { deletePatternTrigger(id: $id) }", id=scored["pattern"]["triggerId"])
    rest = (await ask(server, acme, "{ firings(type: PATTERN) { nodes { trigger { nodeId } } } }"))["firings"]["nodes"]
    assert rest == [{"trigger": None}]


async def test_a_surge_leads_to_its_trigger(server: Server, acme: Bootstrapped, scored: Made) -> None:
    found = await ask(server, acme, "{ surgeEvents { nodes { trigger { thresholdCount } } } }")
    assert found["surgeEvents"]["nodes"] == [{"trigger": {"thresholdCount": 2}}]
    async with server.socket(bearer(acme)) as socket:
        await socket.receive()
        await socket.begin('subscription { surgeDetected(after: "0:1") { trigger { thresholdCount } } }')
        assert await socket.next() == {"surgeDetected": {"trigger": {"thresholdCount": 2}}}


async def test_an_explanation_leads_to_its_rules(server: Server, acme: Bootstrapped, scored: Made) -> None:
    query = """query ($event: ID!) {
        eventScoreExplain(eventId: $event) { rulesets { rule { weight } } }
        scoreExplanation(leadId: "ld_1", hours: 20000) { topDrivers { rule { weight } } }
    }"""
    events = (await ask(server, acme, '{ events(filter: {eventType: "click"}) { nodes { eventId } } }'))["events"]
    found = await ask(server, acme, query, event=events["nodes"][0]["eventId"])
    assert found["eventScoreExplain"]["rulesets"] == [{"rule": {"weight": 7}}]
    assert [each["rule"]["weight"] for each in found["scoreExplanation"]["topDrivers"]] == [5, 7]


async def test_a_preview_leads_to_the_milestones_that_leads_would_cross(
    server: Server, acme: Bootstrapped, scored: Made
) -> None:
    change = """mutation ($rule: ID!) {
        createMilestoneTrigger(input: {eventType: "*", scoreThreshold: 50}) { triggerId }
        updateRule(id: $rule, input: {weight: 50}) { weight }
    }"""
    await ask(server, acme, change, rule=scored["first"]["ruleId"])
    preview = await ask(server, acme, "{ rescorePreview { milestoneTriggers { trigger { scoreThreshold } } } }")
    assert preview["rescorePreview"]["milestoneTriggers"] == [{"trigger": {"scoreThreshold": 50}}]


async def test_a_delivery_leads_to_its_firing(
    server: Server, acme: Bootstrapped, scored: Made, database: Database
) -> None:
    # The surge is told by e-mail.
    query = "{ deliveries(channel: EMAIL) { nodes { firing { id type lead { leadId } } } } }"
    assert (await ask(server, acme, query))["deliveries"]["nodes"] == [{"firing": None}]
    firing_id = await database.pool.fetchval(
        "SELECT firing_id FROM trigger_firings WHERE unit_id = $1 AND kind = 'milestone'", acme.unit_id
    )
    await database.pool.execute("UPDATE deliveries SET firing_id = $2 WHERE unit_id = $1", acme.unit_id, firing_id)
    firing = {"id": firing_id, "type": "MILESTONE", "lead": {"leadId": "ld_1"}}
    assert (await ask(server, acme, query))["deliveries"]["nodes"] == [{"firing": firing}]
