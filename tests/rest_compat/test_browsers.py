"""What browsers are told and what their pages may do."""

from __future__ import annotations

import httpx
import pytest
import websockets

from leadvibe.config import Settings
from tests.rest_compat.conftest import Org, client, refused, running

APP = "https://app.example"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "https://other.leadvibe.example"},
    ],
)
async def test_a_page_of_another_origin_changes_nothing(
    acme: Org, http: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    """The browser remembers a Basic login and adds it to whatever any page sends."""
    sent = acme.credential() | headers
    refused(await http.post("/rulesets", json={"name": "Theirs"}, headers=sent), 403, "foreign_origin")
    mutation = {"query": 'mutation { createRuleset(input: {name: "Theirs"}) { unitId } }'}
    refused(await http.post("/graphql", json=mutation, headers=sent), 403, "foreign_origin")
    assert (await acme.http.get("/rulesets")).json() == []
    assert (await http.get("/rulesets", headers=sent)).status_code == 200, "what it cannot read it may ask for"
    url = str(http.base_url).replace("http", "ws") + "/graphql"
    with pytest.raises(websockets.InvalidStatus):
        async with websockets.connect(url, subprotocols=["graphql-transport-ws"], additional_headers=headers):
            pass


async def test_the_servers_own_pages_and_programs_may(acme: Org, server: str) -> None:
    for n, headers in enumerate(
        ({}, {"Origin": server}, {"Sec-Fetch-Site": "same-origin", "Origin": "https://x.example"})
    ):
        response = await acme.http.post("/rulesets", json={"name": f"Own {n}"}, headers=headers)
        assert response.status_code == 201, response.text


async def test_named_origins_may_call_from_their_pages(acme: Org, database_url: str) -> None:
    settings = Settings(database_url=database_url, cors_origins=f"{APP}, https://two.example")
    asking = {
        "Origin": APP,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization, x-request-id",
    }
    async with running(settings) as url, client(url) as http:
        preflight = await http.options("/rules/rl_1", headers=asking)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == APP
        assert preflight.headers["access-control-allow-credentials"] == "true"
        assert (
            await http.options("/rules/rl_1", headers=asking | {"Origin": "https://evil.example"})
        ).status_code == 400
        sent = {"Authorization": acme.http.headers["Authorization"], "Origin": APP, "Sec-Fetch-Site": "cross-site"}
        made = await http.post("/rulesets", json={"name": "Fit"}, headers=sent)
        assert made.status_code == 201 and made.headers["access-control-allow-origin"] == APP
        listed = await http.get("/events", headers=sent)
        shown = listed.headers["access-control-expose-headers"].lower()
        assert "x-total-count" in shown and "x-request-id" in shown
        evil = sent | {"Origin": "https://evil.example"}
        assert "access-control-allow-origin" not in (await http.get("/events", headers=evil)).headers


async def test_only_named_hosts_are_answered(database_url: str) -> None:
    settings = Settings(database_url=database_url, allowed_hosts="leadvibe.example, *.leadvibe.example")
    async with running(settings) as url, client(url) as http:
        for host in ("leadvibe.example", "EU.leadvibe.example:8000"):
            assert (await http.get("/home", headers={"Host": host})).status_code == 200
        for host in ("evil.example", "evilleadvibe.example", "leadvibe.example.evil.example", "[::1", ""):
            refused(await http.get("/home", headers={"Host": host}), 400, "unknown_host")
        for probe in ("/livez", "/readyz"):  # asked by address, `serve` does so too
            assert "error" not in (await http.get(probe, headers={"Host": "10.0.0.7"})).json()
        with pytest.raises(websockets.InvalidStatus):
            async with websockets.connect(
                url.replace("http", "ws") + "/graphql", subprotocols=["graphql-transport-ws"]
            ):
                pass


async def test_behind_tls_the_cookie_is_secure(acme: Org) -> None:
    for proto, secure in (("https", True), ("http", False)):
        response = await acme.http.post(
            "/org-units/active", json={"ouId": acme.made.unit_id}, headers={"X-Forwarded-Proto": proto}
        )
        attributes = response.headers["set-cookie"].lower().split("; ")
        assert ("secure" in attributes) is secure and "httponly" in attributes and "samesite=lax" in attributes


async def test_old_cookies_go_and_the_current_one_stays(http: httpx.AsyncClient) -> None:
    response = await http.post("/auth/cleanup")
    assert (response.status_code, response.content) == (204, b"")
    cookies = response.headers.get_list("set-cookie")
    assert cookies and all("max-age=0" in cookie.lower() for cookie in cookies)
    assert not any(cookie.startswith("activeOu") for cookie in cookies)


@pytest.mark.parametrize("path", ["/", "/graphql", "/auth/password/page"])
async def test_no_other_site_frames_a_page(http: httpx.AsyncClient, path: str) -> None:
    response = await http.get(path, headers={"Accept": "text/html"})
    assert response.headers["content-type"].startswith("text/html")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]


async def test_the_password_page_needs_nothing_from_elsewhere(http: httpx.AsyncClient) -> None:
    response = await http.get("/auth/password/page")
    assert "http://" not in response.text and "https://" not in response.text
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy
    assert (response.headers["referrer-policy"], response.headers["cache-control"]) == ("no-referrer", "no-store")
