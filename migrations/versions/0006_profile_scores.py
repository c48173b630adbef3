"""Profile scores of leads, and whether they are up to date with the rules."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE leads ADD COLUMN profile_score bigint NOT NULL DEFAULT 0, "
        "ADD COLUMN profile_scores jsonb NOT NULL DEFAULT '{}'"
    )
    op.execute(
        "ALTER TABLE lanes ADD COLUMN profile_version bigint NOT NULL DEFAULT 0, "
        "ADD COLUMN profile_done bigint NOT NULL DEFAULT 0"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE lanes DROP COLUMN profile_version, DROP COLUMN profile_done")
    op.execute("ALTER TABLE leads DROP COLUMN profile_score, DROP COLUMN profile_scores")
