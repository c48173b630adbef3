"""Importing a file through GraphQL: the multipart request, the job, and its progress."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import orjson
import pytest

from leadvibe.resolvers.bootstrap import Bootstrapped
from tests.schema.conftest import Server, bearer

IMPORT = "mutation ($input: EventImportInput!) { importEvents(input: $input) { id kind subject status done } }"
JOB = "query ($id: ID!) { job(id: $id) { kind subject status done failed problems { line reason } error } }"
PROGRESS = "subscription ($id: ID!) { jobProgress(id: $id) { status done failed } }"
OPERATIONS = {"query": IMPORT, "variables": {"input": {"file": None, "skipTriggers": True}}}
MAP = {"0": ["variables.input.file"]}
GOOD = b"event_type,lead_id\nview,ld_1\n,ld_1\nview,ld_2\n"


async def send(
    server: Server, headers: dict[str, str], content: bytes = GOOD, operations: Any = OPERATIONS, map_: Any = MAP
) -> httpx.Response:
    return await server.http.post(
        "/graphql",
        data={"operations": orjson.dumps(operations).decode(), "map": orjson.dumps(map_).decode()},
        files={"0": ("events.csv", content, "text/csv")},
        headers=headers,
    )


async def begun(server: Server, acme: Bootstrapped, content: bytes = GOOD) -> dict[str, Any]:
    response = await send(server, bearer(acme), content)
    assert response.status_code == 200, response.text
    return response.json()["data"]["importEvents"]


async def followed(server: Server, acme: Bootstrapped, job_id: str) -> list[dict[str, Any]]:
    """All messages of a job's progress, up to its end."""
    messages = []
    async with server.socket(bearer(acme)) as socket, asyncio.timeout(30):
        assert (await socket.receive())["type"] == "connection_ack"
        await socket.begin(PROGRESS, {"id": job_id})
        while (message := await socket.receive())["type"] == "next":
            messages.append(message["payload"]["data"]["jobProgress"])
        assert message["type"] == "complete"
    return messages


async def test_a_file_is_imported_in_the_background(server: Server, acme: Bootstrapped, rival: Bootstrapped) -> None:
    job = await begun(server, acme)
    assert (job["kind"], job["subject"], job["status"], job["done"]) == ("import", "events.csv", "PENDING", 0)
    assert (await followed(server, acme, job["id"]))[-1] == {"status": "COMPLETED", "done": 2, "failed": 1}
    ended = (await server.ask(JOB, {"id": job["id"]}, as_=acme))["data"]["job"]
    (problem,) = ended.pop("problems")
    assert problem["line"] == 3 and "event_type" in problem["reason"]
    assert ended == {
        "kind": "import",
        "subject": "events.csv",
        "status": "COMPLETED",
        "done": 2,
        "failed": 1,
        "error": None,
    }
    foreign = await server.ask(JOB, {"id": job["id"]}, as_=rival)
    assert foreign["errors"][0]["extensions"]["code"] == "not_found"


async def test_a_file_that_cannot_be_read_fails_its_job(server: Server, acme: Bootstrapped) -> None:
    job = await begun(server, acme, b"event_type,lead_id\xff\nview,ld_1\n")
    assert (await followed(server, acme, job["id"]))[-1] == {"status": "FAILED", "done": 0, "failed": 0}
    ended = (await server.ask(JOB, {"id": job["id"]}, as_=acme))["data"]["job"]
    assert ended["error"] == "The file is not UTF-8 (line 1)."


async def test_progress_of_an_unknown_job_is_refused(server: Server, acme: Bootstrapped) -> None:
    async with server.socket(bearer(acme)) as socket:
        await socket.receive()
        for job_id in ("job_none", "\0"):
            await socket.begin(PROGRESS, {"id": job_id}, operation_id=job_id)
            message = await socket.receive()
            assert orjson.dumps(message).count(b"not_found") == 1, message


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": ""}])
async def test_an_upload_needs_credentials_in_a_header(server: Server, headers: dict[str, str]) -> None:
    response = await send(server, headers)
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (401, "unauthorized")


@pytest.mark.parametrize(
    ("operations", "map_"),
    [
        (OPERATIONS, {"1": ["variables.input.file"]}),
        (OPERATIONS, {"0": ["nothing.file"]}),
        (OPERATIONS, {"0": ["query.0"]}),
        (OPERATIONS, {"0": 7}),
        (OPERATIONS, {"0": [7]}),
        (OPERATIONS, []),
        ([], MAP),
        ({"query": IMPORT, "variables": None}, MAP),
        ({"query": IMPORT, "variables": []}, {"0": ["variables.0"]}),
    ],
)
async def test_a_form_that_is_no_request_is_refused(
    server: Server, acme: Bootstrapped, operations: Any, map_: Any
) -> None:
    response = await send(server, bearer(acme), operations=operations, map_=map_)
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (400, "invalid_request")


async def test_a_body_that_is_no_form_is_refused(server: Server, acme: Bootstrapped) -> None:
    for kind in ("multipart/form-data", "multipart/form-data; boundary=x"):
        response = await server.http.post("/graphql", content=b"--y", headers=bearer(acme) | {"Content-Type": kind})
        assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (400, "invalid_request")


async def test_a_file_must_be_a_file(server: Server, acme: Bootstrapped) -> None:
    answer = await server.ask(IMPORT, {"input": {"file": "event_type,lead_id"}}, as_=acme)
    assert answer["errors"][0]["extensions"] == {
        "code": "invalid_request",
        "details": [{"field": "file", "message": "must be a file"}],
    }


async def test_a_form_is_one_however_its_type_is_spelt(server: Server) -> None:
    headers = {"Content-Type": "Multipart/Form-Data; boundary=x"}
    response = await server.http.post("/graphql", content=b"--x--", headers=headers)
    assert (response.status_code, response.json()["errors"][0]["extensions"]["code"]) == (401, "unauthorized")
