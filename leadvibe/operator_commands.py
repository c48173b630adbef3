"""Commands of whoever runs the server: doctor, backup, restore."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from leadvibe.config import Settings
from leadvibe.crypto import KEY_FILE
from leadvibe.processes import CommandError, database_url

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def register(app: typer.Typer) -> None:
    """Adds the commands to the application."""
    app.command(epilog="Example: leadvibe doctor --json")(doctor)
    app.command(epilog="Example: leadvibe backup leadvibe.backup")(backup)
    app.command(epilog="Example: leadvibe restore leadvibe.backup --force")(restore)


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False) -> None:
    """Check database, queue, workers, clock, broker, disk and mail. Exits with 1 when something fails."""
    from leadvibe.doctor import Finding, examine

    settings = _with_data(Settings())
    with database_url(settings) as url:
        findings: list[Finding] = asyncio.run(examine(settings.model_copy(update={"database_url": url})))
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        table = Table("Check", "Status", "Detail", "Hint")
        for finding in findings:
            status = Text(finding.status, style=_COLOURS[finding.status])
            table.add_row(finding.check, status, Text(finding.detail), Text(finding.hint))
        Console().print(table)
    if any(finding.status == "fail" for finding in findings):
        raise typer.Exit(1)


def backup(
    file: Annotated[Path, typer.Argument(help="Where to write it.", dir_okay=False)],
    force: Annotated[bool, typer.Option(help="Replace a file that is there.")] = False,
) -> None:
    """Write the whole database, as it is now, to a file; a server may go on working."""
    from leadvibe.store import backup as tools

    if file.exists() and not force:
        raise CommandError(f"{file} exists. --force replaces it.")
    settings = _with_data(Settings())
    with database_url(settings) as url:
        tables = asyncio.run(tools.count_tables(url))
        with _progress("backup") as progress:
            tools.backup(url, file, tables, progress)
    print(f"{file} has {tables} tables, {file.stat().st_size:,} bytes. It has secrets: only you may read it.")
    if settings.secret_keys is None:
        print(f"Keep {settings.data_dir / KEY_FILE} with it: it opens the sealed secrets of integrations.")


def restore(
    file: Annotated[Path, typer.Argument(help="What `leadvibe backup` wrote.", exists=True, dir_okay=False)],
    force: Annotated[bool, typer.Option(help="Replace what the database has now.")] = False,
) -> None:
    """Bring the database back to a backup: into an empty one, or over another with --force."""
    from leadvibe.store import backup as tools
    from leadvibe.store.migrate import migrate, newest_revision

    with database_url(Settings()) as url:
        asyncio.run(tools.refuse_unless_free(url, force))
        with _progress("restore") as progress:
            tools.restore(url, file, progress)
        asyncio.run(migrate(url))
    print(f"{file} is restored, and the database at revision {newest_revision()}.")


def _with_data(settings: Settings) -> Settings:
    """What looks at a database must not make one."""
    if settings.database_url is None and not settings.data_dir.exists():
        raise CommandError(f"There is no data directory {settings.data_dir}. Set LEADVIBE_DATA_DIR.")
    return settings


@contextmanager
def _progress(name: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error; gives what moves it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("tables"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=None)

        def move(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield move
