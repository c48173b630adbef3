"""Usage by month, and rate limits as clients meet them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from leadvibe.config import Settings
from leadvibe.resolvers.authentication import Authenticator
from leadvibe.store import usage
from leadvibe.store.database import Database
from tests.rest_compat.conftest import Org, Scoring, add_unit, basic, bearer, client, new_org, refused, running


async def used(org: Org) -> dict[str, Any]:
    response = await org.http.get("/usage")
    assert response.status_code == 200, response.text
    return response.json()


async def test_usage_counts_accepted_events_once(acme: Org, scoring: Scoring) -> None:
    first = await used(acme)
    assert (first["monthly_events"], first["overage"], first["monthly_limit"]) == (0, False, None)
    assert first["org_id"] == acme.made.org_id and first["month"] == f"{datetime.now(UTC):%Y-%m}-01"
    event = {"event_type": "demo", "lead_id": "ld_1", "event_id": "ev_1", "timestamp": "2020-01-01T00:00:00Z"}
    await acme.ingest(event, {"event_type": "visit", "lead_id": "ld_1"})
    await acme.http.post("/ingest", json=event)  # a duplicate
    await acme.http.post("/ingest", json={"event_type": "demo"})  # refused
    await scoring.finish()
    now = await used(acme)
    assert (now["monthly_events"], now["ou_monthly_events"], now["unit_id"]) == (2, 2, acme.made.unit_id)
    assert [(unit["unit_id"], unit["monthly_events"]) for unit in now["units"]] == [(acme.made.unit_id, 2)]


async def test_deleting_lowers_no_usage(acme: Org, scoring: Scoring) -> None:
    await acme.ingest(*({"event_type": "demo", "lead_id": "ld_1", "event_id": f"ev_{n}"} for n in range(3)))
    await scoring.finish()
    await acme.http.request("DELETE", "/events/batch", json={"ids": ["ev_0"]})
    await acme.http.delete("/leads/ld_1")
    assert (await used(acme))["monthly_events"] == 3


async def test_months_are_counted_apart(acme: Org, database: Database) -> None:
    unit_id, now = acme.made.unit_id, datetime.now(UTC)
    month = usage.month_of(now)
    before = datetime(month.year - 1, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    moments = [before, datetime(month.year, 1, 1, tzinfo=UTC), now, now]
    async with database.pool.acquire() as connection:
        await usage.count(connection, unit_id, moments)
        await usage.count(connection, unit_id, [before])
    rows = dict(await database.pool.fetch("SELECT month, events FROM usage_counts WHERE unit_id = $1", unit_id))
    assert rows[date(month.year - 1, 12, 1)] == 2
    assert sum(rows.values()) == 5
    assert (await used(acme))["monthly_events"] == rows[month]


async def test_usage_is_of_the_organisation_and_its_units(acme: Org, rival: Org, database: Database) -> None:
    other = await add_unit(database, acme.made, None)
    async with database.pool.acquire() as connection:
        await usage.count(connection, other, [datetime.now(UTC)] * 7)
        await usage.count(connection, acme.made.unit_id, [datetime.now(UTC)] * 2)
    now = await used(acme)
    assert (now["monthly_events"], now["ou_monthly_events"]) == (9, 2)
    assert {unit["unit_id"]: unit["monthly_events"] for unit in now["units"]} == {acme.made.unit_id: 2, other: 7}
    await database.pool.execute("UPDATE members SET role = 'viewer' WHERE org_member_id = $1", acme.made.org_member_id)
    now = await used(acme)
    assert now["monthly_events"] == 9 and len(now["units"]) == 1, "a unit of others is not named"
    assert (await used(rival))["monthly_events"] == 0


async def test_a_plan_has_a_limit(database_url: str, authenticator: Authenticator, database: Database) -> None:
    made = await new_org(authenticator, "plan")
    settings = Settings(database_url=database_url, monthly_events=2)
    async with running(settings) as url, client(url, **bearer(made.token)) as http, database.pool.acquire() as c:
        for events, overage in ((2, False), (3, True)):
            await usage.count(c, made.unit_id, [datetime.now(UTC)] * (events if events == 2 else 1))
            body = (await http.get("/usage")).json()
            assert (body["monthly_events"], body["overage"], body["monthly_limit"]) == (events, overage, 2)


async def test_a_credential_asks_for_neither(server: str, acme: Org) -> None:
    async with client(server, **acme.credential()) as http:
        for path in ("/usage", "/me/rate-limit"):
            assert (await http.get(path)).status_code == 403


async def test_limits_that_are_off_say_so(acme: Org) -> None:
    answer = await acme.http.get("/me/rate-limit")
    assert answer.json() == {
        "enabled": False,
        "mode": "off",
        "key_by": "org",
        "key": acme.made.org_id,
        "rps": 100.0,
        "burst": 200,
        "stage": "production",
    }


@asynccontextmanager
async def limited(database_url: str, processes: int = 1, **settings: Any) -> AsyncIterator[list[str]]:
    """Servers with limits, which share a database."""
    given = {"rate_limit_mode": "enforce", "rate_limit_rps": 0.01, "rate_limit_burst": 20} | settings
    async with AsyncExitStack() as stack:
        wanted = Settings.model_validate({"database_url": database_url} | given)
        yield [await stack.enter_async_context(running(wanted)) for _ in range(processes)]


async def statuses(http: httpx.AsyncClient, count: int) -> list[int]:
    return [(await http.get("/channels")).status_code for _ in range(count)]


async def test_two_processes_share_a_limit(database_url: str, authenticator: Authenticator) -> None:
    made = await new_org(authenticator, "limited")
    async with limited(database_url, processes=2) as urls:
        told: list[int] = []
        for url in urls * 2:
            async with client(url, **bearer(made.token)) as http:
                told += await statuses(http, 12)
        assert told.count(200) <= 20 < len(told) and set(told) == {200, 429}
        assert told.count(200) >= 20 - 2 * 2, "all but what the processes have leased"
        async with client(urls[0], **bearer(made.token)) as http:
            answer = await http.get("/channels")
            refused(answer, 429, "rate_limited")
            assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize("key_by", ["org", "ou", "client", "ip"])
async def test_the_key_decides_who_shares(database_url: str, authenticator: Authenticator, key_by: str) -> None:
    made, other = await new_org(authenticator, "limited"), await new_org(authenticator, "other")
    async with limited(database_url, rate_limit_key=key_by, rate_limit_burst=3) as (url,), AsyncExitStack() as stack:
        senders = [bearer(made.token), basic(made.client_id, made.client_secret), bearer(other.token)]
        mine, machine, foreign = [await stack.enter_async_context(client(url, **each)) for each in senders]
        limit = (await mine.get("/me/rate-limit")).json()
        keys = {"org": made.org_id, "ou": made.unit_id, "client": made.org_member_id, "ip": "127.0.0.1"}
        assert (limit["enabled"], limit["key_by"], limit["key"]) == (True, key_by, keys[key_by])
        assert await statuses(mine, 3) == [200, 200, 429]
        assert await statuses(machine, 1) == [200 if key_by == "client" else 429]
        assert await statuses(foreign, 1) == [429 if key_by == "ip" else 200]


async def test_graphql_is_limited_by_operation(database_url: str, authenticator: Authenticator) -> None:
    made = await new_org(authenticator, "limited")
    query = {"query": "{ a: leads { totalCount } b: leads { totalCount } rateLimit { mode } }"}
    async with limited(database_url, rate_limit_burst=2) as (url,), client(url, **bearer(made.token)) as http:
        for _ in range(2):
            assert "errors" not in (await http.post("/graphql", json=query)).json()
        body = (await http.post("/graphql", json=query)).json()
        assert {error["extensions"]["code"] for error in body["errors"]} == {"rate_limited"}
        assert body["errors"][0]["extensions"]["retryAfter"] >= 1
        mutation = {"query": "mutation { a: rescore { id } b: rescore { id } }"}
        body = (await http.post("/graphql", json=mutation)).json()
        assert body["data"] == {"a": None, "b": None}, "the second field is refused as well"


async def test_an_array_of_events_is_one_request(database_url: str, authenticator: Authenticator) -> None:
    made = await new_org(authenticator, "limited")
    events = [{"event_type": "demo", "lead_id": f"ld_{n}"} for n in range(50)]
    async with limited(database_url, rate_limit_burst=1) as (url,), client(url, **bearer(made.token)) as http:
        assert (await http.post("/ingest", json=events)).json()["accepted"] == 50
        assert (await http.post("/ingest", json=events)).status_code == 429


async def test_observed_limits_refuse_nobody(database_url: str, authenticator: Authenticator) -> None:
    made = await new_org(authenticator, "limited")
    async with (
        limited(database_url, rate_limit_mode="observe", rate_limit_burst=1) as (url,),
        client(url, **bearer(made.token)) as http,
    ):
        assert await statuses(http, 4) == [200] * 4
        metrics = (await http.get("/metrics")).text
        assert 'leadvibe_rate_limited_requests_total{key_by="org",mode="observe"}' in metrics
