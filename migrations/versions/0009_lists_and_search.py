"""What keeps lists and searches fast in large units: indexes of the leads that lists show, and the pieces
of aliases."""

from alembic import op

revision = "0009"
down_revision = "0008"

SHOWN = "WHERE merged_into IS NULL AND NOT deleting"
LISTS = {
    "leads_by_score": ("(unit_id, score DESC, last_event_at DESC NULLS LAST, lead_id)", ""),
    "leads_by_created": ("(unit_id, created_at DESC, lead_id)", "(unit_id, created_at)"),
    "leads_by_last_event": ("(unit_id, last_event_at DESC NULLS LAST, lead_id)", "(unit_id, last_event_at)"),
}


def upgrade() -> None:
    for name, (columns, _) in LISTS.items():
        op.execute(f"DROP INDEX {name}")
        op.execute(f"CREATE INDEX {name} ON leads {columns} {SHOWN}")
    op.execute(
        "ALTER TABLE lead_aliases ADD COLUMN folded text NOT NULL DEFAULT '', "
        "ADD COLUMN grams text[] NOT NULL DEFAULT '{}'"
    )
    op.execute(
        """
        UPDATE lead_aliases SET folded = lower(raw_value), grams = coalesce((
            SELECT array_agg(DISTINCT left(md5(unit_id), 4) || substr(lower(raw_value), i, n))
            FROM generate_series(2, 3) AS n CROSS JOIN LATERAL generate_series(1, length(raw_value) - n + 1) AS i
        ), '{}')
        """
    )
    op.execute("CREATE INDEX lead_aliases_by_gram ON lead_aliases USING gin (grams)")


def downgrade() -> None:
    op.execute("DROP INDEX lead_aliases_by_gram")
    op.execute("ALTER TABLE lead_aliases DROP COLUMN folded, DROP COLUMN grams")
    for name, (columns, before) in LISTS.items():
        op.execute(f"DROP INDEX {name}")
        op.execute(f"CREATE INDEX {name} ON leads {before or columns}")
