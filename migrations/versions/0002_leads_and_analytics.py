"""Accounts, orders, score snapshots, jobs and counts; leads that are being deleted."""

from alembic import op

from migrations.citus import distribute

revision = "0002"
down_revision = "0001"

TENANT_TABLES = {
    "accounts": """
        unit_id text NOT NULL,
        account_id text NOT NULL,
        org_id text NOT NULL,
        domain text,
        name text,
        metadata jsonb NOT NULL,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        PRIMARY KEY (unit_id, account_id)
    """,
    "orders": """
        unit_id text NOT NULL,
        id text NOT NULL,
        order_id text NOT NULL,
        lead_id text NOT NULL,
        amount numeric NOT NULL,
        currency text NOT NULL,
        status text NOT NULL,
        ordered_at timestamptz NOT NULL,
        metadata jsonb NOT NULL,
        PRIMARY KEY (unit_id, id)
    """,
    "score_snapshots": """
        unit_id text NOT NULL,
        lead_id text NOT NULL,
        ruleset_id text NOT NULL,
        snapshot_at timestamptz NOT NULL,
        score bigint NOT NULL,
        PRIMARY KEY (unit_id, lead_id, ruleset_id, snapshot_at)
    """,
    "jobs": """
        unit_id text NOT NULL,
        job_id text NOT NULL,
        kind text NOT NULL,
        subject text NOT NULL,
        status text NOT NULL,
        done bigint NOT NULL,
        failed bigint NOT NULL,
        total bigint,
        problems jsonb NOT NULL,
        error text,
        created_by text,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        PRIMARY KEY (unit_id, job_id)
    """,
    "event_counts": """
        unit_id text NOT NULL,
        day date NOT NULL,
        event_type text NOT NULL,
        channel text NOT NULL,
        events bigint NOT NULL,
        PRIMARY KEY (unit_id, day, event_type, channel)
    """,
}

INDEXES = (
    "orders_by_lead ON orders (unit_id, lead_id, ordered_at)",
    "score_snapshots_by_time ON score_snapshots (unit_id, snapshot_at)",
    "jobs_by_subject ON jobs (unit_id, kind, subject, created_at)",
)


def upgrade() -> None:
    for table, columns in TENANT_TABLES.items():
        op.execute(f"CREATE TABLE {table} ({columns})")
        distribute(table, "tenant")
    for index in INDEXES:
        op.execute(f"CREATE INDEX {index}")
    op.execute("ALTER TABLE leads ADD COLUMN deleting boolean NOT NULL DEFAULT false")
    op.execute("ALTER TABLE lanes DROP COLUMN state_version")
    op.execute("ALTER TABLE lanes ADD COLUMN lead_count bigint NOT NULL DEFAULT 0")
    op.execute(
        """
        UPDATE lanes SET lead_count = c.leads
        FROM (SELECT unit_id, count(*) AS leads FROM leads WHERE merged_into IS NULL GROUP BY unit_id) c
        WHERE lanes.unit_id = c.unit_id
        """
    )
    op.execute(
        """
        INSERT INTO event_counts (unit_id, day, event_type, channel, events)
        SELECT unit_id, (occurred_at AT TIME ZONE 'UTC')::date, event_type, channel, count(*)
        FROM engagement_events GROUP BY 1, 2, 3, 4
        """
    )


def downgrade() -> None:
    op.execute("ALTER TABLE lanes DROP COLUMN lead_count")
    op.execute("ALTER TABLE lanes ADD COLUMN state_version bigint NOT NULL DEFAULT 0")
    op.execute("ALTER TABLE leads DROP COLUMN deleting")
    for table in reversed(TENANT_TABLES):
        op.execute(f"DROP TABLE {table}")
