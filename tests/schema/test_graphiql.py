"""GraphiQL comes from the server itself: a browser without internet can use it."""

from __future__ import annotations

import re

import pytest

from tests.schema.conftest import Server


async def test_a_browser_gets_a_page_whose_files_the_server_has(server: Server) -> None:
    response = await server.http.get("/graphql", headers={"Accept": "text/html"})
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    loaded = re.findall(r'(?:src|href)="([^"]+)"', response.text)
    files = [name for name in loaded if not name.startswith("data:")]
    assert len(files) == 5
    for name in files:
        assert "//" not in name, "nothing comes from elsewhere"
        asset = await server.http.get("/" + name)
        assert asset.status_code == 200
        assert len(asset.content) > 5_000


@pytest.mark.parametrize(
    "path", ["/graphql/assets/../app.py", "/graphql/assets/%2e%2e/__init__.py", "/graphql/assets/"]
)
async def test_only_the_assets_are_served(server: Server, path: str) -> None:
    assert (await server.http.get(path)).status_code == 404


async def test_a_client_that_accepts_json_may_ask_by_get(server: Server) -> None:
    response = await server.http.get("/graphql", params={"query": "{ __typename }"})
    assert response.json()["data"] == {"__typename": "Query"}


async def test_a_mutation_by_get_is_refused(server: Server) -> None:
    query = 'mutation { login(input: {email: "a", password: "b"}) { token } }'
    response = await server.http.get("/graphql", params={"query": query})
    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")
    assert response.json()["errors"][0]["extensions"]["code"] == "method_not_allowed"
