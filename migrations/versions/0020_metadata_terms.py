"""Where the values of events' metadata occur, so that a list finds those that hardly any event has."""

from alembic import op

from migrations.citus import distribute

revision = "0020"
down_revision = "0019"

TABLES = {
    "event_blocks": """
        CREATE TABLE event_blocks (
            unit_id text,
            first_seq bigint,
            last_seq bigint NOT NULL,
            oldest timestamptz NOT NULL,
            newest timestamptz NOT NULL,
            PRIMARY KEY (unit_id, first_seq)
        )
    """,
    "event_terms": """
        CREATE TABLE event_terms (
            unit_id text,
            bucket integer,
            first_seq bigint,
            places integer[] NOT NULL,
            PRIMARY KEY (unit_id, bucket, first_seq)
        )
    """,
}


def upgrade() -> None:
    for name, statement in TABLES.items():
        op.execute(statement)
        distribute(name, "tenant")


def downgrade() -> None:
    for name in reversed(TABLES):
        op.execute(f"DROP TABLE {name}")
