"""The service itself: root, home, health and metrics."""

from __future__ import annotations

import re

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from leadvibe.config import Settings
from leadvibe.live.publisher import Publisher
from leadvibe.pipeline.worker import Worker
from leadvibe.store.database import connect
from tests.rest_compat.conftest import Org, Scoring, client, running

EVENT = {"event_type": "page_view", "lead_id": "ld_1"}

# Name, type and words of the reference, by what they are called without a counter's _total.
REFERENCE = """
# HELP events_ingested_total Total number of events ingested (accepted).
# TYPE events_ingested_total counter
# HELP queue_depth Current depth of the async processing queue.
# TYPE queue_depth gauge
# HELP event_to_slack_latency_seconds Latency in seconds from event ingestion to Slack notification.
# TYPE event_to_slack_latency_seconds histogram
# HELP http_requests_total Total number of HTTP requests by status code and method.
# TYPE http_requests_total counter
"""


@pytest.mark.parametrize(
    ("path", "body"),
    [("/", {"status": "ok"}), ("/home", {"status": "ok", "page": "home"}), ("/livez", {"status": "ok"})],
)
@pytest.mark.parametrize("accept", ["*/*", "application/json"])
async def test_the_server_says_that_it_is_there(
    http: httpx.AsyncClient, path: str, body: dict[str, str], accept: str
) -> None:
    response = await http.get(path, headers={"Accept": accept})
    assert (response.status_code, response.json()) == (200, body)


@pytest.mark.parametrize("path", ["/", "/home"])
async def test_a_browser_gets_a_page_whose_links_work(http: httpx.AsyncClient, scoring: Scoring, path: str) -> None:
    accept = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    response = await http.get(path, headers=accept)
    assert response.headers["content-type"].startswith("text/html")
    links = re.findall(r'href="([^"]+)"', response.text)
    assert len(links) >= 3
    for link in links:
        assert (await http.get(link, headers=accept)).status_code == 200, link


async def test_a_server_is_ready_as_long_as_a_worker_is_connected(spare_url: str) -> None:
    async with running(Settings(database_url=spare_url)) as url, client(url) as http:
        response = await http.get("/readyz")
        assert response.status_code == 503
        body = response.json()
        assert (body["ready"], body["database"], body["queue"]) == (False, "ok", "ok")
        assert "no scoring worker" in body["workers"]
        assert (await http.get("/livez")).status_code == 200, "it is alive all the same"
        connection = await Worker(spare_url, Publisher("memory://"), 1).connect()
        response = await http.get("/readyz")
        await connection.close()
        assert (response.status_code, response.json()) == (
            200,
            {"ready": True, "database": "ok", "queue": "ok", "workers": "ok"},
        )


async def test_a_queue_that_stands_still_is_not_ready(acme: Org, scoring: Scoring, database_url: str) -> None:
    await acme.ingest(EVENT)
    connection = await connect(database_url)
    statement = "UPDATE ingest_queue SET received_at = received_at - interval '5 minutes' WHERE unit_id = $1"
    await connection.execute(statement, acme.made.unit_id)
    await connection.close()
    response = await acme.http.get("/readyz")
    assert response.status_code == 503 and "waited 300 s" in response.json()["queue"]
    await scoring.finish()
    assert (await acme.http.get("/readyz")).status_code == 200


async def test_a_server_without_its_database_is_not_ready_and_says_nothing_of_it(
    spare_url: str, server_url: str
) -> None:
    async with running(Settings(database_url=spare_url)) as url, client(url) as http:
        name = re.search(r"/(spare_\w+)", spare_url)
        assert name is not None
        connection = await connect(server_url)
        await connection.execute(f"ALTER DATABASE {name[1]} ALLOW_CONNECTIONS false")
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name[1])
        for _ in range(3):
            response = await http.get("/readyz")
            assert response.status_code == 503
            assert response.json()["database"] == "cannot be reached"
            assert name[1] not in response.text
        assert (await http.get("/livez")).status_code == 200
        await connection.execute(f"ALTER DATABASE {name[1]} ALLOW_CONNECTIONS true")
        await connection.close()
        assert (await http.get("/readyz")).json()["database"] == "ok", "it comes back by itself"


async def test_metrics_have_the_families_of_the_reference(http: httpx.AsyncClient) -> None:
    response = await http.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    for line in REFERENCE.strip().splitlines():
        assert line in response.text.splitlines()
    assert re.search(r"^events_ingested_total \d", response.text, re.MULTILINE)
    assert "_created" not in response.text


async def _sample(http: httpx.AsyncClient, name: str, **labels: str) -> float:
    families = text_string_to_metric_families((await http.get("/metrics")).text)
    found = [s.value for family in families for s in family.samples if s.name == name and s.labels == labels]
    return found[0] if found else 0.0


async def test_accepted_events_are_counted_and_others_are_not(acme: Org, scoring: Scoring) -> None:
    before = await _sample(acme.http, "events_ingested_total")
    await acme.ingest(EVENT, EVENT | {"event_id": "mine"})
    await acme.http.post("/ingest", json=[EVENT | {"event_id": "mine"}, {"event_type": "page_view"}, EVENT])
    await acme.http.post("/import", files={"file": ("a.csv", b"event_type,lead_id\na,ld_1\na,\n")})
    assert await _sample(acme.http, "events_ingested_total") - before == 4
    await scoring.finish()
    assert await _sample(acme.http, "events_ingested_total") - before == 4, "they count at the door"


async def test_the_queue_depth_follows_the_queue(acme: Org, scoring: Scoring) -> None:
    await scoring.finish()
    assert await _sample(acme.http, "queue_depth") == 0
    await acme.ingest(*[EVENT] * 7)
    assert await _sample(acme.http, "queue_depth") == 7
    await scoring.finish()
    assert await _sample(acme.http, "queue_depth") == 0


async def test_requests_are_counted_by_status_and_method(acme: Org) -> None:
    async def counts() -> list[float]:
        labels = [("200", "GET"), ("404", "GET"), ("400", "POST"), ("405", "PUT")]
        return [await _sample(acme.http, "http_requests_total", code=code, method=method) for code, method in labels]

    before = await counts()
    await acme.http.get("/leads")
    await acme.http.get("/score/nobody")
    await acme.http.post("/ingest", content=b"{")
    await acme.http.put("/ingest")
    after = await counts()
    # Each look at the metrics is a GET of its own: four before and one in the midst of its own count.
    assert [b - a for a, b in zip(before, after, strict=True)] == [1 + 4, 1, 1, 1]
