"""Processes that use an embedded PostgreSQL."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

_PROGRAM = """
import sys
from pathlib import Path
from leadvibe.store.embedded import embedded_postgres

with embedded_postgres(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""
_SECONDS = 60.0


@dataclass
class User:
    """A process inside `embedded_postgres`, until it is told to leave or is killed."""

    process: subprocess.Popen[str]
    _url: str = ""

    @property
    def url(self) -> str:
        """Known as soon as the server runs."""
        assert self.process.stdout is not None
        self._url = self._url or self.process.stdout.readline().strip()
        assert self._url, "the server did not start"
        return self._url

    def leave(self) -> int:
        self.process.communicate(timeout=_SECONDS)
        return self.process.returncode

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(_SECONDS)


@contextmanager
def user_of(data_dir: Path) -> Iterator[User]:
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(data_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield User(process)
    finally:
        if process.returncode is None:
            process.communicate(timeout=_SECONDS)


def home_of(data_dir: Path) -> Path:
    """Where PostgreSQL's files are: for root they belong to another account, outside the data directory."""
    pointer = data_dir / "cluster"
    return Path("/var/lib/leadvibe") / pointer.read_text() if pointer.exists() else data_dir


def postmaster(data_dir: Path) -> psutil.Process | None:
    """The running server."""
    try:
        pid = int((home_of(data_dir) / "postgres" / "postmaster.pid").read_text().split()[0])
        process = psutil.Process(pid)
        return process if process.status() != psutil.STATUS_ZOMBIE else None
    except (FileNotFoundError, psutil.NoSuchProcess):
        return None


def kill_server(data_dir: Path) -> None:
    """SIGKILL for the server as a machine that runs out of memory does it; its children follow by themselves."""
    server = postmaster(data_dir)
    assert server is not None
    family = [server, *server.children(recursive=True)]
    server.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(family, timeout=_SECONDS)
    assert all(process.status() == psutil.STATUS_ZOMBIE for process in alive)


def remove(data_dir: Path) -> None:
    """Stops what a failed test left running and removes its files."""
    if server := postmaster(data_dir):
        server.send_signal(signal.SIGQUIT)
        server.wait(_SECONDS)
    shutil.rmtree(home_of(data_dir))
