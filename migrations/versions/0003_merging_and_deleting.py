"""What merging and deleting leads look for: the leads merged into one, the jobs that are not finished."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD COLUMN up_to_seq bigint")
    op.execute("CREATE INDEX jobs_open ON jobs (unit_id, kind) WHERE status <> 'completed'")
    op.execute("CREATE INDEX leads_merged ON leads (unit_id, merged_into) WHERE merged_into IS NOT NULL")


def downgrade() -> None:
    op.execute("DROP INDEX leads_merged")
    op.execute("DROP INDEX jobs_open")
    op.execute("ALTER TABLE jobs DROP COLUMN up_to_seq")
