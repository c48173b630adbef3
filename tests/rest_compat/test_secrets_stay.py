"""Secrets are in no log, no entry of the audit log and no answer but the one that is there to show them."""

from __future__ import annotations

import io
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from leadvibe import logs
from leadvibe.app import Application
from leadvibe.config import Settings
from leadvibe.ids import new_id
from leadvibe.resolvers.authentication import Authenticator
from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.store.database import Database
from tests.http_server import serving
from tests.rest_compat.conftest import PASSWORD, basic, bearer, client, new_org

# What is sent, each recognisable.
SENT = "s3nt-Zq9_0123456789abcdef"


@dataclass
class Eavesdropper:
    """Sends requests, and keeps all answers but those that are meant to show a secret."""

    http: httpx.AsyncClient
    owner: dict[str, str]
    answers: list[str] = field(default_factory=list)

    async def send(self, method: str, path: str, shows: bool = False, **request: Any) -> Any:
        response = await self.http.request(method, path, **({"headers": self.owner} | request))
        if not shows:
            self.answers.append(f"{method} {path}: {response.status_code} {response.headers} {response.text}")
        return response.json() if response.text.startswith(("{", "[")) else None

    async def ask(self, query: str, variables: dict[str, Any] | None = None, shows: bool = False) -> Any:
        return await self.send("POST", "/graphql", shows, json={"query": query, "variables": variables})


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """The log, at the finest level."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure("debug", "json")
    log = io.StringIO()
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(log)
    yield log
    root.handlers[:], root.level = handlers, level


@pytest.fixture
async def org(authenticator: Authenticator) -> AsyncIterator[Bootstrapped]:
    yield await new_org(authenticator, "quiet")


async def test_no_secret_is_told(
    database_url: str, database: Database, org: Bootstrapped, written: io.StringIO
) -> None:
    app = Application(Settings(database_url=database_url))
    async with serving(app) as url, client(url) as http:
        ear = Eavesdropper(http, bearer(org.token))
        secrets = {SENT, PASSWORD, org.client_secret, org.token}
        secrets |= await _made(ear)
        await _sent_by_rest(ear, org)
        await _sent_by_graphql(ear)
        assert len(ear.answers) > 30
    entries = await database.pool.fetch("SELECT a::text AS entry FROM audit_log a WHERE org_id = $1", org.org_id)
    assert len(entries) > 10, "the audit log is written when the server stops"
    told = {
        "log": written.getvalue(),
        "audit": "\n".join(row["entry"] for row in entries),
        "answers": "\n".join(ear.answers),
    }
    assert "/auth/login" in told["log"]
    for where, text in told.items():
        for secret in secrets:
            lines = [line for line in text.splitlines() if secret in line]
            assert not lines, f"{where}: {lines[0][:500]}"


async def _made(ear: Eavesdropper) -> set[str]:
    """Secrets that the server makes, each shown once; then they are used."""
    token = (await ear.send("POST", "/settings/tokens", True, json={"name": "laptop"}))["token"]
    pair = await ear.send("POST", "/secrets", True, json={"name": "pipeline"})
    rotated = await ear.ask("mutation { rotateWebhookSecret { secret } }", shows=True)
    await ear.send("GET", "/auth/me", headers=bearer(token))
    await ear.send("GET", "/leads", headers=basic(pair["client_id"], pair["client_secret"]))
    for path in ("/settings/tokens", "/secrets", "/settings/org/slack-app", "/members", "/admin/audit-logs"):
        await ear.send("GET", path)
    return {token, pair["client_secret"], rotated["data"]["rotateWebhookSecret"]["secret"]}


async def _sent_by_rest(ear: Eavesdropper, org: Bootstrapped) -> None:
    """Secrets where they belong, where they are wrong, and where they do not belong at all."""
    person = {"first_name": "A", "last_name": "B", "email": f"{new_id('p')}@leadvibe.example", "role": "viewer"}
    await ear.send("POST", "/members", json=person | {"password": SENT})
    await ear.send("POST", "/members", json=person | {"password": SENT})
    await ear.send("POST", "/members", json=person | {"password": [SENT]})
    await ear.send("POST", "/members", json=person | {"password": SENT, "role": SENT})
    await ear.send("POST", "/auth/login", True, json={"email": person["email"], "password": SENT})
    for body in ({"email": "x@leadvibe.example", "password": SENT}, {"email": [SENT], "password": {"x": SENT}}):
        await ear.send("POST", "/auth/login", json=body)
    await ear.send("POST", "/auth/login", content=b'{"email": "x", "password": "' + SENT.encode() + b'" oops')
    for body in ({"current_password": SENT, "new_password": SENT}, {"new_password": [SENT]}):
        await ear.send("PUT", "/auth/password", json=body)
    await ear.send("POST", "/auth/password/set", json={"token": SENT, "password": SENT})
    await ear.send("GET", "/auth/password/page", params={"token": SENT})
    await ear.send("PUT", "/settings/org/slack-app", json={"client_id": "1.2", "client_secret": SENT})
    await ear.send("PUT", "/settings/org/slack-app", json={"client_id": "", "client_secret": {"x": SENT}})
    await ear.send("GET", "/integrations/slack/callback", params={"code": SENT, "state": SENT})
    for headers in (
        bearer(SENT), bearer(f"lv_pat_{SENT}"), bearer(f"{org.token}{SENT}"), basic(org.client_id, SENT),
        {"Authorization": f"Digest {SENT}"}, {"Cookie": f"session={SENT}"},
    ):  # fmt: skip
        await ear.send("GET", "/leads", headers=headers)
    await ear.send("GET", "/leads", params={"access_token": SENT, "token": org.token})


async def _sent_by_graphql(ear: Eavesdropper) -> None:
    await ear.ask(f'mutation {{ login(input: {{email: "x@leadvibe.example", password: "{SENT}"}}) {{ token }} }}')
    login = "mutation ($input: Login!) { login(input: $input) { token } }"
    for password in (SENT, [SENT], {"x": SENT}):
        await ear.ask(login, {"input": {"email": "x@leadvibe.example", "password": password}})
    await ear.ask(f'mutation {{ setSlackApp(input: {{clientId: "1.2", clientSecret: "{SENT}"}}) }}')
    await ear.ask(f'mutation {{ setSlackApp(input: {{clientId: 5, clientSecret: "{SENT}"}}) }}')
    slack = "mutation ($input: SlackAppInput!) { setSlackApp(input: $input) }"
    await ear.ask(slack, {"input": {"clientId": "1.2", "clientSecret": [SENT]}})
    await ear.ask(slack, {"input": {"clientSecret": SENT}})
    await ear.ask(slack, {"input": SENT})
    await ear.ask("mutation ($p: String!) { setPassword(input: {token: $p, password: $p}) }", {"p": SENT})
    await ear.ask(f'mutation {{ login(input: {{email: "x", password: "{SENT}}}) {{ token }} }}')
