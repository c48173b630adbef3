"""An import as a job: what became of a file can be asked for while its rows go in, and long after."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from leadvibe.errors import ApiError
from leadvibe.ids import new_id
from leadvibe.pipeline.csv_import import Accept, ImportReport, Progress, import_csv
from leadvibe.store import import_jobs
from leadvibe.store.database import Database

# How often a running import tells how far it is. This is its sign of life, too.
_TELL_SECONDS = 1.0
# An import without a sign of life for so long was left by a process that died.
_STALE = timedelta(minutes=1)
_LONGEST_NAME = 255

_AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ImportJob:
    """An import that was asked for: its row is there, and `run` does it."""

    database: Database
    unit_id: str
    job_id: str

    async def run(
        self,
        chunks: AsyncIterator[bytes],
        accept: Accept,
        skip_triggers: bool = False,
        progress: Progress | None = None,
    ) -> ImportReport:
        """What `import_csv` does, noted in the job. An error is noted and raised."""
        report = ImportReport()
        telling = asyncio.create_task(self._tell(report))
        error: str | None = "The server failed; the log says why."
        try:
            await import_csv(chunks, accept, skip_triggers, progress, report)
            error = None
        except ApiError as refusal:
            error = refusal.message
            raise
        except asyncio.CancelledError:
            error = "The server was stopped; import the file again: rows with an event_id are not doubled."
            raise
        finally:
            telling.cancel()
            await import_jobs.end(self.database, *self._progress(report), error, datetime.now(UTC))
        return report

    async def run_alone(self, chunks: AsyncIterator[bytes], accept: Accept, skip_triggers: bool) -> None:
        """The same with nobody waiting: the job alone tells of a refusal, the log of a failure."""
        try:
            await self.run(chunks, accept, skip_triggers)
        except ApiError as error:
            _log.info("The import %s of %s was refused: %s", self.job_id, self.unit_id, error.message)
        except Exception:
            _log.exception("The import %s of %s failed.", self.job_id, self.unit_id)

    async def _tell(self, report: ImportReport) -> None:
        while True:
            try:
                await import_jobs.advance(self.database, *self._progress(report), datetime.now(UTC))
            except _AWAY as error:
                _log.warning("The import %s could not tell how far it is: %r", self.job_id, error)
            await asyncio.sleep(_TELL_SECONDS)

    def _progress(self, report: ImportReport) -> tuple[str, str, int, int, list[dict[str, Any]]]:
        # jsonb holds no NUL.
        problems = [{"line": each.line, "reason": each.reason.replace("\0", "\ufffd")} for each in report.problems]
        return self.unit_id, self.job_id, report.imported, report.errors, problems


async def begin(database: Database, unit_id: str, file_name: str, actor: str | None) -> ImportJob:
    """Notes that a file is to be imported. `actor`: the member or credential, None on the command line."""
    job = ImportJob(database, unit_id, new_id("job"))
    subject = file_name.replace("\0", "\ufffd")[:_LONGEST_NAME]
    await import_jobs.add(database, unit_id, job.job_id, subject, actor, datetime.now(UTC))
    return job


async def fail_stale(database: Database, now: datetime) -> str:
    """Marks the imports as failed whose process died."""
    return f"{await import_jobs.fail_stale(database, now - _STALE, now)} interrupted imports were marked as failed."
