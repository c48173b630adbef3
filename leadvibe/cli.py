"""The `leadvibe` command."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import asyncpg
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from leadvibe import operator_commands, processes
from leadvibe.config import Settings
from leadvibe.errors import ApiError
from leadvibe.processes import CommandError, database_url, log_to_stderr, spare_the_collector
from leadvibe.store.backup import BackupError
from leadvibe.store.database import Database
from leadvibe.store.embedded import EmbeddedError

T = TypeVar("T")

app = typer.Typer(
    help="Leadvibe scores leads: engagement events in, live and explained scores out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
jobs = typer.Typer(help="Scheduled jobs.", no_args_is_help=True)
app.add_typer(jobs, name="jobs")
operator_commands.register(app)

_CHUNK = 256 * 1024

MetricsPort = Annotated[int | None, typer.Option(help="Tell Prometheus metrics at this port.", min=0, max=65535)]
Unit = Annotated[str | None, typer.Option(help="The organizational unit; needed when there are several.")]


# What the user, or the operator of the database, can set right.
_SAID = (
    CommandError,
    ApiError,
    EmbeddedError,
    BackupError,
    ValueError,
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
)


def main() -> None:
    """The console script: what a user can set right ends as one sentence, not as a traceback."""
    # Ends as Ctrl-C does, with all that is open closed: an embedded database that has no other user stops.
    # What serves has a gentler way while it does; uvicorn sends itself the signal again behind that.
    signal.signal(signal.SIGTERM, _end)
    try:
        app()
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(map(str, ("LEADVIBE", *problem["loc"]))).upper()
            print(f"leadvibe: {name}: {problem['msg']}", file=sys.stderr)
        sys.exit(1)
    except _SAID as error:
        print(f"leadvibe: {error}", file=sys.stderr)
        sys.exit(1)


def _end(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


@app.command(epilog="Example: LEADVIBE_PORT=9000 LEADVIBE_WORKERS=2 leadvibe serve")
def serve() -> None:
    """Run everything on this machine: database if needed, migrations, API, workers, scheduler, deliveries."""
    from leadvibe.serve import serve_all

    settings = Settings()
    log_to_stderr(settings)
    serve_all(settings)


@app.command(epilog="Example: LEADVIBE_DATABASE_URL=postgresql://... leadvibe api")
def api(fd: Annotated[int | None, typer.Option(hidden=True)] = None) -> None:
    """Run one API process."""
    settings = Settings()
    log_to_stderr(settings)
    with _database_of_part(settings) as url:
        listener = processes.listen(settings.host, settings.port) if fd is None else socket.socket(fileno=fd)
        processes.run(processes.serve_api(_with(settings, url), listener))


def _run_part(serve: Callable[[Settings], Coroutine[Any, Any, None]], metrics_port: int | None) -> None:
    """A part that answers no requests; its metrics have a port of their own when one is given."""
    settings = Settings()
    log_to_stderr(settings)
    processes.tell_metrics(metrics_port)
    with _database_of_part(settings) as url:
        processes.run(serve(_with(settings, url)))


@contextmanager
def _database_of_part(settings: Settings) -> Iterator[str]:
    """The URL of a database in which the part finds its tables. Under `serve` they were just looked after."""
    with database_url(settings) as url:
        if processes.SUPERVISED not in os.environ:
            asyncio.run(_require_migrated(url))
        yield url


async def _require_migrated(url: str) -> None:
    from leadvibe.store.migrate import is_migrated

    if not await is_migrated(url):
        raise CommandError("The database is new, or older than this version: run `leadvibe migrate` first.")


@app.command(epilog="Example: LEADVIBE_DATABASE_URL=postgresql://... leadvibe worker")
def worker(metrics_port: MetricsPort = None) -> None:
    """Run one scoring worker. Start as many as you like: a unit is scored by one at a time."""
    _run_part(processes.serve_worker, metrics_port)


@app.command(epilog="Example: LEADVIBE_DATABASE_URL=postgresql://... leadvibe scheduler")
def scheduler(metrics_port: MetricsPort = None) -> None:
    """Run the scheduled jobs by the clock."""
    _run_part(processes.serve_scheduler, metrics_port)


@app.command(epilog="Example: LEADVIBE_DATABASE_URL=postgresql://... leadvibe deliver")
def deliver(metrics_port: MetricsPort = None) -> None:
    """Send what triggers have to tell: webhooks, e-mails, messages. Start as many as you like."""
    _run_part(processes.serve_deliverer, metrics_port)


@app.command(epilog="Example: leadvibe migrate --citus")
def migrate(citus: Annotated[bool, typer.Option(help="Distribute the tables over a Citus cluster.")] = False) -> None:
    """Bring the database to the newest schema."""
    from leadvibe.store.migrate import migrate, newest_revision

    with database_url(Settings()) as url:
        asyncio.run(migrate(url, citus))
    print(f"The database is at revision {newest_revision()}.")


@app.command(epilog="Example: leadvibe bootstrap --org Acme --email ada@acme.example --password s3cret --json")
def bootstrap(
    org: Annotated[str, typer.Option(help="Name of the organization.")],
    email: Annotated[str, typer.Option(help="E-mail of its owner.")],
    password: Annotated[str, typer.Option(help="Password, if the owner is new.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make, or find, an organization with default unit and owner; add a fresh credential pair."""
    from leadvibe.resolvers.authentication import Authenticator
    from leadvibe.resolvers.bootstrap import Bootstrapped, bootstrap
    from leadvibe.resolvers.tokens import Tokens
    from leadvibe.store.migrate import migrate

    async def run(database: Database) -> Bootstrapped:
        tokens = await Tokens.from_settings(Settings(), database)
        return await bootstrap(Authenticator(database, tokens), org, email, password)

    made = asdict(_with_database(run, migrate))
    print(json.dumps(made) if as_json else "\n".join(f"{name:14} {value}" for name, value in made.items()))


@app.command("import", epilog="Example: leadvibe import events.csv --skip-triggers")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV with a header row.", exists=True, dir_okay=False)],
    unit: Unit = None,
    skip_triggers: Annotated[bool, typer.Option(help="Fire no triggers for these events.")] = False,
) -> None:
    """Import events from a CSV file, beside a running server or without one."""
    from leadvibe.pipeline import import_job
    from leadvibe.pipeline.buffer import IngestBuffer, Result
    from leadvibe.pipeline.csv_import import ImportReport
    from leadvibe.pipeline.events import IncomingEvent

    bar = _bar("{task.fields[rows]:,} rows", DownloadColumn())

    async def run(database: Database) -> ImportReport:
        unit_id = await _unit(database, unit)
        buffer = IngestBuffer(database, Settings().ingest_buffer)
        await buffer.start()
        task = bar.add_task(file.name, total=file.stat().st_size, rows=0)
        rows = 0

        async def accept(events: list[IncomingEvent]) -> list[Result]:
            nonlocal rows
            rows += len(events)
            bar.update(task, rows=rows)
            return await buffer.accept(unit_id, events)

        async def chunks() -> AsyncIterator[bytes]:
            with file.open("rb") as stream:
                while chunk := await asyncio.to_thread(stream.read, _CHUNK):
                    yield chunk

        job = await import_job.begin(database, unit_id, file.name, None)
        return await job.run(chunks(), accept, skip_triggers, lambda size: bar.advance(task, size))

    with bar:
        report = _with_database(run)
    for problem in report.problems:
        print(f"line {problem.line}: {problem.reason}", file=sys.stderr)
    print(f"{report.imported} events imported, {report.errors} rows failed.")
    if report.errors and not report.imported:
        raise CommandError("No row could be imported; the lines above say why.")


@app.command(epilog="Example: leadvibe rescore --unit unit_01m8...")
def rescore(unit: Unit = None) -> None:
    """Score a unit's stored events anew, with today's rules. Live scoring goes on meanwhile."""
    from leadvibe.pipeline import unit_job
    from leadvibe.pipeline.rescore import RESCORE

    bar = _bar("leads", MofNCompleteColumn())

    async def run(database: Database) -> int:
        unit_id = await _unit(database, unit)
        job = await unit_job.begin(database, RESCORE, unit_id, None)
        task = bar.add_task("rescoring", total=job.total, rows=0)
        return await job.run(lambda count: bar.advance(task, count))

    with bar:
        count = _with_database(run)
    print(f"{count} leads rescored.")


@app.command("rotate-secrets", epilog="Example: LEADVIBE_SECRET_KEYS=newest,older leadvibe rotate-secrets")
def rotate_secrets() -> None:
    """Seal every stored secret with the newest key. The server may run meanwhile, with the same keys."""
    from leadvibe.crypto import Vault
    from leadvibe.store.sealed import reseal

    vault = Vault.from_settings(Settings())
    done = _with_database(lambda database: reseal(database, vault))
    print(f"{done.values} secrets are sealed with the newest key.")
    if done.lost:
        raise CommandError(f"{done.lost} secrets open with none of the keys; they must be set anew.")


@jobs.command("run", epilog="Example: leadvibe jobs run partitions")
def run_job(name: Annotated[str, typer.Argument(help="Name of the job.")]) -> None:
    """Run a scheduled job now."""
    from leadvibe.pipeline.scheduler import JOBS

    if name not in JOBS:
        raise CommandError(f"There is no job {name}; there are {', '.join(sorted(JOBS))}.")
    print(_with_database(lambda database: JOBS[name].run(database, datetime.now(UTC))))


@app.command(epilog="Example: leadvibe schema > schema.graphql")
def schema(
    check: Annotated[
        Path | None,
        typer.Option(help="Tell instead what changed since this file; exit with 1 if it breaks.", exists=True),
    ] = None,
) -> None:
    """Print the GraphQL schema."""
    from leadvibe.schema.app import sdl
    from leadvibe.schema.compare import changes

    if check is None:
        return print(sdl(), end="")
    found = changes(check.read_text(), sdl())
    _tell_changes(found.breaking, found.dangerous)


@app.command(epilog="Example: leadvibe openapi > openapi.json")
def openapi(
    check: Annotated[
        Path | None,
        typer.Option(help="Tell instead what breaks clients of this file; exit with 1 if anything.", exists=True),
    ] = None,
    migration_table: Annotated[bool, typer.Option(help="Print instead which field each path has in GraphQL.")] = False,
) -> None:
    """Print the OpenAPI document of the REST paths."""
    from leadvibe.rest_compat.compare import breaking_changes
    from leadvibe.rest_compat.graphql_fields import migration_table as table
    from leadvibe.rest_compat.routes import ROUTES, document

    if migration_table:
        print(table(ROUTES), end="")
    elif check is None:
        print(json.dumps(document(), indent=2))
    else:
        # Through JSON: the file was written by it.
        _tell_changes(breaking_changes(json.loads(check.read_text()), json.loads(json.dumps(document()))))


def _tell_changes(breaking: Sequence[str], dangerous: Sequence[str] = ()) -> None:
    """Prints the changes; ends with 1 if one is breaking."""
    for kind, changes in (("breaking", breaking), ("dangerous", dangerous)):
        for change in changes:
            print(f"{kind}: {change}")
    if breaking:
        raise typer.Exit(1)


def _with(settings: Settings, url: str) -> Settings:
    return settings.model_copy(update={"database_url": url})


def _with_database(
    run: Callable[[Database], Awaitable[T]], prepare: Callable[[str], Awaitable[None]] = _require_migrated
) -> T:
    """The result of a coroutine that is given the database, wherever that is, when that is prepared."""

    async def opened(url: str) -> T:
        await prepare(url)
        database = await Database.open(url, pool_size=4)
        try:
            return await run(database)
        finally:
            await database.close()

    with database_url(Settings()) as url:
        spare_the_collector()
        return asyncio.run(opened(url))


async def _unit(database: Database, unit: str | None) -> str:
    """The named unit, or the only one there is."""
    units: list[str] = [
        row["unit_id"] for row in await database.pool.fetch("SELECT unit_id FROM org_units ORDER BY unit_id")
    ]
    if unit is None and len(units) == 1:
        return units[0]
    if unit is None or unit not in units:
        choices = ", ".join(units) or "none; make one with leadvibe bootstrap"
        raise CommandError(f"Name an organizational unit with --unit. There are: {choices}")
    return unit


def _bar(text: str, count: DownloadColumn | MofNCompleteColumn) -> Progress:
    """A progress bar on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), count, TextColumn(text), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))
