"""Routes of Slack: the organisation's app, a unit's workspace, and the way to install it."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, RedirectResponse, Response

from leadvibe.errors import ApiError
from leadvibe.resolvers import slack, slack_installation
from leadvibe.resolvers.context import Context
from leadvibe.resolvers.slack import SlackAppBody, SlackChannelQuery, SlackQuery, SlackStatus, SlackTarget, SlackTest
from leadvibe.rest_compat.table import BEARER, Call, Route

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Integrations · Leadvibe</title>
<style>body{{font:16px/1.6 system-ui;max-width:40rem;margin:4rem auto;padding:0 1rem}}</style>
<h1>Slack</h1><p>{}</p></html>
"""
_CONNECTED = "Slack is connected. You can close this page."
_SAID = {
    "slack_denied": "The installation was not allowed at Slack, so nothing was connected.",
    "slack_state_invalid": "This link is unknown, was used before, or is too old. Begin the installation again.",
    "forbidden": "Whoever began this installation is no longer an owner of the unit.",
    "slack_not_configured": "The organization's Slack app is not set up. An admin sets its credentials.",
    "slack_token_unusable": "Slack gave no lasting token: switch token rotation off, and choose one workspace.",
    "slack_unavailable": "Slack could not be reached. Begin the installation again in a while.",
    "slack_busy": "Slack is busy. Begin the installation again in a while.",
}
_NOT_CONNECTED = "Slack was not connected. Begin the installation again."


class SlackAppState(BaseModel):
    configured: bool = Field(description="Whether credentials of an app are stored.")


@dataclass(frozen=True, slots=True)
class SlackConnectionStatus(SlackStatus):
    """`authorize_url`: where to install, for whoever may, while no workspace is connected."""

    authorize_url: str | None = None


class AuthorizeUrl(BaseModel):
    authorize_url: str = Field(description="Slack's page that asks for the permission; it works for 10 minutes.")


class Sent(BaseModel):
    message: str


class CallbackQuery(BaseModel):
    state: str = Field(default="", max_length=500)
    code: str | None = Field(default=None, max_length=1000)
    error: str | None = Field(default=None, max_length=200, description="Slack's word for why there is no code.")


class PageQuery(BaseModel):
    slack: str | None = Field(default=None, description="connected or error.")
    reason: str | None = Field(default=None, description="The code of the error.")


async def _app(context: Context, call: Call) -> Any:
    return {"configured": await slack.get_slack_app(context)}


async def _set_app(context: Context, call: Call) -> None:
    await slack.set_slack_app(context, call.body)


async def _status(context: Context, call: Call) -> Any:
    status = await slack.get_slack_status(context)
    if status.connected:
        return status
    try:
        return {"connected": False, "authorize_url": await _begin(context, call)}
    except ApiError:  # no app yet, or not for this member
        return {"connected": False}


async def _begin(context: Context, call: Call) -> str:
    return await slack_installation.begin_slack_installation(context, str(call.request.base_url))


async def _install(context: Context, call: Call) -> Response:
    return RedirectResponse(await _begin(context, call), 302)


async def _initiate(context: Context, call: Call) -> Any:
    return {"authorize_url": await _begin(context, call)}


async def _callback(context: Context, call: Call) -> Response:
    """A browser comes here from Slack: whatever goes wrong is told on the page it is sent to."""
    query = call.query
    try:
        await slack_installation.complete_slack_installation(context, query.state, query.code, query.error)
    except ApiError as error:
        return RedirectResponse(f"/integrations?slack=error&reason={error.code}", 302)
    return RedirectResponse("/integrations?slack=connected", 302)


async def _page(context: Context, call: Call) -> Response:
    text = _CONNECTED if call.query.slack == "connected" else _SAID.get(call.query.reason, _NOT_CONNECTED)
    return HTMLResponse(_PAGE.format(escape(text)))


async def _disconnect(context: Context, call: Call) -> None:
    await slack.disconnect_slack(context)


async def _channels(context: Context, call: Call) -> Any:
    return await slack.list_slack_channels(context, call.query)


async def _users(context: Context, call: Call) -> Any:
    return await slack.list_slack_users(context, call.query)


async def _set_default_target(context: Context, call: Call) -> None:
    await slack.set_slack_default_target(context, call.body)


async def _test(context: Context, call: Call) -> Any:
    return {"message": await slack.send_slack_test(context, call.body)}


_UPSTREAM = (409, 502, 503)


def _unit_paths(rest: str = "") -> dict[str, Any]:
    """Where something of the unit's workspace is: beside the product's path stands one among its other settings."""
    return {"path": f"/integrations/slack{rest}", "aliases": (f"/settings/ou/slack{rest}",)}


ROUTES = [
    Route(
        method="GET", path="/settings/org/slack-app", aliases=("/settings/slack-app",),
        summary="Get Slack app configuration (org-level)", tag="Settings", run=_app, auth=BEARER, returns=SlackAppState,
    ),
    Route(
        method="PUT", path="/settings/org/slack-app", aliases=("/settings/slack-app",),
        summary="Set Slack app configuration (org-level)", tag="Settings", run=_set_app, status=204, auth=BEARER,
        body=SlackAppBody,
    ),
    Route(
        method="GET", **_unit_paths("/status"), summary="Get OU Slack integration status", tag="Settings",
        run=_status, auth=BEARER, returns=SlackConnectionStatus,
    ),
    Route(
        method="GET", **_unit_paths("/install"), summary="Begin Slack installation", tag="Settings",
        run=_install, status=302, auth=BEARER, errors=(409,),
    ),
    Route(
        method="POST", **_unit_paths("/initiate"), summary="Initiate Slack installation", tag="Settings",
        run=_initiate, auth=BEARER, returns=AuthorizeUrl, errors=(409,),
    ),
    Route(
        method="GET", path=slack_installation.CALLBACK, summary="Slack OAuth callback", tag="Settings",
        run=_callback, status=302, auth=(), query=CallbackQuery,
    ),
    Route(
        method="GET", path="/integrations", summary="Where a Slack installation ends", tag="Settings",
        run=_page, auth=(), query=PageQuery, returns=str, media_type="text/html",
    ),
    Route(
        method="DELETE", **_unit_paths(), summary="Disconnect OU Slack integration", tag="Settings",
        run=_disconnect, status=204, auth=BEARER,
    ),
    Route(
        method="GET", **_unit_paths("/channels"), summary="List Slack channels for the connected workspace",
        tag="Settings", run=_channels, auth=BEARER, query=SlackChannelQuery, returns=dict[str, Any], errors=_UPSTREAM,
    ),
    Route(
        method="GET", **_unit_paths("/users"), summary="List Slack users for the connected workspace",
        tag="Settings", run=_users, auth=BEARER, query=SlackQuery, returns=dict[str, Any], errors=_UPSTREAM,
    ),
    Route(
        method="PUT", **_unit_paths("/default-target"),
        summary="Set default Slack notification target for the active OU", tag="Settings", run=_set_default_target,
        status=204, auth=BEARER, body=SlackTarget, errors=(409,),
    ),
    Route(
        method="POST", **_unit_paths("/test"), summary="Send a test Slack notification to the selected target",
        tag="Settings", run=_test, auth=BEARER, body=SlackTest, returns=Sent, errors=_UPSTREAM,
    ),
]  # fmt: skip
