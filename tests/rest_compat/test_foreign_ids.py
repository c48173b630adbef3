"""Every operation and field with the ids of another unit: it is as if they did not exist, and nothing changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import Response

from leadvibe.app import Application
from leadvibe.config import Settings
from leadvibe.ids import new_id
from leadvibe.resolvers.authentication import Authenticator, Credentials
from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.rest_compat.routes import ROUTES, document
from leadvibe.rest_compat.table import Route
from leadvibe.schema.context import GraphQLContext
from leadvibe.store.database import Database
from leadvibe.store.tables import Membership
from tests.http_server import serving
from tests.rest_compat.conftest import Scoring, add_unit, bearer, client, new_org
from tests.rest_compat.graphql_walk import Field, codes, fields
from tests.rest_compat.people import add_person
from tests.rest_compat.test_routes import BODIES
from tests.store.test_schema import TABLES, is_tenant

# Where one of each is made, and the name of its id.
MADE = {
    "ruleset": ("/rulesets", "ruleset_id"),
    "rule": ("/rules", "rule_id"),
    "filter": ("/filters", "filter_id"),
    "decay": ("/decays", "decay_id"),
    "surge_trigger": ("/surge-triggers", "trigger_id"),
    "profile_ruleset": ("/profile-scoring/rulesets", "id"),
    "account_ruleset": ("/account-scoring/rulesets", "id"),
    "profile_rule": ("/profile-scoring/rulesets/{id}/rules", "id"),
    "account_rule": ("/account-scoring/rulesets/{id}/rules", "id"),
    "profile_mapping": ("/profile-mappings", "id"),
    "account_mapping": ("/account-mappings", "id"),
    "engagement_level": ("/engagement-levels", "stage_id"),
    "profile_level": ("/profile-levels", "level_id"),
    "account_level": ("/account-levels", "level_id"),
    "milestone_trigger": ("/triggers", "trigger_id"),
    "sequence": ("/sequences", "trigger_id"),
    "pattern_trigger": ("/pattern-triggers", "trigger_id"),
    "segment": ("/segments", "segment_id"),
    "segment_rule": ("/segments/{id}/rules", "rule_id"),
    "secret": ("/secrets", "secret_id"),
    "token": ("/settings/tokens", "id"),
}
# What a parameter of a path stands for, by the place that its path begins with: the longest counts.
PLACES = {
    "/rulesets/{id}": "ruleset", "/rules/{id}": "rule", "/filters/{id}": "filter", "/decays/{id}": "decay",
    "/surge-triggers/{id}": "surge_trigger", "/profile-scoring/rulesets/{id}": "profile_ruleset",
    "/account-scoring/rulesets/{id}": "account_ruleset",
    "/profile-scoring/rulesets/{id}/rules/{ruleId}": "profile_rule",
    "/account-scoring/rulesets/{id}/rules/{ruleId}": "account_rule", "/profile-mappings/{id}": "profile_mapping",
    "/account-mappings/{id}": "account_mapping", "/engagement-levels/{id}": "engagement_level",
    "/profile-levels/{id}": "profile_level", "/account-levels/{id}": "account_level",
    "/triggers/{id}": "milestone_trigger", "/sequences/{id}": "sequence", "/pattern-triggers/{id}": "pattern_trigger",
    "/segments/{id}": "segment", "/segments/{id}/rules/{ruleId}": "segment_rule", "/secrets/{id}": "secret",
    "/settings/tokens/{id}": "token", "/members/{id}": "member", "/org-units/{id}": "unit",
    "/org-units/{id}/memberships/{memberId}": "member", "/accounts/{id}": "account", "/events/{leadID}": "lead",
    "/events/{eventID}": "event", "/lead/{leadID}": "lead", "/leads/{leadID}": "lead", "/score/{leadID}": "lead",
    "/event-types/{eventType}": "event_type", "/settings/ou/event-types/{eventType}": "event_type",
    "/api/v1/ou/{ouId}": "unit",
}  # fmt: skip
# Bodies that name something, and so are about it. {kind} stands for an id of that kind.
NAMING: dict[str, Any] = {
    "POST /leads/merge": {"targetLeadId": "{lead}", "sourceLeadIds": ["{other_lead}"]},
    "POST /leads/merge/preview": {"targetLeadId": "{lead}", "sourceLeadIds": ["{other_lead}"]},
    "POST /org-units/active": {"ouId": "{unit}"},
    "POST /rules": {"event_type": "page_view", "weight": 9, "ruleset_id": "{ruleset}"},
}
# These answer for what the caller has of the named, which is nothing.
ANSWER_EMPTY = {
    "DELETE /events/batch": {"ids": ["{event}"]},
    "DELETE /accounts/batch": {"ids": ["{account}"]},
    "POST /leads/scores": {"lead_ids": ["{lead}"]},
}
NOT_THERE = {"not_found", "not_a_member"}


@dataclass
class Closed:
    """A unit with one of each, and people who may do anything elsewhere."""

    app: Starlette
    http: httpx.AsyncClient
    unit: Bootstrapped
    ids: dict[str, str]
    others: dict[str, dict[str, str]]
    database: Database

    async def digest(self) -> dict[str, str]:
        """What every table has of the unit and of its organisation's people."""
        digests = {}
        for table in (table for table in TABLES if table.name != "audit_log"):
            own = "unit_id = $1" if "unit_id" in table.c else "org_id = $2" if "org_id" in table.c else "false"
            digests[table.name] = await self.database.pool.fetchval(
                f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table.name} t "
                f"WHERE {own} AND $1::text <> $2::text",
                self.unit.unit_id,
                self.unit.org_id,
            )
        assert any(digests[table.name] for table in TABLES if is_tenant(table) and table.name != "audit_log")
        return digests


@pytest.fixture(scope="module")
async def closed(
    database_url: str, database: Database, authenticator: Authenticator, scoring: Scoring
) -> AsyncIterator[Closed]:
    org, rival = await new_org(authenticator, "closed"), await new_org(authenticator, "rival")
    await database.pool.execute("UPDATE organisations SET abm_enabled = true")
    neighbour = await add_person(authenticator, org, "editor")
    unit_id = await add_unit(database, org, None)
    async with database.session() as session, session.begin():
        session.add(Membership(unit_id=unit_id, org_member_id=neighbour.org_member_id, role="Owner"))
    app = Application(Settings(database_url=database_url))
    async with serving(app) as url, client(url) as http:
        ids = await _one_of_each(http, bearer(org.token), scoring)
        ids |= {"unit": org.unit_id, "member": org.org_member_id}
        yield Closed(app, http, org, ids, {"neighbour": neighbour.headers, "rival": bearer(rival.token)}, database)


async def _one_of_each(http: httpx.AsyncClient, owner: dict[str, str], scoring: Scoring) -> dict[str, str]:
    lead, other = {"lead_id": new_id("ld")}, {"lead_id": new_id("ld")}
    event = {"event_type": "only_there", "event_id": new_id("ev"), "metadata": {"plan": "x"}}
    emails = [{"alias_kind": "email", "raw_value": "ada@closed.example"}]
    sent = await http.post(
        "/ingest", json=[event | lead | {"aliases": emails}, {"event_type": "b"} | other], headers=owner
    )
    assert sent.json()["accepted"] == 2
    await scoring.finish()
    ids = {"lead": lead["lead_id"], "other_lead": other["lead_id"], "event": event["event_id"]}
    ids["event_type"] = "only_there"
    ids["account"] = (await http.get("/accounts", headers=owner)).json()["accounts"][0]["account_id"]
    for kind, (path, name) in MADE.items():
        made = await http.post(_filled(path, ids), headers=owner, **body_of("POST", path))
        assert made.status_code in (200, 201), (path, made.text)
        ids[kind] = made.json()[name]
    return ids


def body_of(method: str, path: str) -> dict[str, Any]:
    described = document()["paths"][path][method.lower()]
    content = described.get("requestBody", {}).get("content", {}).get("application/json", {})
    return BODIES.get((method, path)) or ({"json": content["example"]} if "example" in content else {})


def _filled(path: str, ids: dict[str, str]) -> str:
    """The path with ids for its parameters."""
    for end in range(len(path), 0, -1):
        if path[:end] in PLACES and path[:end].endswith("}"):
            start = path.rindex("{", 0, end)
            path = path[:start] + ids[PLACES[path[:end]]] + path[end:]
    assert "{" not in path, f"PLACES does not say what {path} is about"
    return path


def _named(body: Any, ids: dict[str, str]) -> Any:
    if isinstance(body, dict):
        return {name: _named(value, ids) for name, value in body.items()}
    if isinstance(body, list):
        return [_named(value, ids) for value in body]
    return ids[body[1:-1]] if isinstance(body, str) and body.startswith("{") else body


def about(route: Route) -> dict[str, Any] | None:
    """The body of a request about something by its id; None for what names nothing."""
    title = f"{route.method} {route.path}"
    if naming := NAMING.get(title) or ANSWER_EMPTY.get(title):
        return {"json": naming}
    return body_of(route.method, route.path) if "{" in route.path else None


@pytest.mark.parametrize("who", ["neighbour", "rival"])
async def test_rest_finds_nothing_of_another_unit(closed: Closed, who: str) -> None:
    before, wrong, walked = await closed.digest(), [], 0
    for route in ROUTES:
        body = about(route)
        if body is None:
            continue
        walked += 1
        sent = {name: _named(value, closed.ids) if name == "json" else value for name, value in body.items()}
        response = await closed.http.request(
            route.method, _filled(route.path, closed.ids), headers=closed.others[who], **sent
        )
        title = f"{route.method} {route.path}"
        if title in ANSWER_EMPTY:
            there = response.status_code == 200 and "only_there" not in response.text
        else:
            there = response.status_code in (403, 404) and response.json()["code"] in (*NOT_THERE, "forbidden")
            there &= response.status_code == 404 or route.path.startswith(("/org-units", "/members", "/api/v1/ou"))
        if not there:
            wrong.append((title, response.status_code, response.text[:200]))
    assert not wrong, "\n".join(map(str, wrong))
    assert walked > 80
    assert await closed.digest() == before


# What the id of a field is about, by the end of the field's name.
NOUNS = {
    "ProfileRuleset": "profile_ruleset", "AccountRuleset": "account_ruleset", "Ruleset": "ruleset",
    "ProfileRule": "profile_rule", "AccountRule": "account_rule", "SegmentRule": "segment_rule", "Rule": "rule",
    "Filter": "filter", "Decay": "decay", "SurgeTrigger": "surge_trigger", "ProfileMapping": "profile_mapping",
    "AccountMapping": "account_mapping", "EngagementLevel": "engagement_level", "ProfileLevel": "profile_level",
    "AccountLevel": "account_level", "MilestoneTrigger": "milestone_trigger", "Sequence": "sequence",
    "PatternTrigger": "pattern_trigger", "Segment": "segment", "segment": "segment", "Secret": "secret",
    "PersonalAccessToken": "token", "Member": "member", "Invitation": "member", "OrgUnit": "unit", "lead": "lead",
    "Lead": "lead", "account": "account", "LeadMetadata": "lead", "node": "ruleset", "job": "event", "Job": "event",
    "jobProgress": "event", "delivery": "event", "redeliver": "event",
}  # fmt: skip
# They answer for what the caller has of the named, which is nothing, or makes with it.
QUIET = {
    "leadScores", "deleteEvents", "deleteAccounts", "firings", "leads", "events", "eventsAnalytics", "ingestEvents",
}  # fmt: skip
# Of the organisation: an editor of the same one is refused for the role.
OF_PEOPLE = ("Member", "Invitation", "OrgUnit")


def _ids_of(field: Field, ids: dict[str, str]) -> dict[str, Any] | None:
    """Ids for the arguments of a field; None where it names nothing."""
    arguments = set(field.definition.args)
    noun = next((noun for noun in sorted(NOUNS, key=len, reverse=True) if field.name.endswith(noun)), None)
    found = {
        "unitId": ids["unit"], "ouId": ids["unit"], "orgMemberId": ids["member"], "leadId": ids["lead"],
        "leadIds": [ids["lead"]], "eventId": ids["event"], "ids": [ids["event"]], "segmentId": ids["segment"],
        "eventType": "only_there", "targetLeadId": ids["lead"], "sourceLeadIds": [ids["other_lead"]],
        "triggerId": ids["milestone_trigger"], "rulesetId": ids["ruleset"],
    }  # fmt: skip
    if "Profile" in field.name or "profile" in field.name:
        found["rulesetId"] = ids["profile_ruleset"]
    if "Account" in field.name or "account" in field.name:
        found["rulesetId"] = ids["account_ruleset"]
    if "id" in arguments:
        assert noun is not None, f"NOUNS does not say what {field.title} is about"
        found["id"] = ids[NOUNS[noun]]
    names = arguments | set().union(*(_inputs(each.type) for each in field.definition.args.values()))
    return found if names & found.keys() - {"eventType"} or "eventType" in arguments else None


def _inputs(kind: Any) -> set[str]:
    while hasattr(kind, "of_type"):
        kind = kind.of_type
    return set(kind.fields) if hasattr(kind, "fields") else set()


@pytest.mark.parametrize("who", ["neighbour", "rival"])
async def test_graphql_finds_nothing_of_another_unit(closed: Closed, who: str) -> None:
    before, wrong, walked = await closed.digest(), [], 0
    for field in fields():
        ids = _ids_of(field, closed.ids)
        if ids is None or field.name in QUIET or (field.root == "Subscription" and "after" in field.definition.args):
            continue
        walked += 1
        headers = closed.others[who]
        context = GraphQLContext(closed.app.state.services, Credentials(headers["Authorization"]), response=Response())
        found = await codes(field, context, ids)
        expected = {*NOT_THERE, "forbidden"} if field.name.endswith(OF_PEOPLE) else NOT_THERE
        if not expected.issuperset(found[:1] or ["an answer"]):
            wrong.append((field.title, found))
    assert not wrong, "\n".join(map(str, wrong))
    assert walked > 60
    assert await closed.digest() == before
