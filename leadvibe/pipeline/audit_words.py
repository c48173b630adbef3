"""What a request did, in words: a verb for its badge, and a sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Each with its plain form.
VERBS = {
    "Viewed": "view",
    "Created": "create",
    "Updated": "update",
    "Deleted": "delete",
    "Merged": "merge",
    "Exported": "export",
}

_BY_METHOD = {"POST": "Created", "PUT": "Updated", "PATCH": "Updated", "DELETE": "Deleted"}
# The first word of a GraphQL mutation's name, and the last of a REST path that says more than its method.
_BY_WORD = {
    "create": "Created",
    "add": "Created",
    "ingest": "Created",
    "import": "Created",
    "begin": "Created",
    "delete": "Deleted",
    "remove": "Deleted",
    "revoke": "Deleted",
    "wipe": "Deleted",
    "disconnect": "Deleted",
    "merge": "Merged",
    "export": "Exported",
    "preview": "Viewed",
    "dry-run": "Viewed",
}
_ENDINGS = ("-preview", "-export")
# What a segment of a path is called, where it is not its own plain name.
_NOUNS = {
    "rules": "scoring rule",
    "stages": "engagement level",
    "filters": "velocity filter",
    "secrets": "API credential",
    "org-units": "organizational unit",
    "ou": "unit",
    "ingest": "event",
    "csv": "CSV",
}
# What the verb says already, or nobody needs to hear.
_UNTOLD = {"api", "v1", "merge", "export", "preview", "dry-run"}
_WORDS = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_AN_ID = re.compile(r"[a-z]+_\w+|\d+")


def verb_of(method: str, path: str, mutates: bool, fields: Sequence[str]) -> str:
    """One of VERBS. `fields` are those of a GraphQL document, and `mutates` says that it is a mutation."""
    if fields:
        first = _words(fields[0])[0]
        return _BY_WORD.get(first, "Updated") if mutates else "Exported" if first == "export" else "Viewed"
    last = path.rstrip("/").rsplit("/", 1)[-1]
    for ending in _ENDINGS:
        last = ending[1:] if last.endswith(ending) else last
    if method == "GET":
        return "Exported" if last == "export" else "Viewed"
    return _BY_WORD.get(last, _BY_METHOD.get(method, "Viewed"))


def sentence(user: str, verb: str, path: str, fields: Sequence[str], status: int) -> str:
    """For example `ada@acme.example updated scoring rule rl_1`, or `… failed to …` with its status."""
    thing = ", ".join(_of_field(field) for field in fields) if fields else _of_path(path)
    if status >= 400:
        return f"{user} failed to {VERBS[verb]} {thing} ({status})"
    return f"{user} {verb.lower()} {thing}"


def _of_field(field: str) -> str:
    words = _words(field)
    known = len(words) > 1 and (words[0] in _BY_WORD or words[0] in ("update", "set"))
    return " ".join(words[1:] if known else words)


def _of_path(path: str) -> str:
    parts = [part for part in path.split("/") if part and part not in _UNTOLD]
    told = [part if _AN_ID.fullmatch(part) else _NOUNS.get(part, part.replace("-", " ")) for part in parts]
    return " ".join(told) or "the start page"


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(name)] or [name]
