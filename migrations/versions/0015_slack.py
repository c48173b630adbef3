"""Slack: an organisation's app, a unit's workspace, installations under way."""

from alembic import op

from migrations.citus import distribute

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE slack_apps (
            org_id text NOT NULL PRIMARY KEY REFERENCES organisations (org_id),
            client_id text NOT NULL,
            client_secret text NOT NULL,
            updated_by text NOT NULL,
            updated_at timestamptz NOT NULL
        )
        """
    )
    distribute("slack_apps", "reference")
    op.execute(
        """
        CREATE TABLE slack_connections (
            unit_id text NOT NULL,
            team_id text NOT NULL,
            team_name text NOT NULL,
            bot_user_id text NOT NULL,
            bot_token text NOT NULL,
            default_target_kind text,
            default_target_id text,
            connected_by text NOT NULL,
            updated_at timestamptz NOT NULL,
            PRIMARY KEY (unit_id)
        )
        """
    )
    distribute("slack_connections", "tenant")
    op.execute(
        """
        CREATE TABLE slack_installations (
            unit_id text NOT NULL,
            state_hash text NOT NULL,
            org_member_id text NOT NULL,
            redirect_uri text NOT NULL,
            expires_at timestamptz NOT NULL,
            PRIMARY KEY (unit_id, state_hash)
        )
        """
    )
    distribute("slack_installations", "tenant")


def downgrade() -> None:
    for table in ("slack_apps", "slack_connections", "slack_installations"):
        op.execute(f"DROP TABLE {table}")
