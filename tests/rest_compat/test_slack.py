"""Slack behind the REST door: the app, an installation from its beginning to its end, lists, targets, errors."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography.fernet import Fernet

from leadvibe.config import Settings
from leadvibe.resolvers.authentication import Authenticator
from leadvibe.store.database import Database
from tests.rest_compat.conftest import Org, _org, add_unit, client, fields, refused, running
from tests.slack_stand_in import CHANNELS, CLIENT_ID, CLIENT_SECRET, CODE, MEMBERS, TOKEN, SlackStandIn, slack_stand_in

APP, STATUS = "/settings/org/slack-app", "/integrations/slack/status"
INITIATE, CALLBACK = "/integrations/slack/initiate", "/integrations/slack/callback"
CHANNEL = {"kind": "channel", "id": "C01"}


@pytest.fixture(scope="module")
async def shared_slack() -> AsyncIterator[SlackStandIn]:
    async with slack_stand_in() as slack:
        yield slack


@pytest.fixture
def slack(shared_slack: SlackStandIn) -> SlackStandIn:
    """A Slack that knows of nothing that another test did."""
    fresh = SlackStandIn(url=shared_slack.url)
    shared_slack.__dict__.update({name: value for name, value in vars(fresh).items() if name != "url"})
    return shared_slack


@pytest.fixture(scope="module")
async def server(database_url: str, shared_slack: SlackStandIn) -> AsyncIterator[str]:
    key = Fernet.generate_key().decode()
    settings = Settings(database_url=database_url, slack_api_url=shared_slack.url, secret_keys=key)
    async with running(settings) as url:
        yield url


@pytest.fixture
async def acme(server: str, authenticator: Authenticator, slack: SlackStandIn) -> AsyncIterator[Org]:
    async with _org(server, authenticator, "acme") as org:
        yield org


@pytest.fixture
async def rival(server: str, authenticator: Authenticator) -> AsyncIterator[Org]:
    async with _org(server, authenticator, "rival") as org:
        yield org


async def set_app(org: Org) -> None:
    body = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    response = await org.http.put(APP, json=body)
    assert (response.status_code, response.content) == (204, b"")


def asked_of_slack(url: str) -> dict[str, str]:
    """The query of Slack's page."""
    assert urlsplit(url).path == "/oauth/v2/authorize"
    return {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}


async def begin(org: Org) -> str:
    """The state of a new installation."""
    return asked_of_slack((await org.http.post(INITIATE)).json()["authorize_url"])["state"]


async def come_back(http: httpx.AsyncClient, **query: str) -> str:
    """Where the browser ends that comes from Slack."""
    response = await http.get(CALLBACK, params=query)
    assert response.status_code == 302
    return response.headers["location"]


def error(reason: str) -> str:
    return f"/integrations?slack=error&reason={reason}"


async def connect(org: Org) -> None:
    await set_app(org)
    assert await come_back(org.http, state=await begin(org), code=CODE) == "/integrations?slack=connected"


async def test_an_app_is_set_and_only_said_to_be_there(acme: Org, rival: Org) -> None:
    assert (await acme.http.get(APP)).json() == {"configured": False}
    await set_app(acme)
    assert (await acme.http.get(APP)).json() == {"configured": True}
    assert (await acme.http.get("/settings/slack-app")).json() == {"configured": True}
    assert "authorize_url" in (await acme.http.get("/settings/ou/slack/status")).json()
    assert (await rival.http.get(APP)).json() == {"configured": False}


@pytest.mark.parametrize("body", [{}, {"client_id": "", "client_secret": "x"}, {"client_id": "x", "client_secret": ""}])
async def test_an_app_needs_both_credentials(acme: Org, body: dict[str, str]) -> None:
    assert fields(refused(await acme.http.put(APP, json=body), 400)) <= {"client_id", "client_secret"}
    assert (await acme.http.get(APP)).json() == {"configured": False}


async def test_an_installation_connects_the_unit(acme: Org, server: str, http: httpx.AsyncClient) -> None:
    await set_app(acme)
    status = (await acme.http.get(STATUS)).json()
    assert status.pop("authorize_url").startswith("http") and status == {"connected": False}
    page = asked_of_slack((await acme.http.post(INITIATE)).json()["authorize_url"])
    assert page["client_id"] == CLIENT_ID and "chat:write" in page["scope"].split(",")
    assert page["redirect_uri"] == f"{server}{CALLBACK}"
    assert await come_back(http, state=page["state"], code=CODE) == "/integrations?slack=connected"
    status = (await acme.http.get(STATUS)).json()
    assert status.pop("updated_at")
    assert status == {
        "connected": True,
        "team_name": "Slack Softball Team",
        "team_id": "T9TK3CUKW",
        "bot_user_id": "U0KRQLJ9H",
        "default_target_kind": None,
        "default_target_id": None,
    }
    assert "Slack is connected" in (await http.get("/integrations?slack=connected")).text


async def test_a_browser_is_sent_to_slack(acme: Org) -> None:
    await set_app(acme)
    response = await acme.http.get("/integrations/slack/install")
    assert response.status_code == 302
    assert asked_of_slack(response.headers["location"])["state"].startswith(acme.made.unit_id + ".")


async def test_without_an_app_nothing_is_installed(acme: Org) -> None:
    for response in (await acme.http.post(INITIATE), await acme.http.get("/integrations/slack/install")):
        refused(response, 409, "slack_not_configured")
    assert (await acme.http.get(STATUS)).json() == {"connected": False}


async def test_a_state_works_once(acme: Org, slack: SlackStandIn) -> None:
    await connect(acme)
    state = await begin(acme)
    assert await come_back(acme.http, state=state, code="wrong") == error("slack_refused")
    assert await come_back(acme.http, state=state, code=CODE) == error("slack_state_invalid")


async def test_a_state_ends(acme: Org, database: Database) -> None:
    await set_app(acme)
    state = await begin(acme)
    past = "UPDATE slack_installations SET expires_at = now() - interval '1 second' WHERE unit_id = $1"
    await database.pool.execute(past, acme.made.unit_id)
    assert await come_back(acme.http, state=state, code=CODE) == error("slack_state_invalid")
    assert not (await acme.http.get(STATUS)).json()["connected"]


async def test_a_state_is_of_its_unit(acme: Org, rival: Org) -> None:
    await set_app(acme)
    await set_app(rival)
    secret = (await begin(acme)).rpartition(".")[2]
    states = ["", ".", secret, f"{rival.made.unit_id}.{secret}", f"{acme.made.unit_id}.", "é.é"]
    for state in states:
        assert await come_back(acme.http, state=state, code=CODE) == error("slack_state_invalid")
    for org in (acme, rival):
        assert not (await org.http.get(STATUS)).json()["connected"]


async def test_a_state_is_of_its_member(acme: Org, database: Database) -> None:
    await set_app(acme)
    state = await begin(acme)
    await database.pool.execute("UPDATE ou_memberships SET role = 'Operator' WHERE unit_id = $1", acme.made.unit_id)
    assert await come_back(acme.http, state=state, code=CODE) == error("forbidden")


async def test_what_slack_denies_is_told(acme: Org, http: httpx.AsyncClient, slack: SlackStandIn) -> None:
    await set_app(acme)
    assert await come_back(http, state=await begin(acme), error="access_denied") == error("slack_denied")
    slack.status["oauth.v2.access"] = 503
    assert await come_back(http, state=await begin(acme), code=CODE) == error("slack_unavailable")
    slack.status.clear()
    slack.grant = {"refresh_token": "xoxe-1-abc", "expires_in": 43200}
    assert await come_back(http, state=await begin(acme), code=CODE) == error("slack_token_unusable")
    assert not (await acme.http.get(STATUS)).json()["connected"]
    assert "too old" in (await http.get(error("slack_state_invalid"))).text
    assert "<script>" not in (await http.get("/integrations?slack=error&reason=<script>")).text


async def test_roles(acme: Org, database: Database, server: str) -> None:
    await connect(acme)
    async with client(server, **acme.credential()) as machine:
        refused(await machine.get(APP), 403)
        refused(await machine.post(INITIATE), 403)
        refused(await machine.delete("/integrations/slack"), 403)
        assert (await machine.get("/integrations/slack/channels")).status_code == 200
    viewing = await add_unit(database, acme.made, "Viewer")
    for headers in ({"X-Unit-Id": viewing},):
        refused(await acme.http.post(INITIATE, headers=headers), 403)
        refused(await acme.http.put("/integrations/slack/default-target", json=CHANNEL, headers=headers), 403)
        refused(await acme.http.post("/integrations/slack/test", json=CHANNEL, headers=headers), 403)
        assert (await acme.http.get(STATUS, headers=headers)).json() == {"connected": False}
    await database.pool.execute("UPDATE members SET role = 'editor' WHERE org_id = $1", acme.made.org_id)
    own = {"X-Unit-Id": acme.made.unit_id}
    refused(await acme.http.get(APP, headers=own), 403)
    refused(await acme.http.put(APP, json={"client_id": "a", "client_secret": "b"}, headers=own), 403)


async def test_secrets_are_sealed_and_told_nowhere(
    acme: Org, database: Database, caplog: pytest.LogCaptureFixture, slack: SlackStandIn
) -> None:
    caplog.set_level(logging.DEBUG)
    await connect(acme)
    slack.refuse["chat.postMessage"] = "fatal_error"
    answers = [await acme.http.get(path) for path in (APP, STATUS, "/integrations/slack/channels")]
    answers.append(await acme.http.post("/integrations/slack/test", json=CHANNEL))
    app = await database.pool.fetchrow("SELECT * FROM slack_apps WHERE org_id = $1", acme.made.org_id)
    row = await database.pool.fetchrow("SELECT * FROM slack_connections WHERE unit_id = $1", acme.made.unit_id)
    state = await begin(acme)
    hashed = await database.pool.fetch("SELECT * FROM slack_installations WHERE unit_id = $1", acme.made.unit_id)
    seen = caplog.text + "".join(answer.text for answer in answers) + f"{app}{row}"
    for secret in (CLIENT_SECRET, TOKEN):
        assert secret not in seen
    assert state.rpartition(".")[2] not in f"{hashed}"


async def test_a_disconnected_unit_is_told_so(acme: Org, rival: Org) -> None:
    await connect(acme)
    await connect(rival)
    assert (await acme.http.delete("/integrations/slack")).status_code == 204
    assert (await acme.http.delete("/integrations/slack")).status_code == 204
    assert (await acme.http.get(STATUS)).json()["connected"] is False
    refused(await acme.http.get("/integrations/slack/channels"), 409, "slack_not_connected")
    refused(await acme.http.get("/integrations/slack/users"), 409, "slack_not_connected")
    refused(await acme.http.put("/integrations/slack/default-target", json=CHANNEL), 409, "slack_not_connected")
    refused(await acme.http.post("/integrations/slack/test", json=CHANNEL), 409, "slack_not_connected")
    assert (await rival.http.get(STATUS)).json()["connected"] is True


async def test_lists_are_slack_s_own(acme: Org, slack: SlackStandIn) -> None:
    await connect(acme)
    query = {"types": "public_channel,private_channel", "limit": 3}
    page = (await acme.http.get("/integrations/slack/channels", params=query)).json()
    assert page == {"ok": True, "channels": CHANNELS[:3], "response_metadata": {"next_cursor": "3"}}
    assert slack.calls[-1][1]["types"] == "public_channel,private_channel"
    rest = (await acme.http.get("/integrations/slack/channels", params={"limit": 3, "cursor": "3"})).json()
    assert page["channels"] + rest["channels"] == CHANNELS and not rest["response_metadata"]["next_cursor"]
    assert (await acme.http.get("/integrations/slack/users")).json()["members"] == MEMBERS


async def test_a_default_target_is_kept_while_the_workspace_stays(acme: Org, slack: SlackStandIn) -> None:
    await connect(acme)
    assert (await acme.http.put("/integrations/slack/default-target", json=CHANNEL)).status_code == 204
    await connect(acme)
    status = (await acme.http.get(STATUS)).json()
    assert (status["default_target_kind"], status["default_target_id"]) == ("channel", "C01")
    slack.grant = {"team": {"id": "T2", "name": "Other"}}
    await connect(acme)
    assert (await acme.http.get(STATUS)).json()["default_target_id"] is None
    for body in (
        {"kind": "room", "id": "C01"},
        {"kind": "user"},
        {"kind": "user", "id": ""},
        {"kind": "user", "id": "a b"},
    ):
        refused(await acme.http.put("/integrations/slack/default-target", json=body), 400)


async def test_a_test_message_reaches_channel_and_person(acme: Org, slack: SlackStandIn) -> None:
    await connect(acme)
    response = await acme.http.post("/integrations/slack/test", json=CHANNEL | {"text": "1 < 2 & <!channel>"})
    assert response.status_code == 200 and set(response.json()) == {"message"}
    await acme.http.post("/integrations/slack/test", json={"kind": "user", "id": "U7"})
    assert [message["channel"] for message in slack.messages] == ["C01", "D-U7"]
    assert slack.messages[0]["text"] == "1 &lt; 2 &amp; &lt;!channel&gt;"


@pytest.mark.parametrize(
    ("code", "status", "told"),
    [
        ("channel_not_found", 400, "slack_target_refused"),
        ("token_revoked", 409, "slack_disconnected"),
        ("missing_scope", 502, "slack_refused"),
    ],
)
async def test_what_slack_refuses_is_told(acme: Org, slack: SlackStandIn, code: str, status: int, told: str) -> None:
    await connect(acme)
    slack.refuse["chat.postMessage"] = code
    refused(await acme.http.post("/integrations/slack/test", json=CHANNEL), status, told)


async def test_a_busy_or_broken_slack_is_told_without_internals(acme: Org, slack: SlackStandIn) -> None:
    await connect(acme)
    slack.busy = [17]
    response = await acme.http.get("/integrations/slack/users")
    refused(response, 503, "slack_busy")
    assert response.headers["retry-after"] == "17"
    slack.status["users.list"] = 500
    body = refused(await acme.http.get("/integrations/slack/users"), 502, "slack_unavailable")
    assert "upstream" not in str(body) and slack.url not in str(body)


async def test_graphql_does_the_same(acme: Org, slack: SlackStandIn) -> None:
    async def ask(query: str, **variables: Any) -> Any:
        answer = (await acme.http.post("/graphql", json={"query": query, "variables": variables})).json()
        assert "errors" not in answer, answer
        return answer["data"]

    given = {"clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET}
    await ask("mutation ($input: SlackAppInput!) { setSlackApp(input: $input) }", input=given)
    assert await ask("{ slackAppConfigured }") == {"slackAppConfigured": True}
    url = (await ask("mutation { beginSlackInstallation }"))["beginSlackInstallation"]
    page = asked_of_slack(url)
    assert page["redirect_uri"] == str(acme.http.base_url).rstrip("/") + CALLBACK
    complete = "mutation ($input: SlackInstallationInput!) { completeSlackInstallation(input: $input) }"
    done = await ask(complete, input={"state": page["state"], "code": CODE})
    assert done == {"completeSlackInstallation": True}
    lists = await ask("{ slackChannels(first: 2) { entries nextCursor } slackUsers { entries nextCursor } }")
    assert lists == {
        "slackChannels": {"entries": CHANNELS[:2], "nextCursor": "2"},
        "slackUsers": {"entries": MEMBERS, "nextCursor": None},
    }
    changed = await ask(
        """mutation {
            setSlackDefaultTarget(input: {kind: "user", id: "U7"}) { connected teamName defaultTargetKind }
            sendSlackTest(input: {kind: "user", id: "U7", text: "Hello"})
            disconnectSlack
        }"""
    )
    assert changed == {
        "setSlackDefaultTarget": {"connected": True, "teamName": "Slack Softball Team", "defaultTargetKind": "user"},
        "sendSlackTest": "The message was sent.",
        "disconnectSlack": True,
    }
    assert await ask("{ slackStatus { connected teamId } }") == {"slackStatus": {"connected": False, "teamId": None}}
