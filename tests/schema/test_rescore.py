"""Rescoring through GraphQL: the job, its end, and cancelling it."""

from __future__ import annotations

from leadvibe.pipeline import unit_job
from leadvibe.pipeline.rescore import RESCORE as KIND
from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.store.database import Database
from tests.schema.conftest import Server
from tests.schema.test_import import followed

RESCORE = "mutation { rescore { id kind status done total percentage } }"
CANCEL = "mutation ($id: ID!) { cancelJob(id: $id) { status percentage } }"
JOB = "query ($id: ID!) { job(id: $id) { status done total percentage } }"


async def test_a_unit_is_rescored_in_the_background(server: Server, acme: Bootstrapped) -> None:
    job = (await server.ask(RESCORE, as_=acme))["data"]["rescore"]
    assert (job["kind"], job["status"], job["done"], job["total"]) == ("rescore", "PENDING", 0, 0)
    assert (await followed(server, acme, job["id"]))[-1]["status"] == "COMPLETED"
    ended = (await server.ask(JOB, {"id": job["id"]}, as_=acme))["data"]["job"]
    assert ended == {"status": "COMPLETED", "done": 0, "total": 0, "percentage": 100}
    (error,) = (await server.ask(CANCEL, {"id": job["id"]}, as_=acme))["errors"]
    assert error["extensions"]["code"] == "not_cancellable"


async def test_a_job_that_has_not_ended_is_cancelled(
    server: Server, acme: Bootstrapped, rival: Bootstrapped, database: Database
) -> None:
    begun = await unit_job.begin(database, KIND, acme.unit_id, None)
    await database.pool.execute("UPDATE jobs SET total = 8, done = 2 WHERE job_id = $1", begun.job_id)
    (error,) = (await server.ask(CANCEL, {"id": begun.job_id}, as_=rival))["errors"]
    assert error["extensions"]["code"] == "not_found"
    answer = await server.ask(CANCEL, {"id": begun.job_id}, as_=acme)
    assert answer == {"data": {"cancelJob": {"status": "CANCELLED", "percentage": 25}}}
