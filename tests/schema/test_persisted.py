"""Documents that clients name: by the ids of a manifest, and by hashes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from leadvibe.config import Settings
from leadvibe.schema.http import GRAPHQL
from leadvibe.schema.persisted import Documents, UnknownDocument, read_manifest
from tests.rest_compat.conftest import client, running
from tests.schema.conftest import Server, Socket
from tests.schema.test_sockets import connect

KIND = "query Kind { __typename }"
OTHER = "query Other { kind: __typename }"
ANSWER = {"__typename": "Query"}


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def by_hash(text: str) -> dict[str, Any]:
    return {"persistedQuery": {"version": 1, "sha256Hash": digest(text)}}


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "documents.json"
    path.write_bytes(orjson.dumps({"kind": KIND}))
    return path


@pytest.fixture
async def strict(database_url: str, manifest: Path) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(database_url=database_url, graphql_documents=manifest, graphql_documents_only=True)
    async with running(settings) as url, client(url) as http:
        yield http


def code(response: httpx.Response) -> str:
    (error,) = response.json()["errors"]
    return error["extensions"]["code"]


async def test_a_document_of_the_manifest_has_a_name(strict: httpx.AsyncClient) -> None:
    for document_id in ("kind", f"sha256:{digest(KIND)}"):
        for response in (
            await strict.post("/graphql", json={"documentId": document_id}),
            await strict.get("/graphql", params={"documentId": document_id}),
            await strict.get("/graphql", params={"extensions": orjson.dumps(by_hash(KIND)).decode()}),
            await strict.post("/graphql", json={"query": KIND}),
        ):
            assert response.json()["data"] == ANSWER
    async with connect(str(strict.base_url).replace("http", "ws") + "/graphql") as connection:
        socket = Socket(connection)
        await socket.send({"type": "connection_init"})
        await socket.receive()
        await socket.send({"type": "subscribe", "id": "1", "payload": {"documentId": "kind"}})
        assert await socket.next() == ANSWER
        assert (await socket.receive())["type"] == "complete"
        await socket.begin(OTHER, operation_id="2")
        refused = await socket.receive()
    assert (refused["type"], refused["payload"][0]["extensions"]["code"]) == ("error", "document_not_allowed")


async def test_nothing_else_is_executed(strict: httpx.AsyncClient) -> None:
    for body in ({"query": OTHER}, {"query": OTHER, "extensions": by_hash(OTHER)}):
        response = await strict.post("/graphql", json=body)
        assert (response.status_code, code(response)) == (403, "document_not_allowed")
    unknown = {"documentId": "other"}
    response = await strict.post("/graphql", json=unknown)
    assert (response.status_code, code(response)) == (200, "PERSISTED_DOCUMENT_NOT_FOUND")
    response = await strict.post("/graphql", json=unknown, headers={"Accept": GRAPHQL})
    assert (response.status_code, code(response)) == (400, "PERSISTED_DOCUMENT_NOT_FOUND")


async def test_a_query_is_sent_once_and_named_by_its_hash(server: Server) -> None:
    extensions = by_hash(KIND)
    first = await server.http.post("/graphql", json={"extensions": extensions})
    assert first.json()["errors"][0]["message"] == "PersistedQueryNotFound"
    assert code(first) == "PERSISTED_QUERY_NOT_FOUND"
    for body in ({"query": KIND, "extensions": extensions}, {"extensions": extensions}):
        assert (await server.http.post("/graphql", json=body)).json()["data"] == ANSWER
    asked = {"extensions": orjson.dumps(extensions).decode()}
    assert (await server.http.get("/graphql", params=asked)).json()["data"] == ANSWER
    events = await server.http.get("/graphql", params=asked, headers={"Accept": "text/event-stream"})
    assert '"__typename":"Query"' in events.text


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"query": KIND, "documentId": "kind"},
        {"query": OTHER, "extensions": by_hash(KIND)},
        {"extensions": {"persistedQuery": {"version": 2, "sha256Hash": digest(KIND)}}},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "short"}}},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": ["x"]}}},
        {"extensions": {"persistedQuery": "hash"}},
        {"documentId": 5},
    ],
)
async def test_a_request_that_names_nothing_properly_is_refused(server: Server, request_: dict[str, Any]) -> None:
    response = await server.http.post("/graphql", json=request_)
    assert (response.status_code, code(response)) == (400, "invalid_request")


def test_what_is_remembered_is_bounded() -> None:
    documents = Documents({})
    texts = [f"query Q{n} {{ {'x' * 39_000} }}" for n in range(150)]
    for text in texts:
        documents.text({"query": text, "extensions": by_hash(text)})
    assert documents.text({"extensions": by_hash(texts[-1])}) == texts[-1]
    with pytest.raises(UnknownDocument):
        documents.text({"extensions": by_hash(texts[0])})
    long = "query { " + "x" * 50_000 + " }"
    assert documents.text({"query": long, "extensions": by_hash(long)}) == long
    with pytest.raises(UnknownDocument):
        documents.text({"extensions": by_hash(long)})


def test_the_manifest_of_apollos_tools_is_read(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    operations = [{"id": digest(KIND), "name": "Kind", "type": "query", "body": KIND}]
    path.write_bytes(
        orjson.dumps({"format": "apollo-persisted-query-manifest", "version": 1, "operations": operations})
    )
    assert Documents(read_manifest(path)).text({"documentId": digest(KIND)}) == KIND
    for nothing in (b"[]", b"{", b'{"a": 1}', b'{"operations": [{"id": 1}]}'):
        path.write_bytes(nothing)
        with pytest.raises(ValueError, match="is no manifest"):
            read_manifest(path)
