"""JSON in and out of the REST door, and the contract's error body for whatever goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_origin

import orjson
from pydantic import BaseModel, ValidationError
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from leadvibe.errors import ApiError, bad_request, invalid_fields, too_large
from leadvibe.resolvers import requests

Model = TypeVar("Model", bound=BaseModel)

# 2,000 events (the longest array) of 8 KB, or some of the largest metadata; more is an import's work.
LARGEST_BODY = 16 * 1024 * 1024

_CODES = {404: "not_found", 405: "method_not_allowed"}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON answer with headers of its own."""

    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="python", by_alias=True)
    raise TypeError(f"{type(value).__name__} is no JSON")


def encode(body: Any) -> bytes:
    return orjson.dumps(body, default=_plain, option=orjson.OPT_UTC_Z)


def json_response(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(encode(body), status, headers, media_type="application/json")


async def read_body(request: Request) -> bytes:
    """The whole body; 413 as soon as it is longer than LARGEST_BODY."""
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        size, more = size + len(parts[-1]), message.get("more_body", False)
        if size > LARGEST_BODY:
            raise too_large(f"The body is larger than {LARGEST_BODY} bytes.")
    return b"".join(parts)


async def read_json(request: Request) -> Any:
    try:
        return orjson.loads(await read_body(request))
    except orjson.JSONDecodeError as error:
        raise bad_request(f"The body is not valid JSON: {error}.", code="invalid_json") from None


async def read_model(request: Request, model: type[Model]) -> Model:
    """The JSON body as a model; unknown fields are ignored, wrong ones make a 400 with details."""
    body = await read_body(request)
    try:
        return model.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise _invalid(error) from None


def read_query(params: QueryParams, model: type[Model]) -> Model:
    """The query string as a model; a list field takes a repeated parameter."""
    given = {
        name: params.getlist(name) if get_origin(info.annotation) is list else params[name]
        for name, info in model.model_fields.items()
        if name in params
    }
    # PostgreSQL has no text with it, so nothing could match.
    if nul := [name for name in given if "\0" in "".join(params.getlist(name))]:
        raise bad_request("A parameter has a NUL character.", **dict.fromkeys(nul, "must not contain NUL"))
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise _invalid(error) from None


def _invalid(error: ValidationError) -> ApiError:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    if problems[0]["type"] == "json_invalid":
        return bad_request("The body is not valid JSON.", code="invalid_json")
    return invalid_fields(problems)


def error_response(error: ApiError) -> Response:
    requests.fail(error.status, error.code)
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer, Basic realm="leadvibe"'
    return json_response(error.body(), error.status, headers)


async def on_api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return error_response(error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Starlette's own errors: no such path, no such method, a form that cannot be read."""
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "invalid_request")
    messages = {404: f"There is no {request.url.path}.", 405: f"{request.method} is not possible here."}
    message = messages.get(error.status_code, error.detail)
    response = error_response(ApiError(error.status_code, code, message))
    response.headers.update(error.headers or {})
    return response


async def on_crash(request: Request, error: Exception) -> Response:
    """The last resort: the log gets the traceback, the client does not."""
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return error_response(ApiError(500, "internal_error", "The server failed to answer; it has logged why."))
