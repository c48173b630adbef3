"""A server of several processes as its operator sees it: metrics, log and traces."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.operation.receiver import Collector, collecting
from tests.serve_process import Serve, remove_cluster, runs, serving, until

EVENTS = 40


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Serve]:
    data_dir = tmp_path_factory.mktemp("running") / "data"
    settings = {
        "LEADVIBE_API_PROCESSES": "2",
        "LEADVIBE_WORKERS": "2",
        "LEADVIBE_LOG_FORMAT": "json",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "NO_PROXY": "127.0.0.1",
    }
    with serving(data_dir, **settings) as running:
        yield running
    remove_cluster(data_dir)


@pytest.fixture(scope="module")
def worked(serve: Serve) -> Serve:
    """The server after some work: each request over a connection of its own, so that both APIs have some."""
    for number in range(EVENTS):
        with serve.http(serve.credential) as http:
            event = {"event_type": "view", "lead_id": f"ld_{number % 5}"}
            assert http.post("/ingest", json=event).status_code == 202
    with serve.http() as http:
        until(lambda: sample(http, "leadvibe_scoring_seconds_count") == EVENTS, "all scores")
    return serve


def samples(http: httpx.Client) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(http.get("/metrics").text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def sample(http: httpx.Client, name: str, **labels: str) -> float:
    return samples(http).get((name, tuple(sorted(labels.items()))), 0.0)


def log_of(serve: Serve) -> list[dict[str, Any]]:
    return [json.loads(line) for line in serve.log.read_text().splitlines()]


def lines_of(serve: Serve, request_id: str) -> list[dict[str, Any]]:
    """What the log has of a request; it is written when the answer is gone."""
    return until(lambda: [line for line in log_of(serve) if line.get("request_id") == request_id], "a line of it")


def test_any_process_tells_the_metrics_of_all(worked: Serve) -> None:
    for _ in range(4):  # connections of their own: whichever process takes them says the same
        with worked.http() as http:
            found = samples(http)
        assert found["events_ingested_total", ()] == EVENTS
        assert found["leadvibe_ingest_seconds_count", ()] == EVENTS
        assert found["leadvibe_scoring_seconds_count", ()] == EVENTS, "though it is the workers who score"
        assert found["leadvibe_batch_events_sum", ()] == EVENTS
        assert found["queue_depth", ()] == found["leadvibe_queue_lag_seconds", ()] == 0
        assert found["leadvibe_scoring_workers", ()] == 2
        assert 0 < found["leadvibe_scoring_seconds_sum", ()] < EVENTS * 10


def test_the_connections_of_both_apis_are_counted(worked: Serve) -> None:
    def connections(http: httpx.Client) -> float:
        return sum(sample(http, "leadvibe_pool_connections", pool="events", state=state) for state in ("idle", "used"))

    with worked.http() as http:  # each API looks every two seconds, and may find its only connection in use
        until(lambda: connections(http) >= 2, "one of each API")


def test_subscribers_of_a_process_that_died_are_gone(worked: Serve) -> None:
    with worked.http() as http, worked.http(worked.credential) as other:
        with other.stream("GET", "/stream") as stream:
            lines = stream.iter_lines()
            next(lines)
            assert sample(http, "leadvibe_subscribers") == 1
        until(lambda: sample(http, "leadvibe_subscribers") == 0, "the end of the stream")
    scored = EVENTS
    with worked.http(worked.credential) as other, other.stream("GET", "/stream") as stream:
        lines = stream.iter_lines()
        next(lines)
        before = set(pids(worked, "api"))
        for child in pids(worked, "api").values():
            child.kill()
        until(lambda: len(new := pids(worked, "api")) == 2 and not before & set(new), "two new APIs")
        with worked.http() as http:
            until(lambda: sample(http, "leadvibe_subscribers") == 0, "the forgetting of the dead")
            assert sample(http, "leadvibe_scoring_seconds_count") == scored, "what they counted stays"


def pids(serve: Serve, command: str) -> dict[int, psutil.Process]:
    """The parts of a kind that run now."""
    return {
        child.pid: child
        for child in psutil.Process(serve.process.pid).children()
        if runs(child) and command in child.cmdline()
    }


def test_a_request_id_is_taken_or_made_and_stands_in_the_log(worked: Serve) -> None:
    with worked.http(worked.credential) as http:
        mine = http.get("/leads", headers={"X-Request-Id": "shop-4711/a"})
        assert mine.headers["x-request-id"] == "shop-4711/a"
        assert http.get("/nowhere").headers["x-request-id"].startswith("req_")
        for bad in ("with space", "x" * 129, "", 'quote"'):
            assert http.get("/livez", headers={"X-Request-Id": bad}).headers["x-request-id"].startswith("req_")
    (line,) = lines_of(worked, "shop-4711/a")
    assert (line["method"], line["path"], line["status"], line["client"]) == ("GET", "/leads", 200, "127.0.0.1")
    assert line["unit"].startswith("unit_") and line["milliseconds"] > 0


def test_frequent_requests_leave_no_line_unless_they_fail(worked: Serve) -> None:
    with worked.http(worked.credential) as http:
        http.get("/readyz")
        http.post("/ingest", content=b"{", headers={"X-Request-Id": "broken"})
    lines = [line for line in log_of(worked) if line["logger"] == "leadvibe.access"]
    assert {line["path"] for line in lines if line["status"] < 400}.isdisjoint({"/ingest", "/readyz", "/metrics"})
    assert [line["status"] for line in lines_of(worked, "broken")] == [400]


def test_no_line_has_a_secret_or_a_query_string(worked: Serve) -> None:
    secret = worked.credential[1]
    email, password = worked.printed(r"Login\s+(\S+ / \S+)").split(" / ")
    with worked.http(worked.credential) as http:
        token = http.post("/auth/login", json={"email": email, "password": password}).json()["token"]
        http.get("/leads", headers={"Authorization": f"Bearer {token}"})
        http.get("/leads", params={"token": "in-the-query"}, headers={"Cookie": "activeOu=unit_of_nobody"})
        http.get("/leads", headers={"Authorization": f"Bearer {token}x"})
    text = worked.log.read_text()
    for hidden in (secret, password, token, "in-the-query", "unit_of_nobody"):
        assert hidden not in text


def test_requests_and_batches_are_traced_and_named_in_the_log(worked: Serve, collector: Collector) -> None:
    with worked.http(worked.credential) as http:
        parent = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"
        query = {"search": "words-of-mine", "limit": 0}
        answer = http.get("/leads", params=query, headers={"traceparent": parent, "X-Request-Id": "traced"})
        assert answer.status_code == 400, "the query string arrives"

    def mine() -> Any:
        return [span for span in collector.spans if span.trace_id == "ab" * 16]

    (span,) = until(mine, "the span")
    assert span.parent_id == "cd" * 8 and span.attributes["service.name"] == "leadvibe"
    assert span.attributes["service.instance.id"].startswith("api-")
    (line,) = lines_of(worked, "traced")
    assert line["trace_id"] == span.trace_id
    batches = [span for span in collector.spans if span.name == "score batch"]
    assert batches and all(span.attributes["leadvibe.unit"].startswith("unit_") for span in batches)
    assert {span.attributes["service.instance.id"].split("-")[0] for span in batches} == {"worker"}
    assert not [span for span in collector.spans if re.search("metrics|readyz|livez", str(span.attributes))]
    for hidden in ("words-of-mine", worked.credential[1]):
        assert hidden not in str(collector.spans)


def test_nothing_of_it_is_imported_while_it_is_off(tmp_path: Path) -> None:

    program = (
        "import sys\nfrom leadvibe import app, processes, tracing\ntracing.start('api')\n"
        "with tracing.span('x', unit='u'): pass\nassert tracing.ids() == {}\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
