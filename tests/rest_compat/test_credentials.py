"""Who asks: tokens, credential pairs, and the unit that a request works in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from leadvibe.config import Settings
from leadvibe.resolvers.authentication import Authenticator
from leadvibe.resolvers.tokens import Tokens
from leadvibe.store.database import Database
from tests.rest_compat.conftest import (
    PASSWORD,
    Org,
    add_unit,
    basic,
    bearer,
    client,
    fields,
    new_org,
    refused,
    running,
)

SOON = datetime.now(UTC) + timedelta(hours=1)
PAST = datetime.now(UTC) - timedelta(hours=1)
RULESET = {"name": "Fit"}


async def works(response: httpx.Response) -> str:
    """The unit in which the ruleset was made."""
    assert response.status_code == 201, response.text
    return response.json()["unit_id"]


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer nonsense",
        "Bearer a.b.c",
        "Bearer \xff.\xfe.\xfd",
        "Digest x",
        "Basic",
        "Basic !!!",
        "Basic \xe4",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:x").decode(),
        "Basic " + base64.b64encode(b"lv_ci_unknown:x").decode(),
        "Basic " + base64.b64encode(b"lv\0:x").decode(),
        "Basic " + base64.b64encode(b":").decode(),
        "x" * 5_000,
    ],
)
async def test_credentials_that_are_none_are_refused(http: httpx.AsyncClient, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization.encode("latin-1")}
    response = await http.get("/leads", headers=headers)
    refused(response, 401, "unauthorized")
    assert response.headers["www-authenticate"] == 'Bearer, Basic realm="leadvibe"'


@pytest.mark.parametrize(
    ("change", "key", "algorithm"),
    [
        ({"exp": PAST}, None, "HS256"),
        ({"nbf": SOON}, None, "HS256"),
        ({"exp": None}, None, "HS256"),
        ({"sub": None}, None, "HS256"),
        ({"sub": "mem_of_nobody"}, None, "HS256"),
        ({}, "another secret that is long enough for HS256", "HS256"),
        ({}, None, "HS512"),
        ({}, "", "none"),
    ],
    ids=["expired", "too early", "eternal", "of no one", "of nobody", "other secret", "other algorithm", "unsigned"],
)
async def test_a_token_that_this_server_would_not_issue_is_refused(
    http: httpx.AsyncClient,
    anybody: Org,
    authenticator: Authenticator,
    change: dict[str, Any],
    key: str | None,
    algorithm: str,
) -> None:
    claims = {"sub": anybody.made.org_member_id, "org_id": anybody.made.org_id, "exp": SOON} | change
    kept = {name: value for name, value in claims.items() if value is not None}
    secret = authenticator.tokens.verifying_key if key is None else key
    token = jwt.encode(kept, secret, algorithm=algorithm)
    refused(await http.get("/leads", headers=bearer(token)), 401, "unauthorized")


async def test_a_token_with_another_payload_is_refused(http: httpx.AsyncClient, acme: Org, rival: Org) -> None:
    header, _, signature = acme.made.token.split(".")
    payload = rival.made.token.split(".")[1]
    refused(await http.get("/leads", headers=bearer(f"{header}.{payload}.{signature}")), 401, "unauthorized")


async def test_an_expired_token_is_told_so(http: httpx.AsyncClient, anybody: Org, authenticator: Authenticator) -> None:
    token = authenticator.tokens.issue(
        anybody.made.org_member_id, anybody.made.org_id, datetime.now(UTC) - timedelta(days=1)
    )
    assert "expired" in refused(await http.get("/leads", headers=bearer(token)), 401)["error"]


async def test_the_secret_of_another_credential_is_refused(http: httpx.AsyncClient, acme: Org, rival: Org) -> None:
    for user, password in (
        (acme.made.client_id, rival.made.client_secret),
        (acme.made.client_id, ""),
        (acme.made.client_id, acme.made.client_secret + "x"),
        (acme.made.client_secret, acme.made.client_id),
    ):
        refused(await http.get("/leads", headers=basic(user, password)), 401, "unauthorized")
    right = acme.credential()
    assert (await http.get("/leads", headers=right)).status_code == 200
    wrong = basic(acme.made.client_id, rival.made.client_secret)
    refused(await http.get("/leads", headers=wrong), 401)


async def test_the_scheme_is_read_in_any_case(http: httpx.AsyncClient, acme: Org) -> None:
    for headers in (bearer(acme.made.token), acme.credential()):
        scheme, value = headers["Authorization"].split(" ")
        assert (await http.get("/leads", headers={"Authorization": f"{scheme.upper()} {value}"})).status_code == 200


async def test_a_credential_works_in_its_own_unit_whatever_else_is_named(
    http: httpx.AsyncClient, acme: Org, rival: Org
) -> None:
    headers = acme.credential() | {"X-Unit-Id": rival.made.unit_id, "Cookie": f"activeOu={rival.made.unit_id}"}
    assert await works(await http.post("/rulesets", json=RULESET, headers=headers)) == acme.made.unit_id


@pytest.mark.parametrize("how", ["X-Unit-Id", "Cookie"])
async def test_a_member_names_one_of_its_units(acme: Org, database: Database, how: str) -> None:
    second = await add_unit(database, acme.made, "Operator")
    refused(await acme.http.get("/leads"), 400, "no_active_ou")
    headers = {how: second if how == "X-Unit-Id" else f"activeOu={second}"}
    assert await works(await acme.http.post("/rulesets", json=RULESET, headers=headers)) == second


async def test_the_cookie_goes_before_the_header(acme: Org, database: Database) -> None:
    second = await add_unit(database, acme.made, "Operator")
    headers = {"Cookie": f"activeOu={second}", "X-Unit-Id": acme.made.unit_id}
    assert await works(await acme.http.post("/rulesets", json=RULESET, headers=headers)) == second


@pytest.mark.parametrize("how", ["X-Unit-Id", "Cookie"])
async def test_a_unit_that_is_not_the_callers_is_refused(acme: Org, rival: Org, database: Database, how: str) -> None:
    def naming(unit_id: str) -> dict[str, str]:
        return {how: unit_id if how == "X-Unit-Id" else f"activeOu={unit_id}"}

    refused(await acme.http.get("/leads", headers=naming(rival.made.unit_id)), 404, "not_found")
    refused(await acme.http.get("/leads", headers=naming("unit_of_nobody")), 404, "not_found")
    closed = await add_unit(database, acme.made, None)
    refused(await acme.http.get("/leads", headers=naming(closed)), 403, "not_a_member")


async def test_a_unit_with_a_nul_character_is_none(acme: Org, http: httpx.AsyncClient) -> None:
    """Inside quotes a cookie may have octal escapes."""
    cookie = {"Cookie": r'activeOu="a\000b"'}
    refused(await acme.http.get("/leads", headers=cookie), 404, "not_found")
    refused(await http.get("/stream", headers=cookie), 404, "not_found")
    refused(await acme.http.get("/stream", headers=cookie), 404, "not_found")


async def test_membership_is_checked_at_each_request(acme: Org, database: Database) -> None:
    assert (await acme.http.get("/leads")).status_code == 200
    await database.pool.execute("DELETE FROM ou_memberships WHERE unit_id = $1", acme.made.unit_id)
    refused(await acme.http.get("/leads"), 400, "no_active_ou")


async def test_choosing_a_unit_sets_the_cookie_that_later_requests_carry(acme: Org, database: Database) -> None:
    second = await add_unit(database, acme.made, "Operator")
    response = await acme.http.post("/org-units/active", json={"ouId": second})
    assert (response.status_code, response.content) == (204, b"")
    assert (response.headers["x-org-id"], response.headers["x-unit-id"]) == (acme.made.org_id, second)
    value, *attributes = response.headers["set-cookie"].split("; ")
    assert value == f"activeOu={second}"
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(attributes)
    assert await works(await acme.http.post("/rulesets", json=RULESET)) == second


async def test_an_outdated_cookie_does_not_refuse_the_way_to_a_better_one(acme: Org, rival: Org) -> None:
    cookie = {"Cookie": f"activeOu={rival.made.unit_id}"}
    refused(await acme.http.get("/leads", headers=cookie), 404)
    response = await acme.http.post("/org-units/active", json={"ouId": acme.made.unit_id}, headers=cookie)
    assert response.status_code == 204


async def test_a_unit_that_is_not_the_callers_cannot_be_chosen(acme: Org, rival: Org, database: Database) -> None:
    closed = await add_unit(database, acme.made, None)
    for unit_id, status in ((rival.made.unit_id, 404), ("unit_of_nobody", 404), (closed, 403), ("", 400), ("\0", 400)):
        response = await acme.http.post("/org-units/active", json={"ouId": unit_id})
        refused(response, status)
        assert "set-cookie" not in response.headers
    assert fields(refused(await acme.http.post("/org-units/active", json={}), 400)) == {"ouId"}


async def test_a_credential_can_choose_its_own_unit_only(http: httpx.AsyncClient, acme: Org, rival: Org) -> None:
    own = await http.post("/org-units/active", json={"ouId": acme.made.unit_id}, headers=acme.credential())
    assert own.status_code == 204
    other = await http.post("/org-units/active", json={"ouId": rival.made.unit_id}, headers=acme.credential())
    refused(other, 400)


async def test_a_login_gives_a_token_that_works(http: httpx.AsyncClient, acme: Org, database: Database) -> None:
    email = await database.pool.fetchval("SELECT email FROM members WHERE org_member_id = $1", acme.made.org_member_id)
    response = await http.post("/auth/login", json={"email": f" {email.upper()}", "password": PASSWORD})
    assert response.status_code == 200 and set(response.json()) == {"token"}
    assert (await http.get("/leads", headers=bearer(response.json()["token"]))).status_code == 200
    wrong = await http.post("/auth/login", json={"email": email, "password": "wrong"})
    unknown = await http.post("/auth/login", json={"email": "x" + email, "password": PASSWORD})
    assert refused(wrong, 401) == refused(unknown, 401), "an unknown e-mail looks like a wrong password"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, {"email", "password"}),
        ({"email": "a@b.example"}, {"password"}),
        ({"email": 5, "password": None}, {"email", "password"}),
        ([], {"body"}),
    ],
)
async def test_a_login_needs_both_fields(http: httpx.AsyncClient, body: Any, named: set[str]) -> None:
    assert fields(refused(await http.post("/auth/login", json=body), 400, "invalid_request")) == named


async def test_tokens_of_another_service_work_by_its_public_key(
    spare_url: str,
) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    settings = Settings(database_url=spare_url, jwt_algorithm="RS256", jwt_public_key=public.decode())
    own = await Database.open(spare_url, pool_size=1)
    try:
        made = await new_org(Authenticator(own, await Tokens.from_settings(Settings(), own)), "rsa")
    finally:
        await own.close()
    claims = {"sub": made.org_member_id, "exp": SOON}
    async with running(settings) as url, client(url) as http:
        assert (await http.get("/leads", headers=bearer(jwt.encode(claims, key, "RS256")))).status_code == 200
        refused(await http.get("/leads", headers=bearer(made.token)), 401)
        refused(await http.get("/leads", headers=bearer(_signed_with_public_key(claims, public))), 401)
        refused(await http.post("/auth/login", json={"email": "a@b.example", "password": "x"}), 401)


def _signed_with_public_key(claims: dict[str, Any], public: bytes) -> str:
    """The old attack: HS256 with the public key as secret."""

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    body = json.dumps(claims | {"exp": int(claims["exp"].timestamp())}).encode()
    signed = part(b'{"alg":"HS256","typ":"JWT"}') + "." + part(body)
    return signed + "." + part(hmac.digest(public, signed.encode(), hashlib.sha256))
