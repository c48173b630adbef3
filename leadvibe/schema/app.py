"""The GraphQL door: `/graphql` over HTTP, graphql-sse and graphql-transport-ws, and GraphiQL."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta
from json import JSONDecodeError
from typing import Any, cast

import orjson
from cross_web import AsyncHTTPRequestAdapter, HTTPException
from graphql import GraphQLError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData, GraphQLRequestProtocol, process_result
from strawberry.http.base import BaseRequestProtocol
from strawberry.http.parse_content_type import parse_content_type
from strawberry.http.streaming import MultipartTransport
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.unset import UnsetType

from leadvibe.errors import ApiError, bad_request
from leadvibe.schema import http, parts
from leadvibe.schema.bodies import request_of
from leadvibe.schema.context import CONTEXT, GraphQLContext
from leadvibe.schema.front import PATH
from leadvibe.schema.graphiql import assets, page
from leadvibe.schema.persisted import Documents, UnknownDocument
from leadvibe.schema.root import SCHEMA
from leadvibe.schema.sockets import SocketHandler

_INIT_SECONDS = 10


class Door(GraphQL[GraphQLContext, None]):
    """Strawberry's ASGI application with this server's credentials, GraphiQL page, and the rules of `http.py`."""

    graphql_transport_ws_handler_class = SocketHandler
    documents: Documents

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await super().__call__(scope, receive, send)
        try:
            response = await self.run(await request_of(scope, receive))
        except ApiError as error:
            media_type = http.negotiated(Headers(scope=scope).get("accept"))
            response = http.refusal(error, media_type, well_formed=isinstance(error, UnknownDocument))
        await response(scope, receive, send)

    def is_request_allowed(self, request: BaseRequestProtocol) -> bool:
        if request.method not in ("GET", "POST"):
            raise ApiError(405, "method_not_allowed", f"{request.method} is not possible here.")
        return True

    def should_render_graphql_ide(self, request: BaseRequestProtocol) -> bool:
        """For a browser that was sent here; whoever takes just anything is a program that forgot its query."""
        asks = request.query_params.keys() & {"query", "documentId", "extensions"}
        return request.method == "GET" and not asks and "text/html" in request.headers.get("accept", "")

    async def parse_http_body(self, request: AsyncHTTPRequestAdapter) -> GraphQLRequestData:
        media_type = http.negotiated(request.headers.get("accept"))
        if media_type is None:
            raise http.not_acceptable()
        parameters = http.check_parameters(await self._parameters(request))
        return GraphQLRequestData(
            query=self.documents.text(parameters),
            variables=parameters.get("variables"),
            operation_name=parameters.get("operationName"),
            extensions=parameters.get("extensions"),
            protocol="sse" if media_type == http.EVENTS else "http",
        )

    async def _parameters(self, request: AsyncHTTPRequestAdapter) -> Any:
        if request.method == "GET":
            return http.of_query_string(request.query_params)
        content_type, params = parse_content_type(request.content_type or "")
        if content_type == "multipart/form-data":
            return await self.parse_multipart(request)
        http.check_json_type(content_type, params)
        return http.parsed(await request.get_body())

    async def parse_multipart(self, request: AsyncHTTPRequestAdapter) -> dict[str, str]:
        try:
            return await super().parse_multipart(request)
        except (
            TypeError,
            ValueError,
            LookupError,
            AttributeError,
            HTTPException,
            MultiPartException,
            StarletteHTTPException,
        ):
            raise bad_request("The form is not a GraphQL multipart request.") from None

    async def execute_operation(
        self,
        request: Request,
        request_adapter: AsyncHTTPRequestAdapter,
        request_data: Any,
        context: GraphQLContext,
        root_value: None,
        sub_response: Response,
    ) -> Any:
        streamed = request_data.protocol == "sse"
        allowed = http.allowed_operations(request_adapter.method, http.EVENTS if streamed else http.JSON)
        # Without a directive nothing is deferred.
        divides = not streamed and "@" in request_data.query
        context.in_parts = divides and http.takes_parts(request_adapter.headers.get("accept"))
        execute = self.schema.stream if streamed or context.in_parts else self.schema.execute
        try:
            result = await execute(
                request_data.query,
                variable_values=request_data.variables,
                context_value=context,
                operation_name=request_data.operation_name,
                operation_extensions=request_data.extensions,
                allowed_operation_types=allowed,
            )
            return await parts.begun(cast(parts.Results, result)) if context.in_parts else result
        except InvalidOperationTypeError as error:
            raise http.refused(error.operation_type) from None
        except CannotGetOperationTypeError as error:
            told = GraphQLError(error.as_http_error_reason(), extensions={"code": "invalid_query"})
            return PreExecutionError(data=None, errors=[told])

    async def _create_streaming_response(
        self, request: Request, result: Any, protocol: GraphQLRequestProtocol, sub_response: Response
    ) -> Response:
        if protocol == "sse":
            return await super()._create_streaming_response(request, result, protocol, sub_response)
        transport = MultipartTransport()

        async def told() -> AsyncGenerator[object, None]:
            pending: list[Any] = []
            async with aclosing(result):
                async for each in result:
                    part, pending = await self._process_stream_result(request, each, pending)
                    yield parts.told(dict(part))

        stream = transport.stream(told, self.encode_json_string)
        return await self.create_streaming_response(request, stream, sub_response, transport.headers)

    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        answer = process_result(result)
        if result.data is None and result.errors and not any(error.path for error in result.errors):
            del answer["data"]  # nothing was executed
        return answer

    async def get_sub_response(self, request: Request | WebSocket) -> Response:
        response = await super().get_sub_response(request)
        response.media_type = http.negotiated(request.headers.get("accept")) or http.JSON
        return response

    def create_response(self, response_data: Any, sub_response: Response) -> Response:
        media_type = str(sub_response.media_type)
        status = http.status_of(response_data, media_type)
        response = Response(self.encode_json(response_data), status, media_type=http.with_charset(media_type))
        response.headers.raw.extend(sub_response.headers.raw)
        return response

    def is_websocket_origin_allowed(self, request: WebSocket, origin: str) -> bool:
        return True  # `browsers.ForeignPages` has decided

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> GraphQLContext:
        context: GraphQLContext = request.scope.get(CONTEXT) or GraphQLContext.of(request, None)
        context.response = response if isinstance(response, Response) else None
        return context

    async def on_ws_connect(self, context: GraphQLContext) -> UnsetType | dict[str, object] | None:
        """Wrong credentials or a foreign unit close the socket with 4403; without any, only public operations work."""
        context.take_connection_params()
        if context.credentials.authorization is not None:
            try:
                caller = await context.renewed().authenticate()
            except ApiError as error:
                raise ConnectionRejectionError from error
            if caller.unit_refusal is not None:
                raise ConnectionRejectionError from caller.unit_refusal
        return await super().on_ws_connect(context)

    async def render_graphql_ide(self, request: Request) -> Response:
        return HTMLResponse(page())

    def decode_json(self, data: str | bytes) -> object:
        """Requests and messages alike are objects; whatever else is told like malformed JSON."""
        value = orjson.loads(data)
        if not isinstance(value, dict):
            raise JSONDecodeError("not an object", "", 0)
        return value

    def encode_json(self, data: object) -> str:
        return http.encoded(data).decode()  # text: a WebSocket client expects no binary frames


def graphql_routes(documents: Documents) -> list[BaseRoute]:
    """The routes of the door, for the application to mount. `documents`: those that requests may name."""
    door = Door(
        SCHEMA,
        subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL, GRAPHQL_SSE_PROTOCOL),
        multipart_uploads_enabled=True,
        connection_init_wait_timeout=timedelta(seconds=_INIT_SECONDS),
        max_subscriptions_per_connection=None,  # SocketHandler counts
    )
    door.documents = documents
    return [
        Mount("/graphql/assets", StaticFiles(directory=assets())),
        Route(PATH, door),
        WebSocketRoute(PATH, door),
    ]


def sdl() -> str:
    """The schema in GraphQL's schema definition language: what `schema.graphql` holds."""
    return SCHEMA.as_str() + "\n"
