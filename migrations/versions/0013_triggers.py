"""Milestone, sequence and pattern triggers, and their firings."""

from alembic import op

from migrations.citus import distribute

revision = "0013"
down_revision = "0012"

_SHARED = """
    unit_id text NOT NULL,
    org_id text NOT NULL,
    trigger_id text NOT NULL,
    name text NOT NULL,
    active boolean NOT NULL DEFAULT true,
    webhook_url text,
    emails jsonb,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text,
    updated_by text,
    PRIMARY KEY (unit_id, trigger_id)
"""
_MESSAGES = """
    fire_mode text NOT NULL,
    cooldown_seconds bigint,
    email_subject text,
    email_preheader text,
    email_message text,
    slack_target_kind text,
    slack_target_id text,
    teams_target_kind text,
    teams_target_id text,
    profile_filters jsonb NOT NULL,
    lead_attribute_filters jsonb NOT NULL,
"""
TABLES = {
    "milestone_triggers": f"{_MESSAGES} event_type text NOT NULL, score_threshold integer NOT NULL, "
    f"notify_exit boolean NOT NULL, {_SHARED}",
    "sequence_triggers": f"{_MESSAGES} event_types jsonb NOT NULL, event_steps jsonb NOT NULL, "
    "window_seconds bigint NOT NULL, window_unit text NOT NULL, ordered boolean NOT NULL, "
    f"hubspot_sync boolean NOT NULL, {_SHARED}",
    "pattern_triggers": f"description text, window_seconds bigint, conditions jsonb NOT NULL, {_SHARED}",
    "trigger_firings": """
        unit_id text NOT NULL,
        firing_id text NOT NULL,
        kind text NOT NULL,
        trigger_id text NOT NULL,
        trigger_name text NOT NULL,
        lead_id text NOT NULL,
        occasion bigint NOT NULL,
        seq bigint NOT NULL,
        event_id text NOT NULL,
        event_type text NOT NULL,
        occurred_at timestamptz NOT NULL,
        score bigint NOT NULL,
        previous_score bigint NOT NULL,
        score_threshold bigint,
        matched jsonb NOT NULL DEFAULT '{}',
        fired_at timestamptz NOT NULL,
        PRIMARY KEY (unit_id, firing_id)
    """,
}


def upgrade() -> None:
    for name, columns in TABLES.items():
        op.execute(f"CREATE TABLE {name} ({columns})")
        distribute(name, "tenant")
    op.execute(
        "CREATE UNIQUE INDEX trigger_firings_occasion ON trigger_firings (unit_id, lead_id, trigger_id, kind, occasion)"
    )
    op.execute("CREATE INDEX trigger_firings_by_kind ON trigger_firings (unit_id, kind, seq, firing_id)")
    op.execute("CREATE INDEX trigger_firings_by_trigger ON trigger_firings (unit_id, trigger_id, seq, firing_id)")
    op.execute("CREATE INDEX trigger_firings_by_seq ON trigger_firings (unit_id, seq)")


def downgrade() -> None:
    for name in reversed(TABLES):
        op.execute(f"DROP TABLE {name}")
