"""`leadvibe serve` as a process: what it prints, that it works, that it heals, and that it stops."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from websockets import ConnectionClosed, Subprotocol
from websockets.sync.client import ClientConnection, connect

from tests.serve_process import (
    COMMAND,
    Serve,
    environment,
    leadvibe,
    refusal,
    remove_cluster,
    runs,
    scores,
    serving,
    until,
)

# More than the API's grace for open streams, and much less than the supervisor's last resort.
_SECONDS_TO_STOP = 12


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("serve") / "data"
    yield folder
    remove_cluster(folder)


@pytest.fixture(scope="module")
def serve(data_dir: Path) -> Iterator[Serve]:
    with serving(data_dir) as running:
        yield running


def ingest_and_score(http: httpx.Client, lead_id: str, resume: str = "0:1") -> int:
    """Sends a demo_request of the lead and returns its score as the stream tells it."""
    response = http.post("/ingest", json={"event_type": "demo_request", "lead_id": lead_id})
    assert response.status_code == 202, response.text
    with http.stream("GET", "/stream", headers={"Last-Event-ID": resume}) as stream:
        return next(update["score"] for update in scores(stream) if update["lead_id"] == lead_id)


def test_a_fresh_start_prints_where_it_is_and_how_to_log_in(serve: Serve) -> None:
    assert serve.printed(r"ready at (\S+)") == serve.url
    for page in ("/graphql", "/openapi.json", "/metrics"):
        assert serve.url + page in serve.greeting
    client_id, client_secret = serve.credential
    assert client_id.startswith("lv_ci_") and client_secret.startswith("lv_cs_")
    with serve.http() as http:
        for path in ("/", "/livez", "/readyz", "/metrics", "/openapi.json"):
            assert http.get(path).status_code == 200, path
        assert http.get("/graphql", headers={"Accept": "text/html"}).status_code == 200


def test_the_printed_login_works(serve: Serve) -> None:
    email, password = serve.printed(r"Login\s+(\S+ / \S+)").split(" / ")
    with serve.http() as http:
        token = http.post("/auth/login", json={"email": email, "password": password}).json()["token"]
        assert http.get("/leads", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_the_printed_credential_ingests_and_the_score_is_readable(serve: Serve) -> None:
    with serve.http(serve.credential) as http:
        rule = http.post("/rules", json={"event_type": "demo_request", "weight": 40})
        assert rule.status_code == 201, rule.text
        assert ingest_and_score(http, "ld_first") == 40
        assert http.get("/score/ld_first").json()["score"] == 40


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_printed_curl_line_works_as_it_is(serve: Serve) -> None:
    line = serve.printed(r"(curl [^\n]*\\\n[^\n]*)\n")
    done = subprocess.run(
        ["bash", "-c", line.replace("curl ", "curl -s -w '%{http_code}' ", 1)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stdout.endswith("202"), (line, done.stdout, done.stderr)


@pytest.mark.parametrize("part", ["api", "worker", "scheduler", "deliver"])
def test_a_killed_part_is_started_again(serve: Serve, part: str) -> None:
    victim = serve.children()[part]
    victim.kill()
    victim.wait(10)
    started = until(lambda: serve.children().get(part), f"a new {part}")
    assert started.pid != victim.pid
    with serve.http(serve.credential) as http:
        assert ingest_and_score(http, f"ld_after_{part}") == 40
        until(lambda: http.get("/readyz").status_code == 200, "readiness")
    assert f"{part} 1 ended with status -9" in serve.log.read_text()


def test_a_taken_port_is_told_in_a_sentence(serve: Serve, data_dir: Path) -> None:
    port = serve.url.rpartition(":")[2]
    told = refusal(leadvibe(data_dir, "serve", LEADVIBE_PORT=port))
    assert f"127.0.0.1:{port}" in told and "LEADVIBE_PORT" in told
    with serve.http() as http:
        assert http.get("/livez").status_code == 200, "the first one is not disturbed"
        assert http.get("/readyz").status_code == 200


@contextmanager
def subscribed(serve: Serve) -> Iterator[ClientConnection]:
    """An open subscription over a WebSocket."""
    address = serve.url.replace("http", "ws") + "/graphql"
    with connect(address, subprotocols=[Subprotocol("graphql-transport-ws")]) as socket:
        pair = b64encode(":".join(serve.credential).encode()).decode()
        socket.send(json.dumps({"type": "connection_init", "payload": {"Authorization": f"Basic {pair}"}}))
        assert json.loads(socket.recv(10))["type"] == "connection_ack"
        query = {"query": "subscription { scoreUpdated { leadId } }"}
        socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": query}))
        socket.send(json.dumps({"type": "ping"}))
        assert json.loads(socket.recv(10))["type"] == "pong", "the subscription was taken before"
        yield socket


def test_sigterm_stops_everything_though_streams_are_open(serve: Serve) -> None:
    family = serve.family()
    assert len(family) > 3
    with (
        serve.http(serve.credential) as http,
        http.stream("GET", "/stream") as stream,
        subscribed(serve) as socket,
    ):
        assert stream.status_code == 200
        began = time.monotonic()
        serve.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                assert json.loads(socket.recv(10))["type"] == "complete"
        assert closed.value.rcvd is not None, "the server says good-bye"
        with pytest.raises(httpx.ConnectError), serve.http() as late:  # no queue in which nobody is served any more
            late.get("/livez")
        assert serve.process.wait(60) == 0
    assert time.monotonic() - began < _SECONDS_TO_STOP
    assert [process for process in family if runs(process)] == []


def test_a_stop_is_no_failure_in_the_log(serve: Serve) -> None:
    assert serve.process.poll() == 0, "it was stopped above"
    log = serve.log.read_text()
    assert "Traceback" not in log, log


def test_a_restart_keeps_the_data_and_a_killed_one_leaves_nothing_running(serve: Serve, data_dir: Path) -> None:
    if serve.process.poll() is None:
        serve.process.terminate()
        serve.process.wait(60)
    credential = serve.credential
    with serving(data_dir) as again:
        assert "Credential" not in again.greeting and f"{sys.executable} -m leadvibe bootstrap" in again.greeting
        with again.http(credential) as http:
            assert http.get("/score/ld_first").json()["score"] == 40
            assert ingest_and_score(http, "ld_restart") == 40
        parts, postgres = list(again.children().values()), again.postgres()
        again.process.kill()
        again.process.wait(10)
        _, alive = psutil.wait_procs(parts, timeout=30)
        assert alive == [], "the parts end with their supervisor"
    # The killed one could not stop its PostgreSQL; the next command uses it and stops it.
    done = leadvibe(data_dir, "bootstrap", "--org", "Acme", "--email", "ada@acme.example", "--password", "x")
    assert done.returncode == 0, done.stderr
    assert not runs(postgres)


def test_an_api_by_itself_stops_its_database_when_it_is_told_to_stop(serve: Serve, data_dir: Path) -> None:
    if serve.process.poll() is None:
        serve.process.terminate()
        serve.process.wait(60)
    log = data_dir.with_suffix(".api")
    with log.open("w") as stderr:
        process = subprocess.Popen([*COMMAND, "api"], env=environment(data_dir), stderr=stderr)
    until(lambda: "Application startup complete" in log.read_text(), "the start")
    postgres = serve.postgres()
    process.terminate()
    assert process.wait(60) == 128 + signal.SIGTERM
    assert not runs(postgres)
    assert "Traceback" not in log.read_text()
