"""Backups of the database with PostgreSQL's own tools, which the embedded server's wheel brings."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit, urlunsplit

from leadvibe.store.database import connect
from leadvibe.store.embedded import binaries

_TABLES = """
SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
"""

_OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""

# Whatever schema the database has now: it goes in the transaction that brings the backup's.
_CLEAR = """
DO $$ DECLARE name regclass; BEGIN
  FOR name IN SELECT oid FROM pg_class
              WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
  LOOP EXECUTE format('DROP TABLE %s CASCADE', name); END LOOP;
END $$
"""

# PostgreSQL before 17 does not know this setting, which newer tools write at the head of a script.
_UNKNOWN_TO_OLDER = b"SET transaction_timeout = 0;\n"

# How many tables are done, of how many.
Progress = Callable[[int, int], None]


class BackupError(RuntimeError):
    """A backup could not be made or restored; the message says why."""


async def count_tables(url: str) -> int:
    """The tables that a backup of this database has."""
    return await _number(url, _TABLES)


def backup(url: str, file: Path, tables: int, progress: Progress) -> None:
    """Writes the whole database as it is at one moment, while others go on writing to it.

    The file appears under its name when it is whole. Only its owner may read it: it has password hashes and
    keys. Raises BackupError with pg_dump's words.
    """
    partial = file.with_name(file.name + ".partial")
    partial.unlink(missing_ok=True)
    partial.touch(mode=0o600)
    address, environment = _address(url)
    command = [_tool("pg_dump"), "--format=custom", "--no-owner", "--no-privileges", "--verbose"]
    command += [f"--file={partial}", f"--dbname={address}"]
    done, words = 0, ""
    try:
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as dump:
            assert dump.stderr is not None
            for words in dump.stderr:
                if "dumping contents of table" in words:
                    done += 1
                    progress(done, tables)
        if dump.returncode:
            raise BackupError(f"pg_dump failed: {words.strip()}")
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


async def refuse_unless_free(url: str, force: bool) -> None:
    """Raises BackupError while anybody else is connected, and, unless forced, when there are tables already."""
    if others := await _number(url, _OTHERS):
        raise BackupError(f"The database has {others} other connections. Stop the server, then restore.")
    if not force and await count_tables(url):
        raise BackupError("The database is not empty. --force replaces everything that is in it.")


def restore(url: str, file: Path, progress: Progress) -> None:
    """Replaces the database's tables by the backup's, in one transaction: all of it or nothing.

    Raises BackupError with the words of the tool that failed.
    """
    tables = _tables_of(file)
    address, environment = _address(url)
    script = [_tool("pg_restore"), "--no-owner", "--no-privileges", "--file=-", str(file)]
    client = [_tool("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction", "-c", _CLEAR, "-f", "-"]
    with (
        tempfile.TemporaryFile() as problems,
        subprocess.Popen(script, stdout=subprocess.PIPE, stderr=problems) as reader,
        subprocess.Popen(
            [*client, f"--dbname={address}"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=problems,
        ) as writer,
    ):
        assert reader.stdout is not None and writer.stdin is not None
        whole = _pump(reader.stdout, writer.stdin, tables, progress)
        if not whole or reader.wait():
            # At the end of its input psql would commit what came so far.
            writer.kill()
            reader.kill()
        with suppress(BrokenPipeError):
            writer.stdin.close()
        if writer.wait() or not whole:
            problems.seek(0)
            raise BackupError(f"The restore failed and changed nothing: {problems.read().decode().strip()}")


def _pump(source: IO[bytes], target: IO[bytes], tables: int, progress: Progress) -> bool:
    """Hands the script over line by line; false when the reader of it is gone."""
    done = 0
    try:
        for line in source:
            if line == _UNKNOWN_TO_OLDER:
                continue
            if line.startswith(b"COPY public."):
                done += 1
                progress(done, tables)
            target.write(line)
        target.flush()
    except BrokenPipeError:
        return False
    return True


def _tables_of(file: Path) -> int:
    listed = subprocess.run([_tool("pg_restore"), "--list", str(file)], capture_output=True, text=True, check=False)
    if listed.returncode:
        raise BackupError(f"{file} is no backup: {listed.stderr.strip()}")
    return listed.stdout.count(" TABLE DATA ")


def _tool(name: str) -> str:
    return str(binaries() / name)


def _address(url: str) -> tuple[str, dict[str, str]]:
    """The URL without its password, which every user could read in the list of processes; and the environment
    that has it."""
    parts = urlsplit(url)
    if parts.password is None:
        return url, dict(os.environ)
    place = parts.netloc.rpartition("@")[2]
    without = urlunsplit(parts._replace(netloc=f"{parts.username or ''}@{place}"))
    return without, os.environ | {"PGPASSWORD": unquote(parts.password)}


async def _number(url: str, query: str) -> int:
    connection = await connect(url)
    try:
        number: int = await connection.fetchval(query)
        return number
    finally:
        await connection.close()
