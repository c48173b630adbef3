"""A surge policy without a gap of its own has the unit's session timeout; rulesets have one surface."""

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.execute("ALTER TABLE surge_policies ALTER COLUMN idle_reset_seconds DROP NOT NULL")
    op.execute("ALTER TABLE rulesets DROP COLUMN surface")


def downgrade() -> None:
    op.execute("ALTER TABLE rulesets ADD COLUMN surface text NOT NULL DEFAULT 'engagement'")
    op.execute("ALTER TABLE rulesets ALTER COLUMN surface DROP DEFAULT")
    op.execute("UPDATE surge_policies SET idle_reset_seconds = 1800 WHERE idle_reset_seconds IS NULL")
    op.execute("ALTER TABLE surge_policies ALTER COLUMN idle_reset_seconds SET NOT NULL")
