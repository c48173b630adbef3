"""What a request tells of itself while it is served, and leaves in the audit trail at its end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass

from starlette.types import Scope

from leadvibe import logs
from leadvibe.pipeline.audit_trail import AuditTrail, Kind, Note
from leadvibe.resolvers.caller import Caller


@dataclass(slots=True)
class RequestRecord:
    """One request, or one operation of a socket. `status` and `code` are those of its failure, if the door knows
    better than the HTTP status; `operation`, `fields` and `mutates` are those of a GraphQL document."""

    method: str
    path: str
    ip: str
    began: float
    is_socket: bool = False
    caller: Caller | None = None
    status: int | None = None
    code: str | None = None
    operation: str | None = None
    fields: tuple[str, ...] = ()
    mutates: bool = False

    def end(self, trail: AuditTrail, caller: Caller, status: int) -> None:
        """Leaves a note; there is none of requests whose sender was not authenticated."""
        kind = Kind(
            caller.org_id,
            caller.active_unit,
            caller.actor,
            caller.name,
            self.method,
            self.path,
            self.status or status,
            self.code,
            self.ip,
            self.mutates,
            self.operation,
            self.fields,
        )
        trail.add(Note(kind, time.time(), time.monotonic() - self.began, logs.request_id()))


_HEADERS = "leadvibe.headers"


def headers_of(scope: Scope) -> Mapping[bytes, bytes]:
    """The headers by their lower-case names, gone through once for all who ask; of a repeated one the first, as
    Starlette has it."""
    known: dict[bytes, bytes] | None = scope.get(_HEADERS)
    if known is None:
        known = scope[_HEADERS] = dict(reversed(scope["headers"]))
    return known


def header(scope: Scope, name: bytes) -> str | None:
    """The header with this lower-case name."""
    value = headers_of(scope).get(name)
    return None if value is None else value.decode("latin-1")


_current: ContextVar[RequestRecord | None] = ContextVar("request_record", default=None)


def begin(method: str, path: str, ip: str, is_socket: bool = False) -> RequestRecord:
    """What this task does from here on belongs to a request."""
    record = RequestRecord(method, path, ip, time.monotonic(), is_socket)
    _current.set(record)
    return record


def current() -> RequestRecord | None:
    """The request that this task serves."""
    return _current.get()


def identify(caller: Caller) -> None:
    """The sender is known."""
    if (record := _current.get()) is not None:
        record.caller = caller


def fail(status: int, code: str) -> None:
    """The request fails, whatever the transport answers."""
    if (record := _current.get()) is not None:
        record.status, record.code = status, code
