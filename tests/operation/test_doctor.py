"""`leadvibe doctor`: every check, well and ill, against what is really there."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink

from leadvibe.config import Settings
from leadvibe.doctor import Finding, examine
from leadvibe.live.publisher import Publisher
from leadvibe.pipeline.worker import Worker
from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.store.config_tables import Ruleset
from leadvibe.store.database import Database
from leadvibe.store.partitions import make_partitions, months_ahead
from leadvibe.store.slack_tables import SlackConnection
from tests.serve_process import leadvibe, refusal


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(database_url=database_url, data_dir=tmp_path)


async def found(settings: Settings, check: str) -> Finding:
    (finding,) = [finding for finding in await examine(settings) if finding.check == check]
    assert finding.detail and (finding.status == "ok") == (not finding.hint)
    return finding


@asynccontextmanager
async def worker(settings: Settings) -> AsyncIterator[Any]:
    """The connection of a scoring worker."""
    assert settings.database_url is not None
    connection = await Worker(settings.database_url, Publisher("memory://"), 1).connect()
    yield connection
    await connection.close()


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


async def test_all_is_well_beside_a_worker(settings: Settings, database: Database, acme: Bootstrapped) -> None:
    async with database.pool.acquire() as connection:
        await make_partitions(connection, months_ahead(datetime.now(UTC), 1))
    async with worker(settings):
        findings = await examine(settings)
    names = [finding.check for finding in findings]
    assert names == [
        "database", "migrations", "partitions", "queue", "workers", "clock", "rulesets", "slack", "broadcast", "disk",
    ]  # fmt: skip
    ill = [finding for finding in findings if finding.status != "ok" and finding.check != "disk"]
    assert ill == []


async def test_a_database_that_is_away_is_the_first_finding(tmp_path: Path) -> None:
    away = f"postgresql://leadvibe@127.0.0.1:{closed_port()}/leadvibe"
    findings = await examine(Settings(database_url=away, data_dir=tmp_path))
    assert [(each.check, each.status) for each in findings[:2]] == [("database", "fail"), ("broadcast", "fail")]
    assert "LEADVIBE_DATABASE_URL" in findings[0].hint


async def test_too_few_connections_are_warned_of(settings: Settings) -> None:
    many = settings.model_copy(update={"api_processes": 50})
    finding = await found(many, "database")
    assert finding.status == "warn" and "max_connections" in finding.hint


@pytest.mark.parametrize(
    ("revision", "hint"), [("0001", "leadvibe migrate"), ("9999", "Install the version"), (None, "leadvibe migrate")]
)
async def test_another_revision_is_told(
    settings: Settings, database: Database, revision: str | None, hint: str
) -> None:
    if revision is None:
        await database.pool.execute("DROP TABLE alembic_version")
    else:
        await database.pool.execute("UPDATE alembic_version SET version_num = $1", revision)
    finding = await found(settings, "migrations")
    assert finding.status == "fail" and hint in finding.hint


async def test_a_missing_partition_is_told(settings: Settings, database: Database) -> None:
    names = await database.pool.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'engagement_events'::regclass"
    )
    for row in names:
        await database.pool.execute(f"DROP TABLE {row['name']}")
    finding = await found(settings, "partitions")
    assert finding.status == "warn" and "jobs run partitions" in finding.hint


@pytest.mark.parametrize(("seconds", "status"), [(1, "ok"), (60, "warn"), (600, "fail")])
async def test_the_queue_is_as_ill_as_its_oldest_event_is_old(
    settings: Settings, database: Database, acme: Bootstrapped, seconds: int, status: str
) -> None:
    await database.pool.execute(
        """
        INSERT INTO ingest_queue (unit_id, event_id, aliases, event_type, occurred_at, received_at, metadata,
                                  skip_triggers)
        VALUES ($1, 'ev_1', '[]', 'view', now(), now() - make_interval(secs => $2), '{}', false)
        """,
        acme.unit_id,
        seconds,
    )
    finding = await found(settings, "queue")
    assert finding.status == status and "1 events wait" in finding.detail


async def test_no_worker_is_a_failure(settings: Settings) -> None:
    finding = await found(settings, "workers")
    assert finding.status == "fail" and "leadvibe worker" in finding.hint


async def test_a_unit_without_primary_ruleset_is_named(
    settings: Settings, database: Database, acme: Bootstrapped
) -> None:
    now = datetime.now(UTC)
    async with database.session() as session, session.begin():
        session.add(
            Ruleset(
                unit_id=acme.unit_id, org_id=acme.org_id, ruleset_id="rs_1", name="Fit", created_at=now, updated_at=now
            )
        )
    finding = await found(settings, "rulesets")
    assert finding.status == "warn" and acme.unit_id in finding.detail


async def test_a_broker_that_is_away_is_a_failure(settings: Settings) -> None:
    url = f"redis://127.0.0.1:{closed_port()}"
    finding = await found(settings.model_copy(update={"broadcast_url": url}), "broadcast")
    assert finding.status == "fail" and "LEADVIBE_BROADCAST_URL" in finding.hint


async def test_mail_is_looked_at_where_it_is_set(settings: Settings) -> None:
    mail = {"smtp_host": "127.0.0.1", "smtp_port": closed_port(), "smtp_security": "none"}
    with_mail = settings.model_copy(update=mail)
    finding = await found(with_mail, "mail")
    assert finding.status == "fail" and "LEADVIBE_SMTP_HOST" in finding.hint
    controller = Controller(Sink(), hostname="127.0.0.1", port=mail["smtp_port"])
    await asyncio.to_thread(controller.start)
    try:
        assert (await found(with_mail, "mail")).status == "ok"
    finally:
        await asyncio.to_thread(controller.stop)


async def test_slack_is_looked_at_where_a_unit_is_connected(
    settings: Settings, database: Database, acme: Bootstrapped
) -> None:
    assert "no unit" in (await found(settings, "slack")).detail
    async with database.session() as session, session.begin():
        session.add(
            SlackConnection(
                unit_id=acme.unit_id, team_id="T1", team_name="Acme", bot_user_id="U1", bot_token="sealed",
                connected_by=acme.org_member_id, updated_at=datetime.now(UTC),
            )
        )  # fmt: skip
    port = closed_port()
    at = settings.model_copy(update={"slack_api_url": f"http://127.0.0.1:{port}/api/"})
    finding = await found(at, "slack")
    assert finding.status == "fail" and "LEADVIBE_SLACK_API_URL" in finding.hint

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert (await reader.readline()).startswith(b"POST /api/api.test ")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", port):
        assert (await found(at, "slack")).status == "ok"


def test_the_command_fails_when_something_does_and_prints_a_table_or_json(tmp_path: Path, database_url: str) -> None:
    done = leadvibe(tmp_path, "doctor", "--json", LEADVIBE_DATABASE_URL=database_url)
    findings = {finding["check"]: finding for finding in json.loads(done.stdout)}
    assert done.returncode == 1 and findings["workers"]["status"] == "fail" and findings["database"]["status"] == "ok"
    assert set(findings["queue"]) == {"check", "status", "detail", "hint"}
    table = leadvibe(tmp_path, "doctor", LEADVIBE_DATABASE_URL=database_url)
    assert table.returncode == 1 and "workers" in table.stdout and "leadvibe worker" in table.stdout


def test_a_data_directory_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    assert "LEADVIBE_DATA_DIR" in refusal(leadvibe(tmp_path, "doctor", LEADVIBE_DATA_DIR=str(nowhere)))
    assert not nowhere.exists()
