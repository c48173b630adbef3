"""The audit log, accepted events by month, and the buckets of rate limits."""

from alembic import op

from migrations.citus import distribute

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE audit_log (
            unit_id text NOT NULL,
            created_at timestamptz NOT NULL,
            audit_id text NOT NULL,
            org_id text NOT NULL,
            actor text NOT NULL,
            user_email text NOT NULL,
            method text NOT NULL,
            path text NOT NULL,
            status integer NOT NULL,
            code text,
            ip text NOT NULL,
            latency_ms integer NOT NULL,
            request_id text NOT NULL,
            requests integer NOT NULL,
            verb text NOT NULL,
            operation text,
            fields text[] NOT NULL,
            PRIMARY KEY (unit_id, created_at, audit_id)
        )
        """
    )
    for column in ("user_email", "method", "path", "status", "ip", "latency_ms"):
        op.execute(f"CREATE INDEX audit_log_by_{column} ON audit_log (unit_id, {column}, created_at, audit_id)")
    distribute("audit_log", "tenant")
    op.execute(
        """
        CREATE TABLE usage_counts (
            unit_id text NOT NULL,
            month date NOT NULL,
            events bigint NOT NULL,
            PRIMARY KEY (unit_id, month)
        )
        """
    )
    distribute("usage_counts", "tenant")
    # Local: it is written many times a second, and belongs to no unit.
    op.execute(
        """
        CREATE TABLE rate_buckets (
            key text PRIMARY KEY,
            tokens double precision NOT NULL,
            updated_at timestamptz NOT NULL
        )
        """
    )
    op.execute("CREATE INDEX rate_buckets_by_time ON rate_buckets (updated_at)")


def downgrade() -> None:
    for table in ("audit_log", "usage_counts", "rate_buckets"):
        op.execute(f"DROP TABLE {table}")
