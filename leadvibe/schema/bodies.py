"""Request bodies: how large they may be, and who may send a form."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import Message, Receive, Scope

from leadvibe.errors import too_large, unauthorized
from leadvibe.schema.context import GraphQLContext

# As for REST: 2,000 events of 8 KB.
_LARGEST_BODY = 16 * 1024 * 1024


async def request_of(scope: Scope, receive: Receive) -> Request:
    """The request, with its body bounded. An upload may be of any size, so its sender is verified before it is
    read; and as a foreign page can send a form but no Authorization header, it can import nothing."""
    request = Request(scope, receive)
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return Request(scope, _bounded(receive))
    if "authorization" not in request.headers:
        raise unauthorized()
    await GraphQLContext.of(request, None).authenticate()
    return request


def _bounded(receive: Receive) -> Receive:
    """Ends a request with 413 as soon as its body is too large."""
    size = 0

    async def bounded() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > _LARGEST_BODY:
            raise too_large(f"The body is larger than {_LARGEST_BODY} bytes.")
        return message

    return bounded
