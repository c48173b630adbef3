"""Backups and stops of a server at work: what was accepted is there afterwards, and scored as it was."""

from __future__ import annotations

import asyncio
import itertools
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from leadvibe.resolvers.authentication import Authenticator
from leadvibe.resolvers.bootstrap import bootstrap
from leadvibe.store import backup as tools
from leadvibe.store.database import Database, connect
from tests.serve_process import Serve, leadvibe, refusal, remove_cluster, serving, until

WEIGHT = 3


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for data_dir in ("data", "copy"):
        remove_cluster(tmp_path / data_dir)


@dataclass
class Load:
    """Events that clients send as fast as they are answered, each with an id of its own."""

    serve: Serve
    accepted: list[str] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    _number: Iterator[int] = field(default_factory=itertools.count)

    def run(self) -> None:
        with self.serve.http(self.serve.credential) as http:
            while not self.over.is_set():
                number = next(self._number)
                event = {"event_type": "view", "lead_id": f"ld_{number % 7}", "event_id": f"mine_{number}"}
                try:
                    status = http.post("/ingest", json=event).status_code
                except httpx.TransportError:
                    return  # the server is gone, and promised nothing
                if status == 202:
                    self.accepted.append(f"mine_{number}")
                else:
                    self.refused.append(status)


@contextmanager
def loaded(serve: Serve) -> Iterator[Load]:
    load = Load(serve)
    threads = [threading.Thread(target=load.run) for _ in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: len(load.accepted) > 100, "some load")
    try:
        yield load
    finally:
        load.over.set()
        for thread in threads:
            thread.join()


def scored(http: httpx.Client) -> tuple[set[str], int, int]:
    """Once nothing waits any more: the ids of all events, what they changed, and what the scores add up to."""
    until(lambda: "\nqueue_depth 0.0\n" in http.get("/metrics").text, "an empty queue")
    leads = http.get("/leads", params={"limit": 100}).json()["leads"]
    found: list[dict[str, Any]] = []
    for number in itertools.count(1):
        found += (page := http.get("/events", params={"limit": 500, "page": number}).json())
        if len(page) < 500:
            break
    ids = {event["event_id"] for event in found}
    assert len(ids) == len(found), "each event is there once"
    return ids, sum(event["score_delta"] or 0 for event in found), sum(lead["score"] for lead in leads)


def test_a_backup_under_load_is_whole_and_a_stop_loses_nothing(folder: Path) -> None:
    file = folder / "it.backup"
    with serving(folder / "data") as serve:
        credential = serve.credential
        with serve.http(credential) as http:
            assert http.post("/rules", json={"event_type": "view", "weight": WEIGHT}).status_code == 201
        with loaded(serve) as load:
            before = set(load.accepted)
            made = leadvibe(folder / "data", "backup", str(file))
            after = set(load.accepted)
            assert made.returncode == 0, made.stderr
            assert len(after) > len(before), "events went in meanwhile"
            assert "other connections" in refusal(leadvibe(folder / "data", "restore", str(file), "--force"))
            serve.process.terminate()
            assert serve.process.wait(60) == 0
        assert [status for status in load.refused if status >= 500] == [], "nothing failed while it stopped"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not file.with_name("it.backup.partial").exists()
    with serving(folder / "data") as again, again.http(credential) as http:
        stored, changes, scores = scored(http)
        assert set(load.accepted) <= stored, "what was accepted before the stop is there"
        assert scores == changes >= WEIGHT * len(stored)

    assert "restored" in leadvibe(folder, "restore", str(file), LEADVIBE_DATA_DIR=str(folder / "copy")).stdout
    with serving(folder / "copy") as copy, copy.http(credential) as http:
        stored, changes, scores = scored(http)
        assert before <= stored, "what was accepted before the backup began is in it"
        assert scores == changes >= WEIGHT * len(stored)
        event = {"event_type": "view", "lead_id": "ld_0", "event_id": "mine_0"}
        assert http.post("/ingest", json=event).json()["duplicate"] is True, "ids are known there as well"
        assert http.post("/ingest", json=event | {"event_id": "another"}).status_code == 202
        assert len(scored(http)[0]) == len(stored) + 1


async def test_a_restore_replaces_only_when_told_to_and_all_or_nothing(
    database_url: str, authenticator: Authenticator, database: Database, tmp_path: Path
) -> None:
    file, broken, nothing = (tmp_path / name for name in ("it.backup", "broken.backup", "no.backup"))
    await bootstrap(authenticator, "Acme", "a@b.example", "x")
    done: list[tuple[int, int]] = []
    tables = await tools.count_tables(database_url)
    await asyncio.to_thread(tools.backup, database_url, file, tables, lambda *count: done.append(count))
    assert [count for count, _ in done] == list(range(1, tables + 1)), "it tells how far it is"
    await bootstrap(authenticator, "Later", "c@d.example", "x")
    with pytest.raises(tools.BackupError, match="other connections"):
        await tools.refuse_unless_free(database_url, force=True)
    await database.close()
    with pytest.raises(tools.BackupError, match="not empty"):
        await tools.refuse_unless_free(database_url, force=False)
    await tools.refuse_unless_free(database_url, force=True)

    broken.write_bytes(file.read_bytes()[:-2000])
    nothing.write_text("nothing")
    for bad in (broken, nothing):
        with pytest.raises(tools.BackupError):
            await asyncio.to_thread(tools.restore, database_url, bad, lambda *_: None)
    assert await organisations(database_url) == ["Acme", "Later"], "what failed changed nothing"
    for _ in range(2):
        await asyncio.to_thread(tools.restore, database_url, file, lambda *_: None)
        assert await organisations(database_url) == ["Acme"]
    assert await tools.count_tables(database_url) == tables


async def organisations(url: str) -> list[str]:
    connection = await connect(url)
    rows = await connection.fetch("SELECT name FROM organisations ORDER BY name")
    await connection.close()
    return [row["name"] for row in rows]


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "x.backup").write_text("mine")
    assert "exists" in refusal(leadvibe(tmp_path, "backup", "x.backup"))
    assert (tmp_path / "x.backup").read_text() == "mine"


def test_no_backup_is_made_of_nothing(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    told = refusal(leadvibe(tmp_path, "backup", "x.backup", LEADVIBE_DATA_DIR=str(nowhere)))
    assert "LEADVIBE_DATA_DIR" in told and not nowhere.exists()


def test_a_password_is_not_given_on_the_command_line() -> None:
    address, given = tools._address("postgresql://ada:p%40ss@db.example:5433/leadvibe?sslmode=require")
    assert address == "postgresql://ada@db.example:5433/leadvibe?sslmode=require"
    assert given["PGPASSWORD"] == "p@ss"
    assert "PGPASSWORD" not in tools._address("postgresql://leadvibe@/leadvibe?host=/run/x")[1]
