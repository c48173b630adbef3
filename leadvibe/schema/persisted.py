"""Documents that clients name instead of sending them.

By `documentId`, out of a manifest that the client's build wrote:
https://github.com/graphql/graphql-over-http/blob/main/spec/Appendix%20A%20--%20Persisted%20Documents.md.
By their hash, once any client has sent them with it (automatic persisted queries):
https://www.apollographql.com/docs/apollo-server/performance/apq.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from cachetools import LRUCache
from pydantic import BaseModel, TypeAdapter, ValidationError

from leadvibe.config import Settings
from leadvibe.errors import ApiError, bad_request

_SHA256 = re.compile(r"[0-9a-f]{64}")
# Of all remembered texts together, and of one of them.
_MOST_CHARACTERS, _LONGEST = 4_000_000, 40_000


class _Operation(BaseModel):
    id: str
    body: str


class _ApolloManifest(BaseModel):
    operations: list[_Operation]


_MANIFEST: TypeAdapter[dict[str, str] | _ApolloManifest] = TypeAdapter(dict[str, str] | _ApolloManifest)


class UnknownDocument(ApiError):
    """A well-formed request that names a document which is not known here."""


class Documents:
    """The documents of a process. `manifest`: texts by their ids; `only_these`: nothing else is executed."""

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Raises ValueError or OSError when the manifest is none or cannot be read."""
        path = settings.graphql_documents
        return cls({} if path is None else read_manifest(path), settings.graphql_documents_only)

    def __init__(self, manifest: Mapping[str, str], only_these: bool = False) -> None:
        self._by_id = dict(manifest) | {f"sha256:{_hash(text)}": text for text in manifest.values()}
        self._allowed = frozenset(manifest.values()) if only_these else None
        self._sent: LRUCache[str, str] = LRUCache(_MOST_CHARACTERS, getsizeof=len)

    def text(self, request: Mapping[str, Any]) -> str:
        """The text of the document that a request, whose parameters have their types, sends or names.

        Raises 400: nothing or both, an unknown id or hash, a hash that is another text's, or a document that is
        not allowed here.
        """
        query, document_id = request.get("query") or None, request.get("documentId")
        if (named := (request.get("extensions") or {}).get("persistedQuery")) is not None:
            text = self._automatic(query, _digest(named))
        elif query is not None and document_id is not None:
            raise bad_request("A request has `query` or `documentId`, not both.", documentId="must be left out")
        elif document_id is not None:
            text = self._persisted(document_id)
        elif query is not None:
            text = query
        else:
            raise bad_request("The request has no `query`.", query="is missing")
        if self._allowed is not None and text not in self._allowed:
            raise ApiError(403, "document_not_allowed", "This server executes only the documents that it knows.")
        return text

    def _persisted(self, document_id: str) -> str:
        if (text := self._by_id.get(document_id)) is None:
            raise UnknownDocument(400, "PERSISTED_DOCUMENT_NOT_FOUND", "There is no document with this id.")
        return text

    def _automatic(self, query: str | None, digest: str) -> str:
        if query is None:
            text = self._sent.get(digest) or self._by_id.get(f"sha256:{digest}")
            if text is None:  # in the words that clients wait for
                raise UnknownDocument(400, "PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound")
            return text
        if _hash(query) != digest:
            raise bad_request("The hash is not that of the query.", sha256Hash="is another text's")
        if len(query) <= _LONGEST:
            self._sent[digest] = query
        return query


def read_manifest(path: Path) -> dict[str, str]:
    """The texts by their ids: a JSON object of them, or the manifest of Apollo's tools.

    Raises ValueError when the file is neither, OSError when it cannot be read.
    """
    try:
        manifest = _MANIFEST.validate_json(path.read_bytes())
    except ValidationError:
        raise ValueError(f"{path} is no manifest: JSON with the texts of documents by their ids.") from None
    return manifest if isinstance(manifest, dict) else {each.id: each.body for each in manifest.operations}


def _digest(named: Any) -> str:
    """The hash in `extensions.persistedQuery`."""
    if isinstance(named, dict) and named.get("version") == 1:
        digest = named.get("sha256Hash")
        if isinstance(digest, str) and _SHA256.fullmatch(digest):
            return digest
    raise bad_request("`extensions.persistedQuery` has `version` 1 and a `sha256Hash` of 64 hexadecimal digits.")


def _hash(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
