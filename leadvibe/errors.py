"""The one error that crosses a door. Both doors turn it into the contract's error body."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One entry of `details`: which field is wrong, and what to do about it."""

    field: str
    message: str


@dataclass(slots=True)
class ApiError(Exception):
    """A request that cannot be served: HTTP status, snake_case code, a sentence for the reader.

    `details` is filled for validation errors only; `retry_after` (seconds) for 429 and 503.
    """

    status: int
    code: str
    message: str
    details: list[FieldProblem] = field(default_factory=list)
    retry_after: int | None = None

    def __str__(self) -> str:
        return self.message

    def body(self) -> dict[str, object]:
        """The contract's error body."""
        body: dict[str, object] = {"error": self.message, "code": self.code}
        if self.details:
            body["details"] = [{"field": d.field, "message": d.message} for d in self.details]
        return body


def bad_request(message: str, code: str = "invalid_request", **fields: str) -> ApiError:
    """400; each keyword becomes a detail."""
    return ApiError(400, code, message, [FieldProblem(name, text) for name, text in fields.items()])


def invalid_fields(problems: Iterable[Mapping[str, Any]]) -> ApiError:
    """400 for the errors that Pydantic found in a body or a query."""
    details = [
        FieldProblem(".".join(map(str, each["loc"])) or "body", each["msg"].removeprefix("Value error, "))
        for each in problems
    ]
    return ApiError(400, "invalid_request", "The request has invalid fields.", details)


def unauthorized(message: str = "Missing or invalid credentials.") -> ApiError:
    return ApiError(401, "unauthorized", message)


def forbidden(message: str, code: str = "forbidden") -> ApiError:
    return ApiError(403, code, message)


def not_found(noun: str) -> ApiError:
    """404; a foreign OU's row looks exactly like an absent one."""
    return ApiError(404, "not_found", f"{noun} does not exist, or is not accessible here.")


def conflict(message: str, code: str = "conflict") -> ApiError:
    return ApiError(409, code, message)


def too_large(message: str, code: str = "payload_too_large") -> ApiError:
    return ApiError(413, code, message)


def unavailable(message: str, code: str = "overloaded", retry_after: int = 1) -> ApiError:
    return ApiError(503, code, message, retry_after=retry_after)
