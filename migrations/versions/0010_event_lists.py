"""Indexes of the event log in the whole order of its lists."""

from alembic import op

revision = "0010"
down_revision = "0009"

LISTS = {"events_by_lead": "unit_id, lead_id, occurred_at", "events_by_type": "unit_id, event_type, occurred_at"}


def upgrade() -> None:
    for name, columns in LISTS.items():
        op.execute(f"DROP INDEX {name}")
        op.execute(f"CREATE INDEX {name} ON engagement_events ({columns}, seq)")


def downgrade() -> None:
    for name, columns in LISTS.items():
        op.execute(f"DROP INDEX {name}")
        op.execute(f"CREATE INDEX {name} ON engagement_events ({columns})")
