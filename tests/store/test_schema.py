"""The migrated database is the one that the tables describe."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Table
from sqlmodel import SQLModel

import leadvibe.store.access_tables
import leadvibe.store.config_tables
import leadvibe.store.delivery_tables
import leadvibe.store.governance_tables
import leadvibe.store.sample_tables
import leadvibe.store.segment_tables
import leadvibe.store.slack_tables
import leadvibe.store.trigger_tables  # noqa: F401
from leadvibe.store.database import Database, connect
from leadvibe.store.migrate import migrate, newest_revision
from tests.conftest import new_database

TABLES = list(SQLModel.metadata.tables.values())


def is_tenant(table: Table) -> bool:
    return table.info["kind"] == "tenant"


def differences(connection: Connection) -> list[Any]:
    def ours(name: str | None, kind: str, _: Any) -> bool:
        return not (kind == "table" and name is not None and name.startswith(("engagement_events_", "alembic_version")))

    options = {"compare_type": True, "include_name": ours}
    return compare_metadata(MigrationContext.configure(connection, opts=options), SQLModel.metadata)


@pytest.mark.filterwarnings("ignore:Expression .* in index:UserWarning")
async def test_the_migrations_make_what_the_tables_describe(database: Database) -> None:
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


@pytest.mark.filterwarnings("ignore:Expression .* in index:UserWarning")
async def test_a_difference_would_be_seen(database: Database) -> None:
    await database.pool.execute("ALTER TABLE leads DROP COLUMN owner_name; DROP INDEX leads_by_created")
    async with database.engine.connect() as connection:
        assert len(await connection.run_sync(differences)) == 2


async def test_every_tenant_key_and_unique_index_begins_with_the_unit(database: Database) -> None:
    rows = await database.pool.fetch(
        """
        SELECT c.relname AS table, i.relname AS index, a.attname AS first
        FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.indkey[0]
        WHERE c.relnamespace = 'public'::regnamespace AND x.indisunique
        """
    )
    tenants = {table.name for table in TABLES if is_tenant(table)}
    keyed = {row["table"]: row["first"] for row in rows if row["table"] in tenants}
    assert keyed == dict.fromkeys(tenants, "unit_id")
    assert {row["first"] for row in rows if row["table"] in tenants} == {"unit_id"}


async def test_a_unit_has_the_same_type_everywhere(database: Database) -> None:
    rows = await database.pool.fetch(
        """
        SELECT DISTINCT data_type, collation_name FROM information_schema.columns
        WHERE table_schema = 'public' AND column_name = 'unit_id'
        """
    )
    assert [tuple(row) for row in rows] == [("text", None)]


async def test_no_tenant_table_points_at_another_or_has_triggers(database: Database) -> None:
    tenants = [table.name for table in TABLES if is_tenant(table)]
    pointing = await database.pool.fetch(
        """
        SELECT conrelid::regclass::text AS table FROM pg_constraint
        WHERE contype = 'f' AND (conrelid::regclass::text = ANY($1) OR confrelid::regclass::text = ANY($1))
        """,
        tenants,
    )
    assert pointing == []
    assert await database.pool.fetchval("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal") == 0


def test_every_table_says_what_kind_it_is() -> None:
    assert {table.info["kind"] for table in TABLES} == {"tenant", "reference", "local"}
    assert {table.name for table in TABLES if table.info["kind"] == "local"} == {"login_attempts", "rate_buckets"}
    assert {table.name for table in TABLES if table.info["kind"] == "reference"} == {
        "organisations",
        "org_units",
        "members",
        "api_credentials",
        "server_secrets",
        "personal_access_tokens",
        "password_links",
        "slack_apps",
    }


async def test_migrating_again_and_from_many_processes_at_once_changes_nothing(server_url: str) -> None:
    async with new_database(server_url, "migrated") as url:
        await asyncio.gather(*(migrate(url) for _ in range(4)))
        await migrate(url)
        connection = await connect(url)
        revision = await connection.fetchval("SELECT version_num FROM alembic_version")
        await connection.close()
    assert revision == newest_revision()
