"""Installing Slack: a member of a unit is sent to Slack, and comes back with a code for a token."""

from __future__ import annotations

import hashlib
import logging
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.crypto import SealError, Vault
from leadvibe.errors import ApiError, bad_request, conflict, forbidden
from leadvibe.resolvers.caller import UNIT_ROLES, Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.resolvers.slack import asked, slack_of
from leadvibe.store import access
from leadvibe.store.slack_tables import SlackApp, SlackConnection, SlackInstallation

CALLBACK = "/integrations/slack/callback"

_STATE_LIFE = timedelta(minutes=10)

_log = logging.getLogger(__name__)


@operation(Permission.OWN)
async def begin_slack_installation(context: Context, base_url: str) -> str:
    """Slack's page where a person allows the installation. `base_url`: this server as the client knows it.

    409 while the organisation has no Slack app.
    """
    services, caller = context.services, context.caller
    now, secret = datetime.now(UTC), secrets.token_urlsafe(32)
    state = f"{caller.unit_id}.{secret}"
    redirect_uri = (services.settings.public_url or base_url).rstrip("/") + CALLBACK
    row = SlackInstallation(
        unit_id=caller.unit_id,
        state_hash=_hash(secret),
        org_member_id=caller.actor,
        redirect_uri=redirect_uri,
        expires_at=now + _STATE_LIFE,
    )
    async with services.database.session() as session, session.begin():
        app = await _app(session, caller.org_id)
        mine = col(SlackInstallation.unit_id) == caller.unit_id
        await session.exec(delete(SlackInstallation).where(mine, col(SlackInstallation.expires_at) < now))
        session.add(row)
    return slack_of(services).authorize_url(app.client_id, redirect_uri, state)


@operation(Permission.PUBLIC)
async def complete_slack_installation(context: Context, state: str, code: str | None, error: str | None) -> None:
    """Connects the unit for which the state was made. `error`: what Slack says instead of a code.

    The state works once, whatever comes of it. 400 for an unknown, used or expired one; 403 when it was not
    allowed at Slack, or its member may no longer do this; 409, 502 or 503 when Slack gives no token.
    """
    services = context.services
    async with services.database.session() as session:
        begun = await _take(session, state)
        if code is None or error is not None:
            raise forbidden("The installation was not allowed at Slack.", "slack_denied")
        app = await _app(session, await _organisation(session, begun))
    granted = await asked(
        slack_of(services).exchange(app.client_id, _opened(services.vault, app), code, begun.redirect_uri)
    )
    row = _connection(begun, granted, services.vault)
    async with services.database.session() as session, session.begin():
        known = await session.get(SlackConnection, begun.unit_id)
        if known is not None and known.team_id == row.team_id:
            row.default_target_kind, row.default_target_id = known.default_target_kind, known.default_target_id
        await session.merge(row)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


async def _take(session: AsyncSession, state: str) -> SlackInstallation:
    """The installation of a state, which is gone from then on."""
    unit_id, _, secret = state.replace("\0", "").rpartition(".")
    mine = col(SlackInstallation.unit_id) == unit_id, col(SlackInstallation.state_hash) == _hash(secret)
    async with session.begin():
        query = delete(SlackInstallation).where(*mine).returning(SlackInstallation)
        begun: SlackInstallation | None = (await session.exec(query)).scalar_one_or_none()
    if begun is None or begun.expires_at < datetime.now(UTC):
        raise bad_request("This installation is unknown, over or too old; begin again.", "slack_state_invalid")
    return begun


async def _organisation(session: AsyncSession, begun: SlackInstallation) -> str:
    """The organisation of the member, who must still be one of the unit's owners."""
    standing = await access.standing(session, begun.org_member_id)
    if standing is None or standing.units.get(begun.unit_id) not in UNIT_ROLES[Permission.OWN]:
        raise forbidden("Whoever began this installation may no longer do so.")
    return standing.member.org_id


async def _app(session: AsyncSession, org_id: str) -> SlackApp:
    app = await session.get(SlackApp, org_id)
    if app is None:
        raise conflict("The organization has no Slack app; an admin sets its credentials.", "slack_not_configured")
    return app


def _opened(vault: Vault, app: SlackApp) -> str:
    try:
        return vault.open(app.client_secret)
    except SealError as error:
        _log.error("Slack app of organisation %s: %s", app.org_id, error)
        raise conflict("The Slack app's secret is lost; an admin sets it again.", "slack_not_configured") from None


def _connection(begun: SlackInstallation, granted: dict[str, Any], vault: Vault) -> SlackConnection:
    """Of what oauth.v2.access granted. Tokens that expire, and those of whole enterprises, are none of ours."""
    team, token = granted.get("team") or {}, granted.get("access_token")
    if not token or not team.get("id") or granted.get("refresh_token"):
        message = "Slack gave no lasting token of a workspace; switch token rotation off and choose a workspace."
        raise ApiError(502, "slack_token_unusable", message)
    return SlackConnection(
        unit_id=begun.unit_id,
        team_id=team["id"],
        team_name=team.get("name") or team["id"],
        bot_user_id=granted.get("bot_user_id") or "",
        bot_token=vault.seal(token),
        connected_by=begun.org_member_id,
        updated_at=datetime.now(UTC),
    )
