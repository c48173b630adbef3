"""Segments: their rules, and who belongs to them."""

from alembic import op

from migrations.citus import distribute

revision = "0017"
down_revision = "0016"

_CONFIG = """
            org_id text NOT NULL,
            created_at timestamptz NOT NULL,
            updated_at timestamptz NOT NULL,
            created_by text,
            updated_by text,
"""

TABLES = {
    "segments": f"""
        CREATE TABLE segments (
            unit_id text NOT NULL,
            {_CONFIG.strip()}
            segment_id text NOT NULL,
            name text NOT NULL,
            description text,
            active boolean NOT NULL,
            PRIMARY KEY (unit_id, segment_id)
        )
    """,
    "segment_rules": f"""
        CREATE TABLE segment_rules (
            unit_id text NOT NULL,
            {_CONFIG.strip()}
            rule_id text NOT NULL,
            segment_id text NOT NULL,
            rule_name text NOT NULL,
            rule_type text NOT NULL,
            field_name text NOT NULL,
            operator text NOT NULL,
            value text,
            event_type text,
            logic_group integer NOT NULL,
            logic_op text NOT NULL,
            order_index integer NOT NULL,
            active boolean NOT NULL,
            PRIMARY KEY (unit_id, rule_id)
        )
    """,
    "segment_states": """
        CREATE TABLE segment_states (
            unit_id text NOT NULL,
            segment_id text NOT NULL,
            digest text NOT NULL,
            last_lead_id text,
            PRIMARY KEY (unit_id, segment_id)
        )
    """,
    "segment_facts": """
        CREATE TABLE segment_facts (
            unit_id text NOT NULL,
            lead_id text NOT NULL,
            rule_id text NOT NULL,
            PRIMARY KEY (unit_id, lead_id, rule_id)
        )
    """,
    "segment_members": """
        CREATE TABLE segment_members (
            unit_id text NOT NULL,
            segment_id text NOT NULL,
            lead_id text NOT NULL,
            entered_at timestamptz NOT NULL,
            PRIMARY KEY (unit_id, segment_id, lead_id)
        )
    """,
    "segment_changes": """
        CREATE TABLE segment_changes (
            unit_id text NOT NULL,
            seq bigint NOT NULL,
            segment_id text NOT NULL,
            lead_id text NOT NULL,
            entered boolean NOT NULL,
            changed_at timestamptz NOT NULL,
            PRIMARY KEY (unit_id, seq)
        )
    """,
    "segment_touched": """
        CREATE TABLE segment_touched (
            unit_id text NOT NULL,
            lead_id text NOT NULL,
            PRIMARY KEY (unit_id, lead_id)
        )
    """,
}

INDEXES = (
    "segment_rules_by_segment ON segment_rules (unit_id, segment_id)",
    "segment_facts_by_rule ON segment_facts (unit_id, rule_id)",
    "segment_members_by_lead ON segment_members (unit_id, lead_id)",
    "segment_changes_by_segment ON segment_changes (unit_id, segment_id, seq)",
    "segment_changes_by_time ON segment_changes (unit_id, changed_at)",
)


def upgrade() -> None:
    for table, statement in TABLES.items():
        op.execute(statement)
        distribute(table, "tenant")
    for index in INDEXES:
        op.execute(f"CREATE INDEX {index}")


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"DROP TABLE {table}")
