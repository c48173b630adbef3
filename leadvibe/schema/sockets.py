"""graphql-transport-ws: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md"""

from __future__ import annotations

from typing import Any

from graphql import GraphQLError
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.subscriptions.protocols.graphql_transport_ws.types import SubscribeMessage

from leadvibe.errors import bad_request
from leadvibe.schema.context import GraphQLContext
from leadvibe.schema.errors import extensions_of


class SocketHandler(BaseGraphQLTransportWSHandler[GraphQLContext, None]):
    """Strawberry's protocol handler, which takes the shape of messages on trust."""

    async def handle_message(self, message: Any) -> None:
        payload = message.get("payload") if message.get("type") == "subscribe" else {"query": ""}
        if _well_formed(payload) and isinstance(message.get("id", ""), str):
            await super().handle_message(message)
        else:
            await self.handle_invalid_message("Failed to parse message")

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        """Refuses an operation, by an error that has a code, while too many others run on this socket."""
        most = self.context.services.settings.graphql_max_subscriptions
        if len(self.operations) < most or message["id"] in self.operations:
            return await super().handle_subscribe(message)
        refusal = bad_request(
            f"At most {most} operations run at the same time on a socket.", code="too_many_subscriptions"
        )
        error = GraphQLError(refusal.message, extensions=extensions_of(refusal))
        await self.send_message({"id": message["id"], "type": "error", "payload": [error.formatted]})

    async def handle_task_exception(self, error: Exception) -> None:
        """A socket that is closing, because its client left or the server stops, takes no more messages:
        nobody needs to be told."""
        if not isinstance(error, WebSocketDisconnected):
            await super().handle_task_exception(error)


def _well_formed(payload: Any) -> bool:
    """Whether it is the payload of a subscribe message: a query, and what else the protocol allows."""
    return (
        isinstance(payload, dict)
        and isinstance(payload.get("query"), str)
        and isinstance(payload.get("variables"), dict | None)
        and isinstance(payload.get("operationName"), str | None)
    )
