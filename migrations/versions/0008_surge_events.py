"""Surge events, the switch of their detection, and how far a job is that can be resumed."""

from alembic import op

from migrations.citus import distribute

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute("ALTER TABLE org_units ADD COLUMN surge_triggers_enabled boolean NOT NULL DEFAULT false")
    op.execute("ALTER TABLE jobs ADD COLUMN last_subject text")
    op.execute(
        """
        CREATE TABLE surge_events (
            unit_id text NOT NULL,
            surge_event_id text NOT NULL,
            seq bigint NOT NULL,
            trigger_id text NOT NULL,
            lead_id text NOT NULL,
            event_type text,
            event_count bigint NOT NULL,
            window_seconds bigint NOT NULL,
            detected_at timestamptz NOT NULL,
            snapshot jsonb NOT NULL,
            PRIMARY KEY (unit_id, surge_event_id)
        )
        """
    )
    op.execute("CREATE INDEX surge_events_by_time ON surge_events (unit_id, detected_at, surge_event_id)")
    op.execute("CREATE INDEX surge_events_by_lead ON surge_events (unit_id, lead_id, trigger_id, detected_at)")
    op.execute("CREATE INDEX surge_events_by_seq ON surge_events (unit_id, seq)")
    distribute("surge_events", "tenant")


def downgrade() -> None:
    op.execute("DROP TABLE surge_events")
    op.execute("ALTER TABLE jobs DROP COLUMN last_subject")
    op.execute("ALTER TABLE org_units DROP COLUMN surge_triggers_enabled")
