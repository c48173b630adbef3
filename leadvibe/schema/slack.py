"""Slack: the organisation's app, and a unit's workspace."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import strawberry

from leadvibe.resolvers import slack, slack_installation
from leadvibe.resolvers.slack import SlackAppBody, SlackChannelQuery, SlackQuery, SlackTest
from leadvibe.resolvers.slack import SlackTarget as TargetBody
from leadvibe.schema.context import Info
from leadvibe.schema.derive import body_of
from leadvibe.schema.fields import field

Cursor = Annotated[str | None, strawberry.argument(description="The nextCursor of the page before.")]
Limit = Annotated[int, strawberry.argument(description="Most entries of the page, 1 to 1,000.")]


@strawberry.type(description="A unit's Slack workspace. While none is connected, only connected has a value.")
class SlackStatus:
    connected: bool = strawberry.field(description="Whether the unit has a workspace.")
    team_name: str | None = strawberry.field(description="The workspace's name.")
    team_id: strawberry.ID | None = strawberry.field(description="Its id at Slack.")
    bot_user_id: strawberry.ID | None = strawberry.field(description="Who writes there.")
    updated_at: datetime | None = strawberry.field(description="When it was connected.")
    default_target_kind: str | None = strawberry.field(description="channel or user.")
    default_target_id: strawberry.ID | None = strawberry.field(description="The default target.")

    @classmethod
    async def read(cls, info: Info) -> SlackStatus:
        return cls(**asdict(await slack.get_slack_status(info.context)))


@strawberry.type(description="A page of a list at Slack, its entries as Slack describes them.")
class SlackPage:
    entries: list[dict[str, Any]] = strawberry.field(description="Slack's channel or user objects.")
    next_cursor: str | None = strawberry.field(description="Continues the list; null at its end.")

    @classmethod
    def of(cls, answer: dict[str, Any], name: str) -> SlackPage:
        cursor = (answer.get("response_metadata") or {}).get("next_cursor")
        return cls(entries=answer.get(name, []), next_cursor=cursor or None)


@strawberry.input(description="The credentials of the organisation's Slack app.")
class SlackAppInput:
    client_id: str = strawberry.field(description="The app's client id.")
    client_secret: str = strawberry.field(description="Its client secret; never answered again.")


@strawberry.input(description="Where a message goes.")
class SlackTargetInput:
    kind: str = strawberry.field(description="channel, or user for direct messages.")
    id: strawberry.ID = strawberry.field(description="The channel's or user's id.")


@strawberry.input(description="A message to try a target with.")
class SlackTestInput(SlackTargetInput):
    text: str | None = strawberry.field(default=strawberry.UNSET, description="What it says.")


@strawberry.input(description="What Slack brings back to the page that began an installation.")
class SlackInstallationInput:
    state: str = strawberry.field(description="The state that it was given.")
    code: str | None = strawberry.field(default=None, description="Its code.")
    error: str | None = strawberry.field(default=None, description="Its word for why there is no code.")


@strawberry.type
class SlackQueries:
    @field
    async def slack_app_configured(self, info: Info) -> bool:
        """Whether the organisation has a Slack app; for its admins."""
        return await slack.get_slack_app(info.context)

    @field
    async def slack_status(self, info: Info) -> SlackStatus:
        """The unit's Slack workspace."""
        return await SlackStatus.read(info)

    @field
    async def slack_channels(
        self,
        info: Info,
        types: Annotated[
            str | None, strawberry.argument(description="public_channel, private_channel, mpim, im; comma separated.")
        ] = None,
        cursor: Cursor = None,
        first: Limit = 200,
    ) -> SlackPage:
        """Channels of the unit's workspace, as Slack lists them."""
        query = body_of(SlackChannelQuery, SlackChannelQuery.model_construct(types=types, cursor=cursor, limit=first))
        return SlackPage.of(await slack.list_slack_channels(info.context, query), "channels")

    @field
    async def slack_users(self, info: Info, cursor: Cursor = None, first: Limit = 200) -> SlackPage:
        """People of the unit's workspace, as Slack lists them."""
        query = body_of(SlackQuery, SlackQuery.model_construct(cursor=cursor, limit=first))
        return SlackPage.of(await slack.list_slack_users(info.context, query), "members")


@strawberry.type
class SlackMutations:
    @field
    async def set_slack_app(
        self, info: Info, input: Annotated[SlackAppInput, strawberry.argument(description="Its credentials.")]
    ) -> bool | None:
        """Sets the Slack app of the organisation, for all its units; for its admins."""
        await slack.set_slack_app(info.context, body_of(SlackAppBody, input))
        return True

    @field
    async def begin_slack_installation(self, info: Info) -> str | None:
        """Slack's page where a person allows the installation in the unit; it works for 10 minutes, once."""
        return await slack_installation.begin_slack_installation(info.context, info.context.base_url)

    @field
    async def complete_slack_installation(
        self,
        info: Info,
        input: Annotated[SlackInstallationInput, strawberry.argument(description="What Slack brought back.")],
    ) -> bool | None:
        """Connects the unit that the state was made for. Slack calls the REST twin; this is for clients that
        take Slack's answer themselves."""
        await slack_installation.complete_slack_installation(info.context, input.state, input.code, input.error)
        return True

    @field
    async def disconnect_slack(self, info: Info) -> bool | None:
        """Forgets the unit's workspace."""
        await slack.disconnect_slack(info.context)
        return True

    @field
    async def set_slack_default_target(
        self, info: Info, input: Annotated[SlackTargetInput, strawberry.argument(description="The target.")]
    ) -> SlackStatus | None:
        """Chooses where triggers write whose slackTargetId is `default`."""
        await slack.set_slack_default_target(info.context, body_of(TargetBody, input))
        return await SlackStatus.read(info)

    @field
    async def send_slack_test(
        self, info: Info, input: Annotated[SlackTestInput, strawberry.argument(description="Where, and what.")]
    ) -> str | None:
        """Writes a message to a target; answers a sentence that says so."""
        return await slack.send_slack_test(info.context, body_of(SlackTest, input))
