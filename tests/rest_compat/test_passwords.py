"""Invitations, resets, throttling and personal tokens, with a real mail server."""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from email.policy import default
from typing import Any

import httpx
import jwt
import pytest
from aiosmtpd.smtp import SMTP
from argon2 import PasswordHasher

from leadvibe.config import Settings
from leadvibe.ids import new_id
from leadvibe.pipeline.password_mail import send_due
from leadvibe.resolvers.authentication import Authenticator
from leadvibe.store.database import Database
from tests.rest_compat.conftest import PASSWORD, Org, bearer, client, fields, refused, running
from tests.rest_compat.people import add_person


class Post:
    """A mail server that keeps what it takes, or is out of order."""

    def __init__(self) -> None:
        self.mails: asyncio.Queue[Message] = asyncio.Queue()
        self.broken = False
        self.port = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.broken:
            return "451 Later"
        await self.mails.put(message_from_bytes(envelope.content, policy=default))
        return "250 OK"

    async def secret(self, to: str) -> str:
        """The secret of the link in the next mail."""
        async with asyncio.timeout(20):
            mail: Any = await self.mails.get()
        assert mail["To"] == to
        text = mail.get_body(("plain",)).get_content()
        (secret,) = re.findall(r"https://leads\.example/auth/password/page#(\S+)", text)
        assert secret in mail.get_body(("html",)).get_content()
        return str(secret)


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    post = Post()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(post, hostname="localhost"), "127.0.0.1", 0)
    post.port = server.sockets[0].getsockname()[1]
    yield post
    server.close()


@pytest.fixture
def settings(database_url: str, post: Post) -> Settings:
    return Settings(
        database_url=database_url,
        smtp_host="127.0.0.1",
        smtp_port=post.port,
        smtp_security="none",
        public_url="https://leads.example/",
    )


@pytest.fixture
async def mailing(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A server that mails."""
    async with running(settings) as url, client(url, **{"X-Forwarded-For": _address()}) as http:
        yield http


def _address() -> str:
    """An address in a network that no other test tries passwords from."""
    return f"2001:db8:{random.getrandbits(16):x}:{random.getrandbits(16):x}::1"


def newcomer() -> dict[str, Any]:
    return {"first_name": "J", "last_name": "D", "email": f"{new_id('j')}@leadvibe.example", "role": "viewer"}


async def test_an_invited_member_sets_its_password_and_logs_in(
    acme: Org, mailing: httpx.AsyncClient, post: Post, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    given, by = newcomer(), bearer(acme.made.token)
    made = await mailing.post("/members/invite", json=given, headers=by)
    assert made.status_code == 201, made.text
    secret = await post.secret(given["email"])
    login = {"email": given["email"], "password": "a new password"}
    stored = "SELECT password_hash FROM members WHERE org_member_id = $1"
    nothing = await database.pool.fetchval(stored, made.json()["org_member_id"])
    assert not PasswordHasher().check_needs_rehash(nothing), "refused as slowly as a wrong password"
    refused(await mailing.post("/auth/login", json=login), 401)
    answer = await mailing.post("/auth/password/set", json={"token": secret, "password": "short"})
    assert fields(refused(answer, 400)) == {"password"}
    proof = {"token": secret, "password": login["password"]}
    both = await asyncio.gather(*(mailing.post("/auth/password/set", json=proof) for _ in range(2)))
    assert sorted(answer.status_code for answer in both) == [204, 400], "it works once"
    refused(await mailing.post("/auth/password/set", json=proof), 400, "invalid_link")
    token = (await mailing.post("/auth/login", json=login)).json()["token"]
    assert (await mailing.get("/me", headers=bearer(token))).json()["verified"] is True
    refused(
        await mailing.post(f"/members/{made.json()['org_member_id']}/invitation", headers=by), 409, "already_verified"
    )
    rows = await database.pool.fetch("SELECT l::text AS row FROM password_links l UNION SELECT m::text FROM members m")
    assert not any(secret in row["row"] or login["password"] in row["row"] for row in rows)
    own = [str(vars(record)) for record in caplog.records if record.name.startswith("leadvibe")]
    assert own and not any(secret in line or login["password"] in line for line in own)


async def test_another_invitation_voids_the_first(acme: Org, mailing: httpx.AsyncClient, post: Post) -> None:
    given, by = newcomer(), bearer(acme.made.token)
    made = (await mailing.post("/members/invite", json=given, headers=by)).json()
    first = await post.secret(given["email"])
    again = await mailing.post(f"/members/{made['org_member_id']}/invitation", headers=by)
    assert again.status_code == 204
    second = await post.secret(given["email"])
    refused(await mailing.post("/auth/password/set", json={"token": first, "password": PASSWORD}), 400, "invalid_link")
    answer = await mailing.post("/auth/password/set", json={"token": second, "password": PASSWORD})
    assert answer.status_code == 204


async def test_an_invitation_waits_for_a_mail_server_that_is_away(
    acme: Org, mailing: httpx.AsyncClient, post: Post, database: Database, settings: Settings
) -> None:
    post.broken = True
    given = newcomer()
    made = (await mailing.post("/members/invite", json=given, headers=bearer(acme.made.token))).json()
    failed = """
        SELECT count(*) FROM password_links
        WHERE org_member_id = $1 AND attempts = 1 AND due_at < created_at + interval '4 minutes'
    """
    async with asyncio.timeout(20):
        while not await database.pool.fetchval(failed, made["org_member_id"]):  # noqa: ASYNC110  (nothing tells of it)
            await asyncio.sleep(0.02)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    post.broken = False
    await send_due(database, settings, tomorrow, made["org_member_id"])
    secret = await post.secret(given["email"])
    answer = await mailing.post("/auth/password/set", json={"token": secret, "password": PASSWORD})
    assert answer.status_code == 204
    assert await send_due(database, settings, tomorrow, made["org_member_id"]) == 0


async def test_a_reset_ends_all_that_was_given_out_before(
    acme: Org, mailing: httpx.AsyncClient, post: Post, authenticator: Authenticator
) -> None:
    person = await add_person(authenticator, acme.made)
    personal = (await mailing.post("/settings/tokens", json={"name": "cli"}, headers=person.headers)).json()["token"]
    assert (await mailing.get("/me", headers=bearer(personal))).status_code == 200
    known = await mailing.post("/auth/password/reset", json={"email": person.email.upper()})
    unknown = await mailing.post("/auth/password/reset", json={"email": "nobody@leadvibe.example"})
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content) == (202, b"")
    secret = await post.secret(person.email)
    guesses = [await mailing.post("/auth/login", json={"email": person.email, "password": "?"}) for _ in range(6)]
    refused(guesses[-1], 429)
    answer = await mailing.post("/auth/password/set", json={"token": secret, "password": "another one"})
    assert answer.status_code == 204
    for token in (person.token, personal):
        refused(await mailing.get("/me", headers=bearer(token)), 401)
    refused(await mailing.post("/auth/login", json={"email": person.email, "password": PASSWORD}), 401)
    login = await mailing.post("/auth/login", json={"email": person.email, "password": "another one"})
    assert (await mailing.get("/me", headers=bearer(login.json()["token"]))).status_code == 200


async def test_an_expired_link_sets_nothing(
    acme: Org, mailing: httpx.AsyncClient, post: Post, authenticator: Authenticator, database: Database
) -> None:
    person = await add_person(authenticator, acme.made)
    await mailing.post("/auth/password/reset", json={"email": person.email})
    secret = await post.secret(person.email)
    await database.pool.execute(
        "UPDATE password_links SET expires_at = $2 WHERE org_member_id = $1", person.org_member_id, datetime.now(UTC)
    )
    proof = {"token": secret, "password": "another one"}
    refused(await mailing.post("/auth/password/set", json=proof), 400, "invalid_link")
    assert (await mailing.get("/me", headers=person.headers)).status_code == 200


async def test_a_change_of_password_keeps_who_made_it(
    acme: Org, http: httpx.AsyncClient, authenticator: Authenticator
) -> None:
    person = await add_person(authenticator, acme.made)
    http.headers["X-Forwarded-For"] = _address()
    wrong = {"current_password": "wrong", "new_password": "a new password"}
    refused(await http.put("/auth/password", json=wrong, headers=person.headers), 400)
    right = wrong | {"current_password": PASSWORD}
    answer = await http.put("/auth/password", json=right, headers=person.headers)
    assert answer.status_code == 200
    refused(await http.get("/me", headers=person.headers), 401)
    assert (await http.get("/me", headers=bearer(answer.json()["token"]))).status_code == 200


async def test_guessing_ends_in_all_processes_but_locks_nobody_else(
    acme: Org, settings: Settings, authenticator: Authenticator
) -> None:
    person = await add_person(authenticator, acme.made)
    wrong, right = ({"email": person.email, "password": text} for text in ("wrong", PASSWORD))
    attacker = {"X-Forwarded-For": _address()}
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(running(settings)) for _ in range(2)]
        one, two = [await stack.enter_async_context(client(url)) for url in urls]
        tries = (each.post("/auth/login", json=wrong, headers=attacker) for each in [one, two] * 5)
        answers = await asyncio.gather(*tries)
        assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 5
        for http in (one, two):
            answer = await http.post("/auth/login", json=right, headers=attacker)
            refused(answer, 429, "too_many_attempts")
            assert 0 < int(answer.headers["retry-after"]) <= 15 * 60
        elsewhere = {"X-Forwarded-For": _address()}
        for _ in range(7):
            assert (await two.post("/auth/login", json=right, headers=elsewhere)).status_code == 200
        unknown = {"email": "nobody@leadvibe.example", "password": "x"}
        statuses = [(await one.post("/auth/login", json=unknown, headers=elsewhere)).status_code for _ in range(6)]
        assert statuses == [401] * 5 + [429], "an unknown address is treated the same"


async def test_personal_tokens_act_as_their_member(
    acme: Org, rival: Org, http: httpx.AsyncClient, database: Database
) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    response = await acme.http.post("/settings/tokens", json={"name": "cli", "expires_at": soon})
    assert response.status_code == 201
    made = response.json()
    assert made["token"].startswith("lv_pat_") and made["last_used_at"] is None
    personal = bearer(made["token"])
    assert (await http.post("/rulesets", json={"name": "Fit"}, headers=personal)).status_code == 201
    listed = await acme.http.get("/settings/tokens")
    assert made["token"] not in listed.text
    (row,) = listed.json()
    assert row["id"] == made["id"] and row["last_used_at"] is not None
    stored = await database.pool.fetchval("SELECT t::text FROM personal_access_tokens t WHERE token_id = $1", row["id"])
    assert made["token"] not in stored
    refused(await http.get("/me", headers=bearer(made["token"] + "x")), 401)
    refused(await rival.http.delete(f"/settings/tokens/{row['id']}"), 404)
    assert (await http.get("/me", headers=personal)).status_code == 200
    assert (await acme.http.delete(f"/settings/tokens/{row['id']}")).status_code == 204
    refused(await http.get("/me", headers=personal), 401)


async def test_a_personal_token_expires(acme: Org, http: httpx.AsyncClient, database: Database) -> None:
    for given, named in (({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"), ({"name": ""}, "name")):
        assert fields(refused(await acme.http.post("/settings/tokens", json=given), 400)) == {named}
    made = (await acme.http.post("/settings/tokens", json={"name": "cli"})).json()
    await database.pool.execute(
        "UPDATE personal_access_tokens SET expires_at = $2 WHERE token_id = $1", made["id"], datetime.now(UTC)
    )
    refused(await http.get("/me", headers=bearer(made["token"])), 401)


async def test_a_token_for_another_audience_or_of_another_version_is_refused(
    acme: Org, http: httpx.AsyncClient, authenticator: Authenticator
) -> None:
    key = authenticator.tokens.verifying_key
    claims = {"sub": acme.made.org_member_id, "exp": datetime.now(UTC) + timedelta(hours=1)}
    assert (await http.get("/me", headers=bearer(jwt.encode(claims, key)))).status_code == 200
    for change in ({"aud": "another-service"}, {"ver": 7}, {"ver": "0"}):
        refused(await http.get("/me", headers=bearer(jwt.encode(claims | change, key))), 401, "unauthorized")
