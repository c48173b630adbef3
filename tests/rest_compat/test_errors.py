"""Whatever goes wrong has the contract's error body, and shows nothing of the inside."""

from __future__ import annotations

import asyncio
import logging
from urllib.parse import quote, urlsplit

import httpx
import pytest

from leadvibe.config import Settings
from leadvibe.resolvers.authentication import Authenticator
from leadvibe.resolvers.tokens import Tokens
from leadvibe.store.database import Database
from tests.rest_compat.conftest import Org, Scoring, bearer, client, new_org, refused, running

FAMILIES = ["/rulesets", "/rules", "/filters", "/engagement-levels"]


@pytest.mark.parametrize("path", ["/nothing", "/leads/ld_1/nothing", "/score/", "/rules/a/b", "/../etc/passwd"])
async def test_a_path_that_is_none_is_404(anybody: Org, path: str) -> None:
    response = await anybody.http.get(path, follow_redirects=True)
    refused(response, 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/ingest"), ("PUT", "/ingest"), ("POST", "/channels"), ("PATCH", "/rules"), ("GET", "/rules/rl_1")],
)
async def test_a_method_that_is_none_is_405(anybody: Org, method: str, path: str) -> None:
    response = await anybody.http.request(method, path)
    refused(response, 405, "method_not_allowed")
    assert response.headers["allow"]


@pytest.mark.parametrize(
    "lead_id", ["nobody", "%00", "a%00b", "%ff", "%ed%a0%80", "%2F", "%25", "🙂", "x" * 5_000, "'"]
)
async def test_an_id_that_is_none_is_404(anybody: Org, lead_id: str) -> None:
    refused(await anybody.http.get(f"/score/{lead_id}"), 404)


async def test_an_id_may_have_slashes(acme: Org, scoring: Scoring) -> None:
    for lead_id in ("crm/42", "x/score", "x", "a%2Fb"):
        assert (await acme.http.post("/leads", json={"id": lead_id})).status_code == 201
        path = quote(lead_id, safe="")
        for each in (f"/lead/{path}", f"/lead/{path.replace('%2F', '%2f')}"):
            assert (await acme.http.get(each)).json()["lead"]["id"] == lead_id
        assert (await acme.http.get(f"/leads/{path}/score")).json()["lead_id"] == lead_id
    await acme.ingest({"event_type": "http://a/b", "lead_id": "x", "metadata": {"key": 1}})
    await scoring.finish()
    assert (await acme.http.get("/event-types/http:%2F%2Fa%2Fb/properties")).json()["properties"] == ["key"]
    refused(await acme.http.get("/leads%2Fsearch"), 404, "not_found")
    refused(await acme.http.post("/lead/crm%2F42"), 405, "method_not_allowed")


@pytest.mark.parametrize("path", FAMILIES)
@pytest.mark.parametrize("row_id", ["nobody", "%00", "%ff", "x" * 5_000])
async def test_an_id_of_the_configuration_that_is_none_is_404(anybody: Org, path: str, row_id: str) -> None:
    refused(await anybody.http.put(f"{path}/{row_id}", json={}), 404, "not_found")
    refused(await anybody.http.delete(f"{path}/{row_id}"), 404, "not_found")


@pytest.mark.parametrize("path", ["/rules", "/auth/login", "/org-units/active"])
@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"{'name': 1}", b'{"name": "\\ud800"}', b"[" * 100_000])
async def test_a_body_that_is_not_json_is_400(anybody: Org, path: str, body: bytes) -> None:
    refused(await anybody.http.post(path, content=body), 400, "invalid_json")


@pytest.mark.parametrize("path", FAMILIES)
@pytest.mark.parametrize("body", [b"[]", b'"text"', b"5", b"null", b"true"])
async def test_a_body_that_is_no_object_is_400(anybody: Org, path: str, body: bytes) -> None:
    refused(await anybody.http.post(path, content=body), 400, "invalid_request")


async def test_a_body_that_is_too_large_is_413(anybody: Org) -> None:
    refused(await anybody.http.post("/rules", content=b" " * (16 * 1024 * 1024 + 1)), 413, "payload_too_large")


async def test_a_failure_of_the_server_is_logged_and_not_shown(
    spare_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    database = await Database.open(spare_url, pool_size=2)
    made = await new_org(Authenticator(database, await Tokens.from_settings(Settings(), database)), "broken")
    await database.pool.execute("ALTER TABLE rules RENAME TO secret_rules")
    await database.close()
    async with running(Settings(database_url=spare_url)) as url, client(url, **bearer(made.token)) as http:
        body = refused(await http.get("/rules"), 500, "internal_error")
    assert "rules" not in body["error"]
    assert "rules" in caplog.text and any(record.levelno == logging.ERROR for record in caplog.records)


async def test_the_server_outlives_clients_that_break_off(
    server: str, anybody: Org, caplog: pytest.LogCaptureFixture
) -> None:
    host, port = urlsplit(server).hostname, urlsplit(server).port
    head = f" HTTP/1.1\r\nHost: x\r\nAuthorization: {anybody.http.headers['Authorization']}\r\n".encode()
    for sent in (
        b"GET /leads HT",
        b"\x16\x03\x01\x00\xa5\x01",
        b"POST /ingest" + head + b"Content-Length: 100\r\n\r\n{",
        b"POST /import" + head + b"Content-Length: 9\r\nContent-Type: multipart/form-data\r\n\r\n--b",
    ):
        _, writer = await asyncio.open_connection(host, port)
        writer.write(sent)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    assert (await anybody.http.get("/leads")).status_code == 200
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR], "nobody failed"


@pytest.mark.parametrize("path", ["/ingest", "/import", "/rules", "/leads?limit=0"])
async def test_credentials_are_asked_for_before_anything_is_read(http: httpx.AsyncClient, path: str) -> None:
    refused(await http.request("GET" if "?" in path else "POST", path, content=b"no json"), 401, "unauthorized")


async def test_a_refusal_leaves_the_connection_usable(http: httpx.AsyncClient, acme: Org) -> None:
    refused(await http.post("/ingest", content=b"x" * 1_000_000), 401)
    assert (await http.get("/leads", headers=acme.credential())).status_code == 200
