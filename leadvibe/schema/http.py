"""GraphQL over HTTP, the rules of requests and answers: https://graphql.github.io/graphql-over-http/draft/"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import orjson
from starlette.responses import Response
from strawberry.types.graphql import OperationType

from leadvibe.errors import ApiError, bad_request
from leadvibe.schema.errors import extensions_of

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"
EVENTS = "text/event-stream"
# In which a client may take the parts of an answer as they are ready, besides a whole one.
PARTS = "multipart/mixed"

# For clients that take anything, the one that every client understands comes first.
_OFFERED = (JSON, GRAPHQL, EVENTS)

_ALLOWED = {
    "GET": frozenset({OperationType.QUERY}),
    "POST": frozenset({OperationType.QUERY, OperationType.MUTATION}),
}


@lru_cache(256)
def negotiated(accept: str | None) -> str | None:
    """The media type to answer with: the one that an Accept header likes best, the first named among equals; None
    when it takes none of ours."""
    if not accept:
        return JSON
    wanted = list(_ranges(accept))
    ranked = []
    for place, offered in enumerate(_OFFERED):
        matches = [
            (_precision(pattern), quality, -order)
            for order, (pattern, quality) in enumerate(wanted)
            if pattern in (offered, offered.split("/")[0] + "/*", "*/*")
        ]
        if matches:
            precision, quality, order = max(matches)
            ranked.append((quality, precision, order, -place, offered))
    best = max(ranked, default=None)
    return best[-1] if best is not None and best[0] > 0 else None


@lru_cache(256)
def takes_parts(accept: str | None) -> bool:
    """Whether an Accept header names the media type of answers in parts."""
    return any(pattern == PARTS and quality > 0 for pattern, quality in _ranges(accept or ""))


def allowed_operations(method: str, media_type: str) -> frozenset[OperationType]:
    """What may be asked for: reading by GET, and subscribing where there is a stream to answer with."""
    streamed = {OperationType.SUBSCRIPTION} if media_type == EVENTS else set()
    return _ALLOWED[method] | streamed


def refused(operation: OperationType) -> ApiError:
    """What a well-formed request asks for and its method or media type cannot give."""
    if operation is OperationType.SUBSCRIPTION:
        return not_acceptable(f"A subscription is answered with {EVENTS}: accept that, or use a WebSocket.")
    return ApiError(405, "method_not_allowed", "A mutation needs POST; GET only reads.")


def not_acceptable(message: str = f"The answer is {GRAPHQL}, {JSON} or {EVENTS}.") -> ApiError:
    return ApiError(406, "not_acceptable", message)


def check_json_type(content_type: str, params: Mapping[str, str]) -> None:
    """415 unless a body is JSON in UTF-8."""
    if content_type != JSON:
        raise ApiError(415, "unsupported_media_type", f"A request is sent as {JSON}.")
    if params.get("charset", "utf-8").strip("\"'").lower() not in ("utf-8", "utf8"):
        raise ApiError(415, "unsupported_media_type", "A request is encoded in UTF-8.")


def check_parameters(request: Any) -> dict[str, Any]:
    """The request's parameters; 400 when one is not of its type. Unknown ones are no concern of ours."""
    if isinstance(request, list):
        raise bad_request("A request is one operation; batches are not taken.")
    if not isinstance(request, dict):
        raise bad_request("A request is a JSON object.")
    for name, kind, noun in (
        ("query", str, "a text"),
        ("documentId", str, "a text"),
        ("operationName", str, "a text"),
        ("variables", dict, "an object"),
        ("extensions", dict, "an object"),
    ):
        if not isinstance(request.get(name), kind | None):
            raise bad_request(f"`{name}` is {noun} or null.", **{name: f"must be {noun}"})
    return request


def of_query_string(params: Mapping[str, str | None]) -> dict[str, Any]:
    """The parameters of a GET, where those that are objects are written as JSON."""
    request: dict[str, Any] = dict(params)
    for name in ("variables", "extensions"):
        if text := request.get(name):
            request[name] = parsed(text)
        else:
            request.pop(name, None)
    return request


def parsed(text: str | bytes) -> Any:
    """The JSON value; 400 when it is none."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise bad_request("The request is not valid JSON.") from None


def encoded(answer: Any) -> bytes:
    """The JSON of an answer, its times in UTC."""
    return orjson.dumps(answer, option=orjson.OPT_UTC_Z)


def status_of(answer: Mapping[str, Any], media_type: str) -> int:
    """200 for whatever was executed. What was refused before has no `data`, and a status that tells so, except for
    clients of application/json, which expect 200 for every well-formed request."""
    if "data" in answer or media_type == JSON:
        return 200
    codes = {error.get("extensions", {}).get("code") for error in answer["errors"]}
    return 500 if "internal_error" in codes else 400


def refusal(error: ApiError, media_type: str | None, well_formed: bool = False) -> Response:
    """The answer to a request that is no GraphQL request, or asks for what cannot be. A `well_formed` one gets the
    status of an operation that is refused before it is executed."""
    headers = {"Allow": "GET, POST"} if error.status == 405 else {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    body = {"errors": [{"message": error.message, "extensions": extensions_of(error)}]}
    kind = GRAPHQL if media_type == GRAPHQL else JSON
    status = status_of(body, kind) if well_formed else error.status
    return Response(orjson.dumps(body), status, headers, media_type=with_charset(kind))


def with_charset(media_type: str) -> str:
    return f"{media_type}; charset=utf-8"


def _ranges(accept: str) -> Iterable[tuple[str, float]]:
    """The media ranges of an Accept header with their qualities; one that is no number counts as 1."""
    for part in accept.split(","):
        pattern, *params = (piece.strip().lower() for piece in part.split(";"))
        quality = next((param[2:] for param in params if param.startswith("q=")), "1")
        try:
            yield pattern, float(quality)
        except ValueError:
            yield pattern, 1.0


def _precision(pattern: str) -> int:
    return 2 - pattern.count("*")
