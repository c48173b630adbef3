"""Account scores, and how accounts and their leads are found."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE accounts ADD COLUMN account_score bigint NOT NULL DEFAULT 0, "
        "ADD COLUMN account_scores jsonb NOT NULL DEFAULT '{}'"
    )
    op.execute("CREATE UNIQUE INDEX accounts_by_domain ON accounts (unit_id, domain) WHERE domain IS NOT NULL")
    op.execute("CREATE INDEX accounts_by_created ON accounts (unit_id, created_at)")
    op.execute("CREATE INDEX leads_by_account ON leads (unit_id, account_id, score DESC) WHERE account_id IS NOT NULL")
    op.execute(
        "ALTER TABLE lanes ADD COLUMN account_version bigint NOT NULL DEFAULT 0, "
        "ADD COLUMN account_done bigint NOT NULL DEFAULT 0"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE lanes DROP COLUMN account_version, DROP COLUMN account_done")
    op.execute("DROP INDEX leads_by_account")
    op.execute("DROP INDEX accounts_by_created")
    op.execute("DROP INDEX accounts_by_domain")
    op.execute("ALTER TABLE accounts DROP COLUMN account_score, DROP COLUMN account_scores")
