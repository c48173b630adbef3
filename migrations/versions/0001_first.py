"""Organisations, units, access, scoring configuration, leads, the queue and the event log."""

from alembic import op

from migrations.citus import distribute

revision = "0001"
down_revision = None

AUDITED = """
    org_id text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_by text,
    updated_by text
"""

# Parents first: a reference table must be one before a tenant table points at it.
REFERENCE_TABLES = {
    "organisations": """
        org_id text PRIMARY KEY,
        name text NOT NULL,
        allow_negative_scores boolean NOT NULL,
        abm_enabled boolean NOT NULL,
        created_at timestamptz NOT NULL
    """,
    "members": """
        org_member_id text PRIMARY KEY,
        org_id text NOT NULL REFERENCES organisations,
        first_name text NOT NULL,
        last_name text NOT NULL,
        email text NOT NULL UNIQUE,
        password_hash text NOT NULL,
        role text NOT NULL,
        verified boolean NOT NULL,
        created_at timestamptz NOT NULL
    """,
    "org_units": """
        unit_id text PRIMARY KEY,
        org_id text NOT NULL REFERENCES organisations,
        name text NOT NULL,
        slug text NOT NULL,
        external_ref text,
        is_default boolean NOT NULL,
        session_timeout_minutes integer NOT NULL,
        created_at timestamptz NOT NULL,
        UNIQUE (org_id, slug)
    """,
    "api_credentials": """
        secret_id text PRIMARY KEY,
        unit_id text NOT NULL REFERENCES org_units,
        client_id text NOT NULL UNIQUE,
        secret_hash text NOT NULL,
        name text NOT NULL,
        trust_upstream_consent boolean NOT NULL,
        created_at timestamptz NOT NULL
    """,
    "server_secrets": "name text PRIMARY KEY, value text NOT NULL",
}

TENANT_TABLES = {
    "lanes": """
        unit_id text PRIMARY KEY,
        last_seq bigint NOT NULL,
        config_version bigint NOT NULL,
        state_version bigint NOT NULL
    """,
    "ou_memberships": """
        unit_id text NOT NULL,
        org_member_id text NOT NULL,
        role text NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (unit_id, org_member_id)
    """,
    "rulesets": f"""
        unit_id text NOT NULL,
        ruleset_id text NOT NULL,
        surface text NOT NULL,
        name text NOT NULL,
        score_column text NOT NULL,
        is_primary boolean NOT NULL,
        active boolean NOT NULL,
        start_at timestamptz,
        end_at timestamptz,
        {AUDITED},
        PRIMARY KEY (unit_id, ruleset_id)
    """,
    "rules": f"""
        unit_id text NOT NULL,
        rule_id text NOT NULL,
        ruleset_id text NOT NULL,
        event_type text NOT NULL,
        weight integer NOT NULL,
        icon text,
        active boolean NOT NULL,
        start_at timestamptz,
        end_at timestamptz,
        {AUDITED},
        PRIMARY KEY (unit_id, rule_id),
        UNIQUE (unit_id, ruleset_id, event_type)
    """,
    "velocity_filters": f"""
        unit_id text NOT NULL,
        filter_id text NOT NULL,
        event_type text NOT NULL,
        count_threshold integer NOT NULL,
        time_window_ms bigint NOT NULL,
        group_events boolean NOT NULL,
        {AUDITED},
        PRIMARY KEY (unit_id, filter_id)
    """,
    "engagement_levels": f"""
        unit_id text NOT NULL,
        stage_id text NOT NULL,
        name text NOT NULL,
        min_score integer NOT NULL,
        max_score integer,
        {AUDITED},
        PRIMARY KEY (unit_id, stage_id)
    """,
    "surge_policies": """
        unit_id text PRIMARY KEY,
        mode text NOT NULL,
        bands jsonb NOT NULL,
        idle_reset_seconds integer NOT NULL,
        multiplier_cap double precision NOT NULL
    """,
    "event_types": """
        unit_id text NOT NULL,
        name text NOT NULL,
        hidden boolean NOT NULL,
        max_processing_scope text NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (unit_id, name)
    """,
    "leads": """
        unit_id text NOT NULL,
        lead_id text NOT NULL,
        account_id text,
        owner_id text,
        owner_name text,
        metadata jsonb NOT NULL,
        merged_into text,
        score bigint NOT NULL,
        scores jsonb NOT NULL,
        session_count integer NOT NULL,
        session_at timestamptz,
        last_event_at timestamptz,
        last_event_type text,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        PRIMARY KEY (unit_id, lead_id)
    """,
    "lead_aliases": """
        unit_id text NOT NULL,
        alias_kind text NOT NULL,
        normal_value text NOT NULL,
        raw_value text NOT NULL,
        alias_id text NOT NULL,
        lead_id text NOT NULL,
        created_at timestamptz NOT NULL,
        PRIMARY KEY (unit_id, alias_kind, normal_value)
    """,
    "ingest_keys": """
        unit_id text NOT NULL,
        key text NOT NULL,
        digest bytea NOT NULL,
        event_id text NOT NULL,
        received_at timestamptz NOT NULL,
        PRIMARY KEY (unit_id, key)
    """,
    "ingest_queue": """
        unit_id text NOT NULL,
        position bigint NOT NULL GENERATED BY DEFAULT AS IDENTITY,
        event_id text NOT NULL,
        lead_id text,
        aliases jsonb NOT NULL,
        event_type text NOT NULL,
        occurred_at timestamptz NOT NULL,
        received_at timestamptz NOT NULL,
        metadata jsonb NOT NULL,
        skip_triggers boolean NOT NULL,
        PRIMARY KEY (unit_id, position)
    """,
}

EVENT_LOG = """
    CREATE TABLE engagement_events (
        unit_id text NOT NULL,
        occurred_at timestamptz NOT NULL,
        seq bigint NOT NULL,
        event_id text NOT NULL,
        lead_id text,
        event_type text NOT NULL,
        channel text NOT NULL,
        metadata jsonb NOT NULL,
        suppression_reason text,
        observed boolean NOT NULL,
        original_lead_id text,
        scores jsonb,
        received_at timestamptz NOT NULL,
        processed_at timestamptz NOT NULL,
        PRIMARY KEY (unit_id, occurred_at, seq)
    ) PARTITION BY RANGE (occurred_at)
"""

INDEXES = (
    "ix_members_org_id ON members (org_id)",
    "ix_org_units_org_id ON org_units (org_id)",
    "ix_api_credentials_unit_id ON api_credentials (unit_id)",
    "ix_ou_memberships_org_member_id ON ou_memberships (org_member_id)",
    "leads_by_score ON leads (unit_id, score DESC, last_event_at DESC NULLS LAST, lead_id)",
    "leads_by_created ON leads (unit_id, created_at)",
    "leads_by_last_event ON leads (unit_id, last_event_at)",
    "leads_by_lower_id ON leads (unit_id, lower(lead_id) text_pattern_ops)",
    "lead_aliases_by_lead ON lead_aliases (unit_id, lead_id)",
    "ingest_keys_by_time ON ingest_keys (unit_id, received_at)",
    "events_by_seq ON engagement_events (unit_id, seq)",
    "events_by_id ON engagement_events (unit_id, event_id)",
    "events_by_lead ON engagement_events (unit_id, lead_id, occurred_at)",
    "events_by_type ON engagement_events (unit_id, event_type, occurred_at)",
)


def upgrade() -> None:
    for table, columns in REFERENCE_TABLES.items():
        op.execute(f"CREATE TABLE {table} ({columns})")
        distribute(table, "reference")
    for table, columns in TENANT_TABLES.items():
        op.execute(f"CREATE TABLE {table} ({columns})")
        distribute(table, "tenant")
    op.execute(EVENT_LOG)
    distribute("engagement_events", "tenant")
    for index in INDEXES:
        op.execute(f"CREATE INDEX {index}")


def downgrade() -> None:
    for table in ("engagement_events", *reversed(TENANT_TABLES), *reversed(REFERENCE_TABLES)):
        op.execute(f"DROP TABLE {table}")
