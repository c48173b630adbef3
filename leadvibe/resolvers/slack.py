"""Slack: the organisation's app, and the workspace that a unit is connected with."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, Field
from sqlalchemy import delete
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.crypto import SealError
from leadvibe.errors import ApiError, bad_request, conflict, unavailable
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, Services, operation
from leadvibe.slack import VOID_TOKEN, Slack, SlackBusy, SlackDown, SlackRefused, escape
from leadvibe.store.slack_tables import SlackApp, SlackConnection

T = TypeVar("T")

_TEST_TEXT = "Leadvibe can write here."
# Slack's words for a query that it does not understand, and for a target that it does not write to.
_BAD_QUERY = {"invalid_types", "invalid_cursor", "invalid_limit", "invalid_arguments"}
_BAD_TARGET = {
    "channel_not_found", "user_not_found", "not_in_channel", "is_archived", "user_disabled", "user_not_visible",
    "cannot_dm_bot", "messages_tab_disabled", "restricted_action", "invalid_users",
}  # fmt: skip

_log = logging.getLogger(__name__)


class SlackAppBody(BaseModel):
    """The credentials of the organisation's Slack app, from its page at api.slack.com."""

    client_id: str = Field(min_length=1, max_length=200, pattern=r"^[\w.-]+$", description="The app's client id.")
    client_secret: str = Field(min_length=1, max_length=200, description="Its client secret; never answered again.")


class SlackTarget(BaseModel):
    """Where a message goes."""

    kind: Literal["channel", "user"] = Field(description="channel, or user for direct messages.")
    id: str = Field(min_length=1, max_length=200, pattern=r"^[\w#@.-]+$", description="The channel's or user's id.")


class SlackTest(SlackTarget):
    """A message to try a target with."""

    text: str | None = Field(default=None, max_length=3000, description="What it says.")


class SlackQuery(BaseModel):
    """A page of a list; Slack's `response_metadata.next_cursor` continues it."""

    cursor: str | None = Field(default=None, max_length=1000, description="Where the page begins.")
    limit: int = Field(default=200, ge=1, le=1000, description="Most entries of the page.")


class SlackChannelQuery(SlackQuery):
    types: str | None = Field(
        default=None, max_length=200, description="public_channel, private_channel, mpim, im; comma separated."
    )


@dataclass(frozen=True, slots=True)
class SlackStatus:
    """A unit's workspace. Without one, only `connected` has a value."""

    connected: bool
    team_name: str | None = None
    team_id: str | None = None
    bot_user_id: str | None = None
    updated_at: datetime | None = None
    default_target_kind: str | None = None
    default_target_id: str | None = None


class Workspace(NamedTuple):
    """A connected workspace and the token that opens it."""

    slack: Slack
    token: str


@operation(Permission.ADMIN)
async def get_slack_app(context: Context) -> bool:
    """Whether the organisation has an app; its credentials are never answered."""
    async with context.services.database.session() as session:
        return await session.get(SlackApp, context.caller.org_id) is not None


@operation(Permission.ADMIN, "update_slack_app")
async def set_slack_app(context: Context, body: SlackAppBody) -> None:
    """For all units of the organisation. Workspaces that are connected stay so."""
    caller = context.caller
    row = SlackApp(
        org_id=caller.org_id,
        client_id=body.client_id,
        client_secret=context.services.vault.seal(body.client_secret),
        updated_by=caller.actor,
        updated_at=datetime.now(UTC),
    )
    async with context.services.database.session() as session, session.begin():
        await session.merge(row)


@operation(Permission.READ)
async def get_slack_status(context: Context) -> SlackStatus:
    async with context.services.database.session() as session:
        row = await session.get(SlackConnection, context.caller.unit_id)
    if row is None:
        return SlackStatus(False)
    target = row.default_target_kind, row.default_target_id
    return SlackStatus(True, row.team_name, row.team_id, row.bot_user_id, row.updated_at, *target)


@operation(Permission.OWN, "delete_slack_connection")
async def disconnect_slack(context: Context) -> None:
    """Forgets the unit's workspace. The token is not revoked: Slack gives units of one workspace the same."""
    unit_id = context.caller.unit_id
    async with context.services.database.session() as session, session.begin():
        await session.exec(delete(SlackConnection).where(col(SlackConnection.unit_id) == unit_id))


@operation(Permission.READ)
async def list_slack_channels(context: Context, query: SlackChannelQuery) -> dict[str, Any]:
    """Slack's conversations.list as it is. 409 when the unit is not connected."""
    slack, token = await _workspace(context)
    return await asked(slack.channels(token, **query.model_dump(exclude_none=True)))


@operation(Permission.READ)
async def list_slack_users(context: Context, query: SlackQuery) -> dict[str, Any]:
    """Slack's users.list as it is. 409 when the unit is not connected."""
    slack, token = await _workspace(context)
    return await asked(slack.users(token, **query.model_dump(exclude_none=True)))


@operation(Permission.WRITE, "update_slack_default_target")
async def set_slack_default_target(context: Context, target: SlackTarget) -> None:
    """Where triggers write whose `slack_target_id` is `default`. 409 when the unit is not connected."""
    async with context.services.database.session() as session, session.begin():
        row = await _connection(session, context.caller.unit_id)
        row.default_target_kind, row.default_target_id = target.kind, target.id


@operation(Permission.WRITE)
async def send_slack_test(context: Context, test: SlackTest) -> str:
    """Writes to the target; a sentence that says so. 409 when the unit is not connected."""
    slack, token = await _workspace(context)
    channel = await asked(slack.conversation(token, test.kind, test.id))
    await asked(slack.post(token, channel, escape(test.text or _TEST_TEXT)))
    return "The message was sent."


def slack_of(services: Services) -> Slack:
    return Slack(services.settings.slack_api_url)


async def asked(answer: Awaitable[T]) -> T:
    """Slack's answer; what went wrong there in the contract's words, without internals."""
    try:
        return await answer
    except SlackBusy as busy:
        raise unavailable(str(busy), "slack_busy", round(busy.retry_after)) from None
    except SlackDown:
        raise ApiError(502, "slack_unavailable", "Slack cannot be reached now; try again later.") from None
    except SlackRefused as refused:
        raise _refusal(refused.code) from None


def _refusal(code: str) -> ApiError:
    if code in VOID_TOKEN:
        return conflict("Slack no longer accepts this connection; install again.", "slack_disconnected")
    if code in _BAD_TARGET:
        return bad_request(f"Slack does not write there: {code}.", "slack_target_refused", id=code)
    if code in _BAD_QUERY:
        return bad_request(f"Slack does not understand the query: {code}.", code)
    return ApiError(502, "slack_refused", f"Slack refuses: {code}.")


async def _connection(session: AsyncSession, unit_id: str) -> SlackConnection:
    row = await session.get(SlackConnection, unit_id)
    if row is None:
        raise conflict("This unit is not connected with Slack; begin an installation.", "slack_not_connected")
    return row


async def _workspace(context: Context) -> Workspace:
    services = context.services
    async with services.database.session() as session:
        row = await _connection(session, context.caller.unit_id)
    try:
        return Workspace(slack_of(services), services.vault.open(row.bot_token))
    except SealError as error:
        _log.error("Slack of unit %s: %s", row.unit_id, error)
        raise conflict("The connection with Slack is lost; install again.", "slack_disconnected") from None
