"""Brings a database to the newest schema, and on Citus distributes the tenant tables."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from leadvibe.store.database import SERVER_SETTINGS, connect, sqlalchemy_url
from leadvibe.store.inspection import revision

# Any number, the same for all: migrations of two processes at once must take turns.
_LOCK = 7_205_759_403


def _config(connection: Connection | None = None, **attributes: Any) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("migrations")))
    config.attributes.update(connection=connection, **attributes)
    return config


def newest_revision() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def knows_revision(revision: str) -> bool:
    """Whether it is one of this version's migrations."""
    return any(script.revision == revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


async def is_migrated(url: str) -> bool:
    """Whether all migrations of this version ran; those of a newer one do no harm."""
    connection = await connect(url)
    try:
        found = await revision(connection)
    finally:
        await connection.close()
    return found is not None and (found == newest_revision() or not knows_revision(found))


def _upgrade(connection: Connection, citus: bool) -> None:
    # A database that is up to date, as at nearly every start, needs none of what migrations import.
    if citus or MigrationContext.configure(connection).get_current_revision() != newest_revision():
        command.upgrade(_config(connection, citus=citus), "head")


async def migrate(url: str, citus: bool = False) -> None:
    """Runs every migration that is missing; does nothing on a database that is up to date."""
    engine = create_async_engine(
        sqlalchemy_url(url), poolclass=NullPool, connect_args={"server_settings": SERVER_SETTINGS}
    )
    try:
        async with engine.connect() as guard, engine.connect() as connection:
            await guard.execute(text(f"SELECT pg_advisory_lock({_LOCK})"))
            await connection.run_sync(_upgrade, citus)
            await connection.commit()
            await guard.execute(text(f"SELECT pg_advisory_unlock({_LOCK})"))
    finally:
        await engine.dispose()
