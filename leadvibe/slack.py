"""Slack's Web API, and its answers as this server takes them."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urljoin

from slack_sdk.errors import SlackApiError, SlackClientError

if TYPE_CHECKING:
    from slack_sdk.web.async_client import AsyncWebClient

# What the bot may do: write to public channels, to those it is invited to and to people; list both.
SCOPES = ("chat:write", "chat:write.public", "channels:read", "groups:read", "im:write", "users:read")

# Slack's words for a token that no longer works.
VOID_TOKEN = {
    "invalid_auth",
    "not_authed",
    "account_inactive",
    "token_revoked",
    "token_expired",
    "team_access_not_granted",
}

# Slack's code when it has had enough, in an answer with Retry-After.
_BUSY = "ratelimited"
_BUSY_SECONDS = 30.0

# At its debug level slack_sdk logs whole answers, tokens included.
_log = logging.getLogger(f"{__name__}.sdk")
_log.setLevel(logging.WARNING)


class SlackRefused(Exception):
    """Slack says no; `code` is its word for why, such as channel_not_found."""

    def __init__(self, code: str) -> None:
        super().__init__(f"Slack refused: {code}.")
        self.code = code


class SlackBusy(Exception):
    """Slack wants to be left alone for `retry_after` seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("Slack limits how often it may be asked.")
        self.retry_after = retry_after


class SlackDown(Exception):
    """Slack cannot be reached, or answers with an error of its own. The message tells nothing of the inside."""

    def __init__(self, status_code: int | None = None) -> None:
        super().__init__("Slack does not answer." if status_code is None else f"Slack answers {status_code}.")
        self.status_code = status_code


@dataclass(frozen=True, slots=True)
class Slack:
    """The API at `api_url`. Every method raises SlackRefused, SlackBusy or SlackDown, and retries nothing."""

    api_url: str
    timeout_seconds: float = 10.0

    def authorize_url(self, client_id: str, redirect_uri: str, state: str) -> str:
        """Where a person allows the installation; its page is beside the API."""
        query = {"client_id": client_id, "scope": ",".join(SCOPES), "redirect_uri": redirect_uri, "state": state}
        return f"{urljoin(self.api_url, '/oauth/v2/authorize')}?{urlencode(query)}"

    async def exchange(self, client_id: str, client_secret: str, code: str, redirect_uri: str) -> dict[str, Any]:
        """The answer of oauth.v2.access: access_token, bot_user_id, team {id, name} and more."""
        client = self._client(None)
        pair = {"client_id": client_id, "client_secret": client_secret}
        return await _answer(client.oauth_v2_access(**pair, code=code, redirect_uri=redirect_uri))

    async def channels(self, token: str, **query: Any) -> dict[str, Any]:
        """The answer of conversations.list as it is."""
        return await _answer(self._client(token).conversations_list(**query))

    async def users(self, token: str, **query: Any) -> dict[str, Any]:
        """The answer of users.list as it is."""
        return await _answer(self._client(token).users_list(**query))

    async def conversation(self, token: str, kind: str, target_id: str) -> str:
        """The channel to write to: for a user, the direct messages, which are opened first."""
        if kind == "channel":
            return target_id
        answer = await _answer(self._client(token).conversations_open(users=target_id))
        return str(answer["channel"]["id"])

    async def post(self, token: str, channel: str, text: str, **message: Any) -> None:
        """Writes to a channel. With a `client_msg_id` (a UUID) that Slack has seen before, nothing more is written."""
        request = self._client(token).chat_postMessage(
            channel=channel, text=text, unfurl_links=False, unfurl_media=False, **message
        )
        await _answer(request)

    def _client(self, token: str | None) -> AsyncWebClient:
        from slack_sdk.web.async_client import AsyncWebClient  # here, because a start need not wait for it

        return AsyncWebClient(token, self.api_url, timeout=ceil(self.timeout_seconds), logger=_log, retry_handlers=[])


def escape(text: str) -> str:
    """Text that is shown as it is: neither a link nor a mention."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


async def _answer(request: Awaitable[Any]) -> dict[str, Any]:
    from aiohttp import ClientError

    try:
        response = await request
    except SlackApiError as error:
        raise _told(error) from None
    except (TimeoutError, ClientError, SlackClientError, OSError, ValueError):
        raise SlackDown from None  # what was sent, and to where, is nobody's business
    if not isinstance(response.data, dict):
        raise SlackDown(response.status_code)
    return response.data


def _told(error: SlackApiError) -> Exception:
    response: Any = error.response
    status, data = getattr(response, "status_code", None), getattr(response, "data", None)
    code = data.get("error") if isinstance(data, dict) else None
    if status == 429 or code == _BUSY:
        return SlackBusy(_seconds(response.headers.get("Retry-After")))
    if isinstance(code, str) and re.fullmatch(r"[a-z0-9_]{1,80}", code) and (status or 0) < 500:
        return SlackRefused(code)
    return SlackDown(status)


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isdecimal() else _BUSY_SECONDS
