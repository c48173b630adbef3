"""The audit log: what stands in it after requests of both doors, its filters and orders, and what it never tells."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import websockets
from starlette.applications import Starlette
from websockets.typing import Subprotocol

from leadvibe.app import Application
from leadvibe.config import Settings
from leadvibe.ids import new_id
from leadvibe.pipeline.scheduler import JOBS
from leadvibe.resolvers.authentication import Authenticator
from leadvibe.store import audit_log
from leadvibe.store.database import Database
from tests.http_server import serving
from tests.rest_compat.conftest import PASSWORD, Org, add_unit, basic, bearer, client, fields, new_org, refused
from tests.rest_compat.people import add_person

EMAIL_OF = "SELECT email FROM members WHERE org_member_id = $1"


@dataclass
class Audited:
    """An organisation at a server whose trail the test flushes."""

    org: Org
    app: Starlette
    url: str

    async def log(self, **query: Any) -> list[dict[str, Any]]:
        await self.app.state.services.trail.flush()
        response = await self.org.http.get("/admin/audit-logs", params=query)
        assert response.status_code == 200, response.text
        return response.json()["items"]

    async def last(self) -> dict[str, Any]:
        """The entry of the last request."""
        return (await self.log(limit=1))[0]

    async def graphql(self, query: str, **variables: Any) -> Any:
        return (await self.org.http.post("/graphql", json={"query": query, "variables": variables})).json()


@pytest.fixture(scope="session")
async def audited_app(database_url: str) -> AsyncIterator[tuple[Starlette, str]]:
    app = Application(Settings(database_url=database_url))
    async with serving(app) as url:
        yield app, url


@pytest.fixture
async def audited(audited_app: tuple[Starlette, str], authenticator: Authenticator) -> AsyncIterator[Audited]:
    app, url = audited_app
    made = await new_org(authenticator, "audited")
    async with client(url, **bearer(made.token)) as http:
        yield Audited(Org(made, http), app, url)


async def test_a_request_is_told_in_full(audited: Audited, database: Database) -> None:
    await audited.org.http.get("/leads?search=hidden", headers={"X-Request-Id": "req-of-mine"})
    entry = await audited.last()
    email = await database.pool.fetchval(EMAIL_OF, audited.org.made.org_member_id)
    assert entry.pop("id").startswith("al_")
    assert datetime.now(UTC) - datetime.fromisoformat(entry.pop("created_at")) < timedelta(minutes=1)
    assert 0 <= entry.pop("latency_ms") < 60_000
    assert entry == {
        "org_id": audited.org.made.org_id,
        "unit_id": audited.org.made.unit_id,
        "user_email": email,
        "method": "GET",
        "path": "/leads",
        "status": 200,
        "code": None,
        "ip": "127.0.0.1",
        "request_id": "req-of-mine",
        "requests": 1,
        "verb": "Viewed",
        "sentence": f"{email} viewed leads",
        "operation": None,
        "fields": [],
    }


async def test_failures_are_told_with_their_code(audited: Audited) -> None:
    await audited.org.http.get("/score/ld_none")
    entry = await audited.last()
    assert (entry["path"], entry["status"], entry["code"]) == ("/score/ld_none", 404, "not_found")
    assert entry["sentence"].endswith("failed to view score ld_none (404)")
    await audited.org.http.post("/rules", json={"event_type": "demo"})
    entry = await audited.last()
    assert (entry["method"], entry["status"], entry["code"], entry["verb"]) == (
        "POST",
        400,
        "invalid_request",
        "Created",
    )


async def test_a_credential_is_told_by_its_client_id(audited: Audited) -> None:
    made = audited.org.made
    async with client(audited.url, **basic(made.client_id, made.client_secret)) as http:
        assert (await http.post("/ingest", json={"event_type": "demo", "lead_id": "ld_1"})).status_code == 202
    assert [entry["path"] for entry in await audited.log(user_email=made.client_id)] == ["/ingest"]


async def test_a_refused_role_and_a_foreign_unit_are_told(audited: Audited, database: Database) -> None:
    made = audited.org.made
    async with client(audited.url, **basic(made.client_id, made.client_secret)) as http:
        refused(await http.get("/admin/audit-logs"), 403)
    assert (await audited.last())["status"] == 403
    other = await add_unit(database, made, None)
    refused(await audited.org.http.get("/leads", headers={"X-Unit-Id": other}), 403, "not_a_member")
    entry = await audited.last()
    assert (entry["status"], entry["code"], entry["unit_id"]) == (403, "not_a_member", made.unit_id)


async def test_without_credentials_nothing_is_told(audited: Audited, http: httpx.AsyncClient) -> None:
    before = len(await audited.log())
    async with client(audited.url) as stranger:
        await stranger.get("/leads")
        await stranger.get("/livez")
        await stranger.get("/leads", headers=bearer("nonsense"))
    assert len(await audited.log()) == before + 1, "only the one for the log itself"


async def test_graphql_is_told_by_operation_and_fields(audited: Audited) -> None:
    query = """
        mutation Secretive($input: RuleInput!) { mine: createRule(input: $input) { ruleId } ...More }
        fragment More on Mutation { rescore { id } }
    """
    answer = await audited.graphql(query, input={"eventType": "told_nowhere", "weight": 5})
    assert "errors" not in answer
    entry = await audited.last()
    assert (entry["operation"], entry["fields"]) == ("Secretive", ["createRule", "rescore"])
    assert (entry["path"], entry["verb"], entry["status"]) == ("/graphql", "Created", 200)
    assert entry["sentence"].endswith("created rule, rescore")
    assert "told_nowhere" not in str(entry)


async def test_a_failure_in_graphql_has_the_status_of_rest(audited: Audited) -> None:
    await audited.graphql('query Look { leads { totalCount } job(id: "job_none") { id } }')
    entry = await audited.last()
    assert (entry["status"], entry["code"], entry["verb"]) == (404, "not_found", "Viewed")


async def test_each_operation_of_a_socket_is_told(audited: Audited) -> None:
    url = audited.url.replace("http", "ws") + "/graphql"
    async with websockets.connect(url, subprotocols=[Subprotocol("graphql-transport-ws")]) as socket:

        async def send(message: dict[str, Any]) -> None:
            await socket.send(json.dumps(message))
            await socket.recv()

        headers = bearer(audited.org.made.token)
        await send({"type": "connection_init", "payload": headers})
        for name, field in (("One", "leads { totalCount }"), ("Two", "usage { overage }")):
            await send({"id": name, "type": "subscribe", "payload": {"query": f"query {name} {{ {field} }}"}})
            assert json.loads(await socket.recv())["type"] == "complete"
    told = [(entry["operation"], entry["fields"]) for entry in await audited.log(search="graphql")]
    assert sorted(told) == [("One", ["leads"]), ("Two", ["usage"])]


async def test_secrets_stand_in_no_row(audited: Audited, database: Database) -> None:
    made, token = audited.org.made, audited.org.made.token
    async with client(audited.url) as stranger:
        answer = await stranger.post("/auth/login", json={"email": "nobody@x.example", "password": PASSWORD})
        assert answer.status_code in (401, 429)
        await stranger.get(f"/leads?token={token}", headers=bearer(token))
        await stranger.get("/leads", headers=basic(made.client_id, made.client_secret))
        login = "mutation Login($p: String!) { a: __typename leads: __typename }"
        await stranger.post("/graphql", json={"query": login, "variables": {"p": PASSWORD}}, headers=bearer(token))
    await audited.log()
    rows = await database.pool.fetch("SELECT a::text AS row FROM audit_log a WHERE unit_id = $1", made.unit_id)
    text = " ".join(row["row"] for row in rows)
    assert "/leads" in text
    for secret in (token, made.client_secret, PASSWORD, token.split(".")[2]):
        assert secret not in text


async def test_a_strange_path_is_told_too(audited: Audited) -> None:
    await audited.org.http.get("/leads/a%00b/" + "x" * 2_000)
    await audited.org.http.get("/score/nul%00")
    entry = await audited.last()
    assert entry["path"] == "/score/nul\ufffd"
    assert entry["status"] == 404


async def test_only_admins_read_it_and_only_their_units(audited: Audited, acme: Org, database: Database) -> None:
    await audited.org.http.get("/channels")
    await audited.app.state.services.trail.flush()
    items = (await acme.http.get("/audit-logs")).json()["items"]
    assert all(item["unit_id"] == acme.made.unit_id for item in items)
    await database.pool.execute("UPDATE members SET role = 'editor' WHERE org_member_id = $1", acme.made.org_member_id)
    refused(await acme.http.get("/admin/audit-logs"), 403)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 501}, "limit"),
        ({"offset": -1}, "offset"),
        ({"method": "BREW"}, "method"),
        ({"sort_by": "actor"}, "sort_by"),
        ({"sort_order": "asc"}, "sort_order"),
        ({"status_min": "x"}, "status_min"),
    ],
)
async def test_wrong_parameters_are_400(anybody: Org, query: dict[str, Any], field: str) -> None:
    assert fields(refused(await anybody.http.get("/admin/audit-logs", params=query), 400)) == {field}


async def test_old_entries_are_forgotten(audited: Audited, database: Database) -> None:
    now = datetime.now(UTC)
    unit_id = audited.org.made.unit_id
    await audit_log.append(
        database, [_row(unit_id, i, now - timedelta(days=days)) for i, days in enumerate((89, 91, 500))]
    )
    assert "gone" in await JOBS["purge-audit"].run(database, now)
    rows = await database.pool.fetch("SELECT path FROM audit_log WHERE unit_id = $1", unit_id)
    assert [row["path"] for row in rows if row["path"].startswith("/n")] == ["/n0"]


def _row(unit_id: str, number: int, at: datetime, chance: random.Random | None = None) -> tuple[Any, ...]:
    pick = chance or random.Random(number)
    method = pick.choice(["GET", "POST", "PUT", "PATCH", "DELETE"])
    return (
        unit_id,
        at,
        new_id("al"),
        "org_1",
        "om_1",
        pick.choice(["ada@x.example", "bob_%@x.example", "Cyd@X.example", "lv_ci_1"]),
        method,
        f"/n{number}" if chance is None else pick.choice(["/rules", "/leads/50%", "/leads/500", "/Rules_1"]),
        pick.choice([200, 201, 204, 400, 404, 500]),
        None,
        pick.choice(["127.0.0.1", "203.0.113.9", "::1"]),
        pick.randrange(5),
        "req_1",
        1,
        "Viewed" if method == "GET" else "Updated",
        None,
        [],
    )


Row = dict[str, Any]


def naive(rows: Sequence[Row], query: dict[str, Any]) -> list[str]:
    """The ids that a list shows, the plain way."""

    def shown(row: Row) -> bool:
        piece = query.get("search", "").lower()
        return (
            any(piece in row[name].lower() for name in ("user_email", "path", "ip"))
            and query.get("method", row["method"]) == row["method"]
            and query.get("status_min", 0) <= row["status"] <= query.get("status_max", 999)
            and query.get("user_email", row["user_email"]) == row["user_email"]
            and not (query.get("hide_read_only") and row["verb"] == "Viewed")
        )

    key = query.get("sort_by", "created_at")
    ordered = sorted(
        filter(shown, rows),
        key=lambda row: (row[key], row["created_at"], row["audit_id"]),
        reverse=query.get("sort_order", "DESC") == "DESC",
    )
    first = query.get("offset", 0)
    return [row["audit_id"] for row in ordered[first : first + query.get("limit", 100)]]


async def test_every_filter_and_order_is_the_plain_one(
    audited: Audited, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audited.app.state.services.trail, "add", lambda note: None)  # what this test asks itself
    chance, unit_id = random.Random(7), audited.org.made.unit_id
    start = datetime(2026, 1, 1, tzinfo=UTC)
    data = [_row(unit_id, n, start + timedelta(seconds=chance.randrange(40)), chance) for n in range(150)]
    await audit_log.append(database, data)
    rows = [dict(zip(audit_log.COLUMNS, row, strict=True)) for row in data]
    queries: list[dict[str, Any]] = [
        {"sort_by": column, "sort_order": order} for column in audit_log.SORTS for order in ("ASC", "DESC")
    ]
    choices: dict[str, list[Any]] = {
        "search": ["", "x.EXAMPLE", "50%", "_", "127", "rules"],
        "method": ["GET", "PATCH"],
        "status_min": [0, 201, 400],
        "status_max": [200, 404],
        "user_email": ["ada@x.example", "nobody"],
        "hide_read_only": [True],
        "offset": [3, 200],
        "limit": [1, 20, 500],
    }
    for _ in range(60):
        query = {name: chance.choice(values) for name, values in choices.items() if chance.random() < 0.35}
        queries.append(query | chance.choice(queries[:14]))
    for query in queries:
        response = await audited.org.http.get("/admin/audit-logs", params={"limit": 100} | query)
        body = response.json()
        assert (body["limit"], body["offset"]) == (query.get("limit", 100), query.get("offset", 0))
        assert [item["id"] for item in body["items"]] == naive(rows, query), query


async def test_graphql_pages_in_every_order(audited: Audited, database: Database) -> None:
    chance, unit_id = random.Random(8), audited.org.made.unit_id
    start = datetime(2026, 1, 1, tzinfo=UTC)
    data = [_row(unit_id, n, start + timedelta(seconds=chance.randrange(5)), chance) for n in range(50)]
    await audit_log.append(database, data)
    rows = [dict(zip(audit_log.COLUMNS, row, strict=True)) for row in data]
    query = """
        query Log($by: AuditSort!, $down: Boolean!, $after: String) {
            auditLogs(first: 17, after: $after, sortBy: $by, descending: $down, filter: {statusMin: 201}) {
                totalCount nodes { id } pageInfo { hasNextPage endCursor }
            }
        }
    """
    for column in audit_log.SORTS:
        for down in (True, False):
            wanted = naive(rows, {"sort_by": column, "sort_order": "DESC" if down else "ASC", "status_min": 201})
            found, after, more = [], None, True
            while more:
                answer = await audited.graphql(query, by=column.upper(), down=down, after=after)
                page = answer["data"]["auditLogs"]
                assert page["totalCount"] == len(wanted)
                found += [node["id"] for node in page["nodes"]]
                more, after = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]
            assert found == wanted


async def test_every_order_is_read_from_an_index(audited: Audited, database: Database) -> None:
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        for column in audit_log.SORTS:
            keys = ", ".join(f"{name} DESC" for name in dict.fromkeys((column, "created_at", "audit_id")))
            plan = await connection.fetch(
                f"EXPLAIN SELECT * FROM audit_log WHERE unit_id = 'u' ORDER BY {keys} LIMIT 10"
            )
            text = "\n".join(row[0] for row in plan)
            assert "Index Scan" in text and "Sort" not in text, text


async def test_stopping_writes_what_waits(database_url: str, authenticator: Authenticator, database: Database) -> None:
    made = await new_org(authenticator, "stopping")
    async with (
        serving(Application(Settings(database_url=database_url))) as url,
        client(url, **bearer(made.token)) as http,
    ):
        await asyncio.gather(*(http.get("/channels") for _ in range(5)))
    count = await database.pool.fetchval("SELECT count(*) FROM audit_log WHERE unit_id = $1", made.unit_id)
    assert count == 5


async def test_whoever_is_removed_is_still_told_of_by_name(audited: Audited, authenticator: Authenticator) -> None:
    person = await add_person(authenticator, audited.org.made)
    await audited.org.http.get("/me", headers=person.headers)
    pair = (await audited.org.http.post("/secrets", json={"name": "short-lived"})).json()
    await audited.org.http.get("/channels", headers=basic(pair["client_id"], pair["client_secret"]))
    assert (await audited.org.http.delete(f"/members/{person.org_member_id}")).status_code == 204
    assert (await audited.org.http.delete(f"/secrets/{pair['secret_id']}")).status_code == 204
    assert [entry["path"] for entry in await audited.log(user_email=person.email)] == ["/me"]
    assert [entry["path"] for entry in await audited.log(user_email=pair["client_id"])] == ["/channels"]
