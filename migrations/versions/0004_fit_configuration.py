"""Configuration of profile and account scoring, decay and surge triggers."""

from alembic import op

from migrations.citus import distribute

revision = "0004"
down_revision = "0003"

CONFIG = """
    unit_id text NOT NULL,
    org_id text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text,
    updated_by text
"""
RULESET = """
    id text NOT NULL,
    name text NOT NULL,
    enabled boolean NOT NULL,
    is_primary boolean NOT NULL
"""
RULE = """
    id text NOT NULL,
    ruleset_id text NOT NULL,
    condition text NOT NULL,
    comparison_value text NOT NULL,
    weight integer NOT NULL,
    ui_order integer NOT NULL
"""
MAPPING = "id text NOT NULL, source_field text NOT NULL, update_behavior text NOT NULL"
LEVEL = "level_id text NOT NULL, name text NOT NULL, min_score integer NOT NULL, max_score integer"

# Table → (its id, its columns).
TENANT_TABLES = {
    "profile_rulesets": ("id", RULESET),
    "account_rulesets": ("id", RULESET),
    "profile_rules": ("id", RULE + ", profile_property text NOT NULL"),
    "account_rules": ("id", RULE + ", account_property text NOT NULL"),
    "profile_mappings": ("id", MAPPING + ", profile_property text NOT NULL"),
    "account_mappings": ("id", MAPPING + ", account_property text NOT NULL"),
    "profile_levels": ("level_id", LEVEL),
    "account_levels": ("level_id", LEVEL),
    "decays": (
        "decay_id",
        "decay_id text NOT NULL, inactive_for integer NOT NULL, unit text NOT NULL, decrease integer NOT NULL",
    ),
    "surge_triggers": (
        "trigger_id",
        """
        trigger_id text NOT NULL,
        event_type text,
        window_seconds bigint NOT NULL,
        window_unit text NOT NULL,
        threshold_count integer NOT NULL,
        webhook_url text,
        emails jsonb
        """,
    ),
}


def upgrade() -> None:
    for table, (key, columns) in TENANT_TABLES.items():
        op.execute(f"CREATE TABLE {table} ({CONFIG}, {columns}, PRIMARY KEY (unit_id, {key}))")
        distribute(table, "tenant")


def downgrade() -> None:
    for table in reversed(TENANT_TABLES):
        op.execute(f"DROP TABLE {table}")
