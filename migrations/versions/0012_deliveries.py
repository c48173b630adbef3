"""Deliveries: the outbox, the log of attempts, and the secrets that sign webhooks."""

from alembic import op

from migrations.citus import distribute

revision = "0012"
down_revision = "0011"

TABLES = ("deliveries", "delivery_attempts", "webhook_secrets")


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE deliveries (
            unit_id text NOT NULL,
            delivery_id text NOT NULL,
            firing_id text NOT NULL,
            trigger_type text NOT NULL,
            channel text NOT NULL,
            destination text NOT NULL,
            target jsonb NOT NULL,
            payload jsonb NOT NULL,
            status text NOT NULL,
            attempts integer NOT NULL,
            tries_left integer NOT NULL,
            due_at timestamptz,
            received_at timestamptz NOT NULL,
            created_at timestamptz NOT NULL,
            queued_at timestamptz NOT NULL,
            finished_at timestamptz,
            status_code integer,
            error text,
            PRIMARY KEY (unit_id, delivery_id)
        )
        """
    )
    op.execute(
        """
        CREATE INDEX deliveries_by_destination ON deliveries (unit_id, destination, due_at)
        WHERE due_at IS NOT NULL
        """
    )
    op.execute("CREATE INDEX deliveries_by_due ON deliveries (unit_id, due_at) WHERE due_at IS NOT NULL")
    op.execute("CREATE INDEX deliveries_by_time ON deliveries (unit_id, created_at, delivery_id)")
    op.execute("CREATE INDEX deliveries_by_status ON deliveries (unit_id, status, created_at, delivery_id)")
    distribute("deliveries", "tenant")
    op.execute(
        """
        CREATE TABLE delivery_attempts (
            unit_id text NOT NULL,
            delivery_id text NOT NULL,
            number integer NOT NULL,
            started_at timestamptz NOT NULL,
            seconds double precision NOT NULL,
            outcome text NOT NULL,
            status_code integer,
            error text,
            PRIMARY KEY (unit_id, delivery_id, number)
        )
        """
    )
    distribute("delivery_attempts", "tenant")
    op.execute(
        """
        CREATE TABLE webhook_secrets (
            unit_id text NOT NULL,
            secret text NOT NULL,
            previous text,
            previous_until timestamptz,
            created_at timestamptz NOT NULL,
            PRIMARY KEY (unit_id)
        )
        """
    )
    distribute("webhook_secrets", "tenant")


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DROP TABLE {table}")
