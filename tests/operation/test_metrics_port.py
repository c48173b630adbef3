"""A process without an HTTP door tells its metrics at a port of its own."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import httpx

from tests.serve_process import COMMAND, environment, leadvibe, refusal, until


def test_a_worker_by_itself_tells_its_metrics_where_it_is_told(tmp_path: Path, database_url: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    settings = environment(tmp_path, LEADVIBE_DATABASE_URL=database_url)
    worker = subprocess.Popen([*COMMAND, "worker", "--metrics-port", port], env=settings, cwd=tmp_path)

    def told() -> str | None:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
        except httpx.TransportError:
            return None

    try:
        assert "leadvibe_scoring_seconds_count 0.0" in until(told, "an answer")
        taken = leadvibe(tmp_path, "worker", "--metrics-port", port, LEADVIBE_DATABASE_URL=database_url)
        assert port in refusal(taken)
    finally:
        worker.terminate()
        assert worker.wait(30) == 0
