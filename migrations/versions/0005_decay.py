"""How far decay has come with each lead."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("ALTER TABLE leads ADD COLUMN decay_from timestamptz, ADD COLUMN decay_cycles jsonb")


def downgrade() -> None:
    op.execute("ALTER TABLE leads DROP COLUMN decay_from, DROP COLUMN decay_cycles")
