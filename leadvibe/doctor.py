"""`leadvibe doctor`: looks at everything that a running server needs, and says what to do where it is not well."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import aiosmtplib
import asyncpg
import httpx

from leadvibe.config import Settings
from leadvibe.ids import new_id
from leadvibe.live.bus import Bus
from leadvibe.store import inspection
from leadvibe.store.database import connect
from leadvibe.store.migrate import knows_revision, newest_revision
from leadvibe.store.partitions import existing_months, months_ahead
from leadvibe.store.queue import AnyConnection, depth, pipeline_health

Status = Literal["ok", "warn", "fail"]

_OLDEST_SERVER = 140_000
_POOLS_OF_AN_API = 26  # two pools of 10, of which one may overflow, and the listener
_CONNECTIONS_OF_OTHERS = 10
_GIB = 1024**3
_PATIENCE_SECONDS = 10.0

_AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; `hint` says what to do where it is not ok."""

    check: str
    status: Status
    detail: str
    hint: str = ""


Verdict = tuple[Status, str, str]
Look = Callable[[AnyConnection, Settings], Awaitable[Verdict]]


async def examine(settings: Settings) -> list[Finding]:
    """All findings, in the order in which one would look; those that need the database end with it."""
    findings = await _of_database(settings)
    findings.append(await _tried("broadcast", _broadcast(settings)))
    findings.append(await _tried("disk", _disk(settings)))
    if settings.smtp_host is not None:
        findings.append(await _tried("mail", _mail(settings)))
    return findings


async def _of_database(settings: Settings) -> list[Finding]:
    assert settings.database_url is not None
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            connection = await connect(settings.database_url, "leadvibe-doctor")
    except _AWAY as error:
        hint = "Is PostgreSQL running, and is LEADVIBE_DATABASE_URL right?"
        return [Finding("database", "fail", f"cannot be reached: {error}", hint)]
    try:
        findings = []
        for name, look in _LOOKS.items():
            findings.append(await _tried(name, look(connection, settings)))
        return findings
    finally:
        await connection.close(timeout=5)


async def _tried(name: str, verdict: Awaitable[Verdict]) -> Finding:
    """A check that breaks down has failed, too."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return Finding(name, *await verdict)
    except Exception as error:
        return Finding(name, "fail", f"{type(error).__name__}: {error}", "The check itself failed; see the detail.")


async def _database(connection: AnyConnection, settings: Settings) -> Verdict:
    server = await inspection.server(connection)
    version = f"PostgreSQL {server.version // 10_000}.{server.version % 10_000}"
    if server.version < _OLDEST_SERVER:
        return "fail", version, "Leadvibe needs PostgreSQL 14 or newer."
    off = [
        name
        for name in ("fsync", "full_page_writes", "synchronous_commit", "autovacuum")
        if server.settings[name] == "off"
    ]
    if off:
        return "warn", f"{version}, off: {', '.join(off)}", "Turn them on: accepted events may be lost otherwise."
    most = int(server.settings["max_connections"])
    needed = settings.api_processes * _POOLS_OF_AN_API + 2 * settings.workers + _CONNECTIONS_OF_OTHERS
    size = f"{server.size_bytes / _GIB:.2f} GiB"
    if most < needed or server.connections > 0.9 * most:
        detail = f"{version}, {server.connections} of {most} connections in use, {needed} may be needed"
        return "warn", detail, "Raise max_connections, or use fewer API processes."
    return "ok", f"{version}, {size}, {server.connections} of {most} connections in use", ""


async def _migrations(connection: AnyConnection, settings: Settings) -> Verdict:
    current, newest = await inspection.revision(connection), newest_revision()
    if current == newest:
        return "ok", f"at revision {newest}", ""
    if current is not None and not knows_revision(current):
        return "fail", f"at {current}, which this version does not know", "Install the version that migrated it."
    return "fail", f"at {current or 'no revision'}, the newest is {newest}", "Run leadvibe migrate."


async def _partitions(connection: AnyConnection, settings: Settings) -> Verdict:
    wanted = months_ahead(datetime.now(UTC), 1)
    missing = sorted(set(wanted) - await existing_months(connection))
    if missing:
        named = ", ".join(f"{year}-{month:02}" for year, month in missing)
        hint = "Run leadvibe jobs run partitions, and see that leadvibe scheduler runs."
        return "warn", f"the event log has none for {named}", hint
    return "ok", "there are some for this month and the next", ""


async def _queue(connection: AnyConnection, settings: Settings) -> Verdict:
    health = await pipeline_health(connection, datetime.now(UTC))
    waiting = await depth(connection)
    detail = f"{waiting} events wait, the oldest for {max(0.0, health.oldest_age_seconds):.1f} s"
    if health.oldest_age_seconds < 10:
        return "ok", detail, ""
    hint = "Start more workers (LEADVIBE_WORKERS), and look for failed batches in the worker's log."
    return "warn" if health.oldest_age_seconds < 300 else "fail", detail, hint


async def _workers(connection: AnyConnection, settings: Settings) -> Verdict:
    health = await pipeline_health(connection, datetime.now(UTC))
    if not health.workers:
        return "fail", "none is connected", "Start leadvibe serve, or leadvibe worker."
    if silent := await inspection.silent_workers(connection):
        hint = "Their machines are gone, or the processes hang: end them, or pg_terminate_backend."
        return "warn", f"connections {', '.join(map(str, silent))} have done nothing for a minute", hint
    return "ok", f"{health.workers} connected", ""


async def _clock(connection: AnyConnection, settings: Settings) -> Verdict:
    ahead = await inspection.clock_ahead(connection)
    detail = f"the database's is {abs(ahead):.3f} s {'ahead' if ahead > 0 else 'behind'}"
    if abs(ahead) < 1:
        return "ok", detail, ""
    hint = "Let both machines follow a time server (NTP)."
    return "warn" if abs(ahead) < 30 else "fail", detail, hint


async def _rulesets(connection: AnyConnection, settings: Settings) -> Verdict:
    if broken := await inspection.units_without_lane(connection):
        return "fail", f"without a lane: {', '.join(broken)}", "Their events are not scored. Restore from a backup."
    if units := await inspection.units_without_primary(connection):
        hint = "Make one ruleset of each the primary one: it is the score of lists and streams."
        return "warn", f"no primary one in {', '.join(units)}", hint
    return "ok", "every unit that scores has a primary one", ""


async def _slack(connection: AnyConnection, settings: Settings) -> Verdict:
    workspaces = await inspection.slack_workspaces(connection)
    if not workspaces:
        return "ok", "no unit is connected", ""
    try:
        async with httpx.AsyncClient(base_url=settings.slack_api_url, timeout=5) as client:
            answer = await client.post("api.test")
    except httpx.HTTPError as error:
        detail = f"{settings.slack_api_url} does not answer: {error}"
        return "fail", detail, "See the firewall and LEADVIBE_SLACK_API_URL."
    if answer.status_code != 200:
        return "warn", f"answered {answer.status_code}", "Slack has trouble: see status.slack.com."
    return "ok", f"answers; {workspaces} units are connected", ""


async def _broadcast(settings: Settings) -> Verdict:
    assert settings.database_url is not None
    logging.getLogger("leadvibe.live.bus").setLevel(logging.ERROR)
    bus, heard, channel = Bus(settings.broadcast_url or settings.database_url), asyncio.Event(), new_id("doctor")
    try:
        await bus.connect()
        await bus.hear(channel, lambda message: heard.set() if message else None)
        began = time.monotonic()
        await bus.publish(channel, "ping")
        await heard.wait()
        took = time.monotonic() - began
    except Exception as error:  # each broker's client has errors of its own
        return "fail", f"cannot be reached: {error}", "Is LEADVIBE_BROADCAST_URL right, and its server running?"
    finally:
        await bus.close()
    hint = "" if took < 1 else "The broker is slow: subscribers hear late."
    return "ok" if took < 1 else "warn", f"a message came back after {1000 * took:.1f} ms", hint


async def _disk(settings: Settings) -> Verdict:
    usage = shutil.disk_usage(settings.data_dir if settings.data_dir.exists() else ".")
    detail = f"{usage.free / _GIB:.1f} of {usage.total / _GIB:.1f} GiB free where {settings.data_dir} is"
    if usage.free < _GIB:
        return "fail", detail, "PostgreSQL stops when the disk is full: make room now."
    if usage.free < 0.1 * usage.total:
        return "warn", detail, "Make room, or move the data directory."
    return "ok", detail, ""


async def _mail(settings: Settings) -> Verdict:
    client = aiosmtplib.SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        use_tls=settings.smtp_security == "tls",
        start_tls=settings.smtp_security == "starttls",
        timeout=5,
    )
    place = f"{settings.smtp_host}:{settings.smtp_port}"
    try:
        await client.connect()
        await client.ehlo()
        if settings.smtp_username is not None and settings.smtp_password is not None:
            await client.login(settings.smtp_username, settings.smtp_password)
        await client.quit()
    except aiosmtplib.SMTPAuthenticationError as error:
        return "fail", f"{place} refused the login: {error.code}", "See LEADVIBE_SMTP_USERNAME and its password."
    except (aiosmtplib.SMTPException, OSError) as error:
        return "fail", f"{place} does not answer: {error}", "See LEADVIBE_SMTP_HOST, _PORT and _SECURITY."
    return "ok", f"{place} answers", ""


_LOOKS: dict[str, Look] = {
    "database": _database,
    "migrations": _migrations,
    "partitions": _partitions,
    "queue": _queue,
    "workers": _workers,
    "clock": _clock,
    "rulesets": _rulesets,
    "slack": _slack,
}
