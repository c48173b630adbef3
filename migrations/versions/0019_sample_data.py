"""What the sample data of a unit consists of, so that wiping removes exactly that."""

from alembic import op

from migrations.citus import distribute

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE sample_data (
            unit_id text PRIMARY KEY,
            first_seq bigint NOT NULL,
            last_seq bigint NOT NULL,
            lead_ids text[] NOT NULL,
            account_ids text[] NOT NULL,
            order_ids text[] NOT NULL,
            event_types text[] NOT NULL,
            created_by text NOT NULL,
            created_at timestamptz NOT NULL
        )
        """
    )
    distribute("sample_data", "tenant")


def downgrade() -> None:
    op.execute("DROP TABLE sample_data")
