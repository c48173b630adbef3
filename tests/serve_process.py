"""`leadvibe` as a process of its own, for tests: the command, and `leadvibe serve` on a data directory."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import httpx
import orjson
import psutil

COMMAND = [sys.executable, "-m", "leadvibe"]
PATIENCE = 60.0


def environment(data_dir: Path, **settings: str) -> dict[str, str]:
    """This process's environment with no settings but these, and a port that the system gives."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LEADVIBE_")}
    return clean | {"LEADVIBE_DATA_DIR": str(data_dir), "LEADVIBE_PORT": "0", "COLUMNS": "200"} | settings


def leadvibe(data_dir: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """One command, run to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(data_dir, **settings),
        cwd=data_dir,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """What a command that failed says: something for the user, no traceback."""
    assert done.returncode not in (0, -signal.SIGTERM), done.stdout
    assert "Traceback" not in done.stderr and 'File "' not in done.stderr, done.stderr
    assert done.stderr.strip()
    return done.stderr


def until(condition: Callable[[], Any], what: str) -> Any:
    """The condition's value, as soon as it is true: for what no event tells of, such as processes."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen in {PATIENCE:.0f} s"
        time.sleep(0.05)
    return value


@dataclass
class Serve:
    """A running `leadvibe serve`. `greeting` is all that it printed when it was ready."""

    process: subprocess.Popen[str]
    data_dir: Path
    log: Path
    _lines: Queue[str | None] = field(default_factory=Queue)
    greeting: str = ""

    def read_greeting(self) -> None:
        """Waits for the block, which ends with the line after this one's word."""
        threading.Thread(target=self._collect, daemon=True).start()
        deadline = time.monotonic() + PATIENCE
        while not re.search(r"(-d '\{.*|New credential.*)\n", self.greeting):
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                line = None
            assert line is not None, f"no greeting; it said:\n{self.greeting}\n{self.log.read_text()}"
            self.greeting += line

    def _collect(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def printed(self, pattern: str) -> str:
        found = re.search(pattern, self.greeting)
        assert found is not None, self.greeting
        return found[1]

    @property
    def url(self) -> str:
        return self.printed(r"(http://127\.0\.0\.1:\d+)\s*\n")

    @property
    def credential(self) -> tuple[str, str]:
        client_id, client_secret = self.printed(r"Credential\s+(\S+)").split(":")
        return client_id, client_secret

    def http(self, auth: tuple[str, str] | None = None, **headers: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, auth=auth, headers=headers, timeout=PATIENCE, trust_env=False)

    def children(self) -> dict[str, psutil.Process]:
        """The parts that run now, by their command (api, worker, scheduler, deliver)."""
        found = {}
        for child in psutil.Process(self.process.pid).children():
            line = child.cmdline()
            if "leadvibe" in line and child.status() != psutil.STATUS_ZOMBIE:
                found[line[line.index("leadvibe") + 1]] = child
        return found

    def postgres(self) -> psutil.Process:
        """The embedded server's main process."""
        return psutil.Process(int((cluster_of(self.data_dir) / "postmaster.pid").read_text().split()[0]))

    def family(self) -> list[psutil.Process]:
        """Every process that must end with this one."""
        return [*psutil.Process(self.process.pid).children(recursive=True), self.postgres()]


def home_of(data_dir: Path) -> Path | None:
    """Where root's stand-in keeps the data directory's PostgreSQL; None for every other user."""
    pointer = data_dir / "cluster"
    return Path("/var/lib/leadvibe") / pointer.read_text().strip() if pointer.exists() else None


def cluster_of(data_dir: Path) -> Path:
    return (home_of(data_dir) or data_dir) / "postgres"


def runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def serving(data_dir: Path, **settings: str) -> Iterator[Serve]:
    """`leadvibe serve` until the end of the context, however it ends there."""
    data_dir.mkdir(exist_ok=True)
    log = data_dir.with_suffix(".log")
    with log.open("a") as stderr:
        process = subprocess.Popen(
            [*COMMAND, "serve"],
            env=environment(data_dir, **settings),
            cwd=data_dir,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    serve = Serve(process, data_dir, log)
    try:
        serve.read_greeting()
        yield serve
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(PATIENCE)


def remove_cluster(data_dir: Path) -> None:
    """Root's PostgreSQL files are not under the data directory, so that nobody else removes them."""
    home = home_of(data_dir)
    if home is not None and home.is_dir():
        shutil.rmtree(home)


def scores(stream: httpx.Response) -> Iterator[dict[str, Any]]:
    """The score updates of an open `GET /stream`."""
    name = ""
    for line in stream.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: ") and name == "score_update":
            yield orjson.loads(line.removeprefix("data: "))
