"""The REST door as clients meet it: uvicorn on a real socket, a real PostgreSQL, a real scoring worker.

Database, server and worker serve the whole session; every test gets organisations of its own.
"""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from leadvibe.app import Application
from leadvibe.config import Settings
from leadvibe.ids import new_id
from leadvibe.live.publisher import Publisher
from leadvibe.pipeline.worker import Worker
from leadvibe.resolvers.authentication import Authenticator
from leadvibe.resolvers.bootstrap import Bootstrapped, bootstrap
from leadvibe.resolvers.tokens import Tokens
from leadvibe.store.database import Database
from leadvibe.store.tables import Lane, Membership, OrgUnit
from tests.conftest import QuickAuthenticator, new_database
from tests.http_server import serving

PASSWORD = "correct horse"


@pytest.fixture(scope="session")
async def database_url(server_url: str, template: str) -> AsyncIterator[str]:
    """One database for all tests of this folder."""
    async with new_database(server_url, "rest", template) as url:
        yield url


@pytest.fixture(scope="session")
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url, pool_size=4)
    yield database
    await database.close()


@pytest.fixture(scope="session")
async def authenticator(database: Database) -> Authenticator:
    return QuickAuthenticator(database, await Tokens.from_settings(Settings(), database))


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[str]:
    """A server on a port that the system gave; its URL."""
    async with serving(Application(settings)) as url:
        yield url


@pytest.fixture(scope="session")
async def server(database_url: str) -> AsyncIterator[str]:
    async with running(Settings(database_url=database_url, stream_auth="optional")) as url:
        yield url


@dataclass
class Scoring:
    """The scoring worker, which works when it is told to: a test never waits for longer than it takes."""

    worker: Worker
    connection: Any

    async def finish(self) -> None:
        """Returns when every accepted event is scored."""
        while await self.worker.run_once(self.connection):
            pass


@pytest.fixture(scope="session")
async def scoring(database_url: str) -> AsyncIterator[Scoring]:
    publisher = Publisher(database_url)
    await publisher.connect()
    worker = Worker(database_url, publisher, batch_size=500)
    connection = await worker.connect()
    yield Scoring(worker, connection)
    await connection.close()
    await publisher.close()


def client(url: str, **headers: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=30, trust_env=False)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


async def new_org(authenticator: Authenticator, name: str) -> Bootstrapped:
    return await bootstrap(authenticator, new_id(name), f"{new_id(name)}@leadvibe.example", PASSWORD)


@dataclass
class Org:
    """A fresh organisation; `http` sends as its owner. Its cookies are its own."""

    made: Bootstrapped
    http: httpx.AsyncClient

    async def rule(self, event_type: str, weight: int) -> dict[str, Any]:
        response = await self.http.post("/rules", json={"event_type": event_type, "weight": weight})
        assert response.status_code == 201, response.text
        return response.json()

    async def ingest(self, *events: dict[str, Any]) -> None:
        response = await self.http.post("/ingest", json=list(events))
        assert (response.status_code, response.json()["accepted"]) == (202, len(events)), response.text

    async def events(self, **query: Any) -> list[dict[str, Any]]:
        response = await self.http.get("/events", params=query)
        assert response.status_code == 200, response.text
        return response.json()

    async def score(self, lead_id: str) -> int:
        response = await self.http.get(f"/score/{lead_id}")
        assert response.status_code == 200, response.text
        return response.json()["score"]

    def credential(self) -> dict[str, str]:
        return basic(self.made.client_id, self.made.client_secret)


@asynccontextmanager
async def _org(server: str, authenticator: Authenticator, name: str) -> AsyncIterator[Org]:
    made = await new_org(authenticator, name)
    async with client(server, **bearer(made.token)) as http:
        yield Org(made, http)


@pytest.fixture
async def acme(server: str, authenticator: Authenticator) -> AsyncIterator[Org]:  # type: ignore[override]
    async with _org(server, authenticator, "acme") as org:
        yield org


@pytest.fixture
async def rival(server: str, authenticator: Authenticator) -> AsyncIterator[Org]:  # type: ignore[override]
    async with _org(server, authenticator, "rival") as org:
        yield org


@pytest.fixture(scope="session")
async def anybody(server: str, authenticator: Authenticator) -> AsyncIterator[Org]:
    """An organisation for requests that are refused, and so leave nothing behind."""
    async with _org(server, authenticator, "anybody") as org:
        yield org


@pytest.fixture
async def http(server: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client without credentials."""
    async with client(server) as http:
        yield http


async def add_unit(database: Database, org: Bootstrapped, role: str | None) -> str:
    """A further unit of the organisation, where its owner has the role (None: no membership)."""
    unit_id = new_id("unit")
    async with database.session() as session, session.begin():
        session.add(OrgUnit(unit_id=unit_id, org_id=org.org_id, name=unit_id, slug=unit_id))
        session.add(Lane(unit_id=unit_id))
        if role is not None:
            session.add(Membership(unit_id=unit_id, org_member_id=org.org_member_id, role=role))
    return unit_id


def refused(response: httpx.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """The body of a refusal, which has exactly the contract's shape and shows nothing of the inside."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert {"error", "code"} <= set(body) <= {"error", "code", "details"}
    assert isinstance(body["error"], str) and body["error"]
    assert re.fullmatch(r"[a-z][a-z0-9_]*", body["code"])
    assert "details" not in body or body["details"]
    for detail in body.get("details", []):
        assert set(detail) == {"field", "message"} and all(isinstance(text, str) and text for text in detail.values())
    for inside in ("Traceback", 'File "', "asyncpg", "sqlalchemy", "pydantic", "SELECT ", "leadvibe/"):
        assert inside not in response.text
    if code is not None:
        assert body["code"] == code, body
    return body


def fields(body: dict[str, Any]) -> set[str]:
    """The fields that a refusal names."""
    return {detail["field"] for detail in body.get("details", [])}


@pytest.fixture
async def spare_url(server_url: str, template: str) -> AsyncIterator[str]:
    """A database for a test that needs one to itself."""
    async with new_database(server_url, "spare", template) as url:
        yield url
