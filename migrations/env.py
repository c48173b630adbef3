"""Runs the migrations over the connection that `leadvibe.store.migrate` hands in."""

from alembic import context
from sqlalchemy import Connection, text
from sqlmodel import SQLModel

# These fill the metadata with their tables.
from leadvibe.store import (  # noqa: F401
    access_tables,
    config_tables,
    delivery_tables,
    governance_tables,
    sample_tables,
    segment_tables,
    slack_tables,
    trigger_tables,
)


def run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=SQLModel.metadata, transaction_per_migration=True)
    with context.begin_transaction():
        # Unknown two-part settings are accepted by plain PostgreSQL; Citus needs both (citus.md, rule 4).
        connection.execute(text("SET LOCAL citus.enable_local_reference_table_foreign_keys = off"))
        connection.execute(text("SET LOCAL citus.multi_shard_modify_mode = 'sequential'"))
        context.run_migrations()


run(context.config.attributes["connection"])
