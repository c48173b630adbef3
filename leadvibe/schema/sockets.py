"""graphql-transport-ws: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphql import GraphQLError
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.subscriptions.protocols.graphql_transport_ws.types import SubscribeMessage

from leadvibe.errors import ApiError, bad_request
from leadvibe.schema.context import GraphQLContext
from leadvibe.schema.errors import extensions_of
from leadvibe.schema.http import check_parameters

if TYPE_CHECKING:
    from leadvibe.schema.app import Door


class SocketHandler(BaseGraphQLTransportWSHandler[GraphQLContext, None]):
    """Strawberry's protocol handler, which takes the shape of messages on trust."""

    view: Door

    async def handle_message(self, message: Any) -> None:
        try:
            if not isinstance(message.get("id", ""), str):
                raise bad_request("The id of an operation is a text.")
            if message.get("type") == "subscribe":
                check_parameters(message["payload"])
        except (ApiError, LookupError):
            await self.handle_invalid_message("Failed to parse message")
        else:
            await super().handle_message(message)

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        """Refuses, by an error that has a code, a document that is not known, and what is one too many."""
        if not self.connection_acknowledged or message["id"] in self.operations:
            return await super().handle_subscribe(message)
        payload: Any = message["payload"]
        try:
            self._check_number()
            payload["query"] = self.view.documents.text(payload)
        except ApiError as error:
            told = GraphQLError(error.message, extensions=extensions_of(error))
            await self.send_message({"id": message["id"], "type": "error", "payload": [told.formatted]})
        else:
            await super().handle_subscribe(message)

    def _check_number(self) -> None:
        most = self.context.services.settings.graphql_max_subscriptions
        if len(self.operations) >= most:
            raise bad_request(
                f"At most {most} operations run at the same time on a socket.", code="too_many_subscriptions"
            )

    async def handle_task_exception(self, error: Exception) -> None:
        """A socket that is closing, because its client left or the server stops, takes no more messages:
        nobody needs to be told."""
        if not isinstance(error, WebSocketDisconnected):
            await super().handle_task_exception(error)
