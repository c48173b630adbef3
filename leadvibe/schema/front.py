"""Answers plain queries in front of Starlette and Strawberry, whose layers would cost them more than their data.

Such a request is a small POST of JSON whose document was found valid before, and is plain (see direct.py). All others,
and all that end in anything but an answer without errors, go the ordinary way (see app.py), with the body and the
sender as they were read: one way tells what is wrong, and a sender is verified once.
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from typing import Any

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from strawberry.http.parse_content_type import parse_content_type

from leadvibe.errors import ApiError
from leadvibe.resolvers import requests
from leadvibe.resolvers.requests import header
from leadvibe.schema import http
from leadvibe.schema.context import CONTEXT, GraphQLContext
from leadvibe.schema.direct import direct_query
from leadvibe.schema.limits import told_cost
from leadvibe.schema.persisted import Documents
from leadvibe.schema.root import SCHEMA

PATH = "/graphql"
# A longer body is not held here.
_LONGEST = 100_000


class Front:
    """The short way, and `app` behind it. `documents`: those that requests may name, which both ways share."""

    def __init__(self, app: ASGIApp, documents: Documents) -> None:
        self.app, self._documents = app, documents

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or not _is_small_json(scope):
            return await self.app(scope, receive, send)
        messages, body = await _read(receive)
        media_type = http.negotiated(header(scope, b"accept"))
        answer = None
        if body is not None and media_type in (http.JSON, http.GRAPHQL):
            with suppress(Exception):  # the ordinary way tells it, or finds nothing wrong
                answer = await self._answer(scope, body)
        if answer is None or media_type is None:
            return await self.app(scope, _again(messages, receive), send)
        headers = [(b"content-length", b"%d" % len(answer)), (b"content-type", _content_type(media_type))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _answer(self, scope: Scope, body: bytes) -> bytes | None:
        """The answer's JSON; None when the request is not for a plain query, or is refused."""
        parameters = http.check_parameters(http.parsed(body))
        text, name = self._documents.text(parameters), parameters.get("operationName")
        variables = parameters.get("variables") or {}
        query = direct_query(SCHEMA, text, name, variables)
        if query is None:
            return None
        settings = scope["app"].state.services.settings
        cost = query.measured.cost.at(variables)
        if cost > settings.graphql_max_cost or query.measured.refusal(settings, is_named=name is not None):
            return None
        context = scope[CONTEXT] = GraphQLContext.of(HTTPConnection(scope), None)
        data = await query.answer(context, variables)
        if (record := requests.current()) is not None:
            query.told.note(record)
        return http.encoded({"data": data, "extensions": told_cost(cost, settings)})


def _is_small_json(scope: Scope) -> bool:
    if scope["method"] != "POST" or header(scope, b"transfer-encoding") is not None:
        return False
    length = header(scope, b"content-length") or ""
    return length.isdigit() and int(length) <= _LONGEST and _is_json(header(scope, b"content-type") or "")


@lru_cache(64)
def _is_json(content_type: str) -> bool:
    try:
        http.check_json_type(*parse_content_type(content_type))
    except ApiError:
        return False
    return True


@lru_cache(2)
def _content_type(media_type: str) -> bytes:
    return http.with_charset(media_type).encode()


async def _read(receive: Receive) -> tuple[list[Message], bytes | None]:
    """The messages of a request, and the whole body; None when the client has gone."""
    messages = [await receive()]
    while messages[-1].get("more_body", False):
        messages.append(await receive())
    if messages[-1]["type"] != "http.request":
        return messages, None
    return messages, b"".join(message.get("body", b"") for message in messages)


def _again(messages: list[Message], receive: Receive) -> Receive:
    """The same messages for the application behind, and then those that still come."""
    waiting = iter(messages)

    async def received() -> Any:
        for message in waiting:
            return message
        return await receive()

    return received
