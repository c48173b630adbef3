"""Personal access tokens, password links, login attempts, and the version of a member's tokens."""

from alembic import op

from migrations.citus import distribute

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.execute("ALTER TABLE members ADD COLUMN token_version bigint NOT NULL DEFAULT 0")
    op.execute(
        """
        CREATE TABLE personal_access_tokens (
            token_id text PRIMARY KEY,
            org_member_id text NOT NULL REFERENCES members,
            name text NOT NULL,
            token_hash text NOT NULL UNIQUE,
            created_at timestamptz NOT NULL,
            expires_at timestamptz,
            last_used_at timestamptz
        )
        """
    )
    op.execute("CREATE INDEX ix_personal_access_tokens_org_member_id ON personal_access_tokens (org_member_id)")
    op.execute(
        """
        CREATE TABLE password_links (
            org_member_id text NOT NULL REFERENCES members,
            purpose text NOT NULL,
            token_hash text UNIQUE,
            attempts integer NOT NULL,
            due_at timestamptz,
            created_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL,
            PRIMARY KEY (org_member_id, purpose)
        )
        """
    )
    op.execute("CREATE INDEX password_links_by_due ON password_links (due_at)")
    distribute("personal_access_tokens", "reference")
    distribute("password_links", "reference")
    # Local: Citus has no part in it.
    op.execute(
        """
        CREATE TABLE login_attempts (
            key text PRIMARY KEY,
            attempts integer NOT NULL,
            since timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX login_attempts_by_since ON login_attempts (since)")


def downgrade() -> None:
    op.execute("DROP TABLE login_attempts, password_links, personal_access_tokens")
    op.execute("ALTER TABLE members DROP COLUMN token_version")
