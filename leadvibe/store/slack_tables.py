"""Tables of the Slack integration: an organisation's app, a unit's workspace, installations under way."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from leadvibe.store.columns import REFERENCE, SEALED, TENANT, TenantRow, plain_texts, timestamp


class SlackApp(SQLModel, table=True):
    """The credentials of an organisation's own Slack app, through which all its units install."""

    __tablename__ = "slack_apps"
    __table_args__ = REFERENCE

    org_id: str = Field(primary_key=True, foreign_key="organisations.org_id")
    client_id: str
    client_secret: str = Field(sa_column_kwargs=SEALED)
    updated_by: str
    updated_at: datetime = timestamp()


class SlackConnection(TenantRow, table=True):
    """A unit's workspace. `default_target_kind` is channel or user, null as long as none was chosen."""

    __tablename__ = "slack_connections"
    __table_args__ = TENANT

    team_id: str
    team_name: str
    bot_user_id: str
    bot_token: str = Field(sa_column_kwargs=SEALED)
    default_target_kind: str | None = None
    default_target_id: str | None = None
    connected_by: str
    updated_at: datetime = timestamp()


class SlackInstallation(TenantRow, table=True):
    """An installation that a member began and Slack has not yet answered. `state_hash`: SHA-256 of the secret
    that Slack brings back, once."""

    __tablename__ = "slack_installations"
    __table_args__ = TENANT

    state_hash: str = Field(primary_key=True)
    org_member_id: str
    redirect_uri: str
    expires_at: datetime = timestamp()


plain_texts()
