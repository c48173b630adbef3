"""Random requests to every documented operation: the answers are documented ones, and never the server's fault.

Schemathesis makes them of the document, with a fixed seed: right ones, wrong ones, and the examples. Paths
are asked for with ids of what exists, too; else nearly all answers would be 404.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from leadvibe.config import Settings
from leadvibe.ids import new_id
from leadvibe.live.publisher import Publisher
from leadvibe.pipeline.worker import Worker
from leadvibe.resolvers.authentication import Authenticator
from leadvibe.rest_compat.routes import document
from leadvibe.store.database import Database
from tests.rest_compat.conftest import bearer, new_org, running

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

DOCUMENT = document()
# What must differ from row to row.
UNIQUE: dict[str, Callable[[str], Any]] = {
    "id": str,
    "name": str,
    "event_type": str,
    "email": "{}@leadvibe.example".format,
    "profile_property": str,
    "account_property": str,
    "source_field": str,
}
# What would name something that is not there.
REFERRING = {"ruleset_id", "account_id"}
# The first is asked for by its id; the others are those of the document's examples, which requests may delete.
LEADS = ("ld_known", "ld_ada", "ld_guest")

SCHEMA = schemathesis.openapi.from_dict(copy.deepcopy(DOCUMENT))
SCHEMA.config.seed = 1
SCHEMA.config.phases.coverage.enabled = False
# It never ends.
API = SCHEMA.exclude(path="/stream")


@pytest.fixture(scope="module")
async def member(database_url: str, database: Database, authenticator: Authenticator) -> dict[str, str]:
    """Headers of an owner of an organisation with all its features."""
    made = await new_org(authenticator, "random")
    await database.pool.execute("UPDATE organisations SET abm_enabled = true")
    return bearer(made.token) | {"X-Unit-Id": made.unit_id}


@pytest.fixture(scope="module")
def place(database_url: str) -> Iterator[str]:
    """The URL of a server, beside which a worker scores."""
    with in_thread(database_url) as url:
        yield url


@contextmanager
def in_thread(database_url: str) -> Iterator[str]:
    """They have a thread of their own, as Schemathesis waits without awaiting."""
    begun: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        stop, publisher = asyncio.Event(), Publisher(database_url)
        await publisher.connect()
        scoring = asyncio.create_task(Worker(database_url, publisher, batch_size=500).run(stop))
        async with running(Settings(database_url=database_url)) as url:
            begun.set_result((url, asyncio.get_running_loop(), stop))
            await scoring
        await publisher.close()

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(asyncio.run, serve())
        wait([begun, done], return_when=FIRST_COMPLETED)
        if done.done():
            done.result()
        url, loop, stop = begun.result()
        yield url
        loop.call_soon_threadsafe(stop.set)
        done.result()


@pytest.fixture(scope="module")
def session(place: str, member: dict[str, str]) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.headers.update(member)
        yield session


class Known:
    """Ids of what is there. What a DELETE names is made for it, by the document's example."""

    def __init__(self, session: requests.Session, place: str, unit_id: str) -> None:
        self._session, self._place, self._scores = session, place, itertools.count(1_000_000)
        events = [{"event_type": "page_view", "lead_id": lead, "event_id": f"ev_{lead}"} for lead in LEADS]
        answer = session.post(f"{place}/ingest", json=events)
        assert answer.status_code == 202, answer.text
        self._fixed = {"leadID": LEADS[0], "eventType": "page_view", "ouId": unit_id, "eventID": f"ev_{LEADS[0]}"}

    def fill(self, case: schemathesis.Case) -> None:
        """Gives the path of the case ids that exist."""
        path, ids = case.path, case.path_parameters
        for name in re.findall(r"{(\w+)}", path):
            collection = path[: path.index(f"/{{{name}}}")]
            deleted = case.method == "DELETE" and path.endswith(f"{{{name}}}")
            ids[name] = self._id(name, collection, ids, deleted) or ids[name]

    def _id(self, name: str, collection: str, ids: dict[str, Any], deleted: bool) -> str | None:
        if name == "memberId":
            return self._member(collection.format(**ids))
        if collection == "/org-units":
            return self._fixed["ouId"]
        if name in self._fixed and not deleted:
            return self._fixed[name]
        if deleted or collection == "/members":
            return self._made("/leads" if name == "leadID" else collection, ids)
        rows = self._session.get(self._place + collection.format(**ids)).json()
        return id_of(rows[0]) if isinstance(rows, list) and rows else self._made(collection, ids)

    def _made(self, collection: str, ids: dict[str, Any]) -> str | None:
        """A new row; none when what random requests left there is in the way."""
        post = DOCUMENT["paths"].get(collection, {}).get("post")
        if post is None:
            return None
        body = post["requestBody"]["content"]["application/json"]["example"]
        unique = {name: make(new_id("n")) for name, make in UNIQUE.items() if name in body}
        body = {name: value for name, value in body.items() if name not in REFERRING} | unique
        if "min_score" in body:  # a level, which overlaps no other
            body["min_score"] = body["max_score"] = next(self._scores)
        answer = self._session.post(self._place + collection.format(**ids), json=body | {"active": False})
        return id_of(answer.json()) if answer.ok else None

    def _member(self, memberships: str) -> str | None:
        member = self._made("/members", {})
        self._session.post(self._place + memberships, json={"org_member_id": member, "role": "Operator"})
        return member


def id_of(row: dict[str, Any]) -> str:
    if "id" in row:
        return str(row["id"])
    return next(str(row[name]) for name in row if name.endswith("_id") and name not in ("org_id", "unit_id"))


@pytest.fixture(scope="module")
def known(session: requests.Session, place: str, member: dict[str, str]) -> Known:
    return Known(session, place, member["X-Unit-Id"])


ANSWERS: defaultdict[str, set[int]] = defaultdict(set)


@API.parametrize()
@settings(
    max_examples=3,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_an_answer_is_a_documented_one(
    case: schemathesis.Case, place: str, session: requests.Session, known: Known
) -> None:
    if case.meta.generation.mode is GenerationMode.POSITIVE:
        known.fill(case)
    response = case.call(base_url=place, session=session, timeout=20, allow_redirects=False)
    ANSWERS[f"{case.method} {case.path}"].add(response.status_code)
    case.validate_response(response, checks=CHECKS)


def test_most_operations_had_success() -> None:
    """Otherwise the requests would be too random to try anything."""
    if len(ANSWERS) < len(list(API.get_all_operations())):
        pytest.skip("not all operations were asked")
    successes = [operation for operation, statuses in ANSWERS.items() if any(status < 400 for status in statuses)]
    assert len(successes) > 0.85 * len(ANSWERS)
