"""Backfills: the reference's operations answer when they are done, the others begin a job."""

from __future__ import annotations

from leadvibe.pipeline import unit_job
from leadvibe.pipeline.backfill import LINK_ACCOUNTS, MAP_PROFILES, NAME_ACCOUNTS
from leadvibe.pipeline.unit_job import Kind
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.resolvers.jobs import begin_unit_job, get_job
from leadvibe.store.tables import JobRecord


class Backfill:
    """A backfill's two operations: `begin` starts the job, `run` also waits for its end."""

    def __init__(self, kind: Kind, permission: Permission) -> None:
        self._kind = kind
        self.begin = operation(permission, f"begin_{kind.name}")(self._begin)
        self.run = operation(permission, kind.name)(self._run)

    async def _begin(self, context: Context, /) -> JobRecord:
        """The job, which has only begun when this returns."""
        return await begin_unit_job(context, self._kind)

    async def _run(self, context: Context, /) -> dict[str, int]:
        """What was counted, by name; by then it is done."""
        caller = context.caller
        job = await unit_job.begin(context.services.database, self._kind, caller.unit_id, caller.actor)
        await job.run()
        return (await get_job(context, job.job_id)).counts


ACCOUNTS = Backfill(LINK_ACCOUNTS, Permission.OWN)
EVENT_ACCOUNTS = Backfill(NAME_ACCOUNTS, Permission.OWN)
# The reference lets API credentials do it, which are Operators.
PROFILE_MAPPINGS = Backfill(MAP_PROFILES, Permission.WRITE)
