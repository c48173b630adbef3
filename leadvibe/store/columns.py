"""What tables are described with: their kinds, times, the columns that rows share, one type for texts.

Reference tables are small and seldom written; a local one belongs to no tenant and stays where it is. All others
are tenant tables and carry `unit_id` first in their primary key.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import DateTime, Text
from sqlmodel import Field, SQLModel
from sqlmodel.sql.sqltypes import AutoString

TENANT: dict[str, Any] = {"info": {"kind": "tenant"}}
REFERENCE: dict[str, Any] = {"info": {"kind": "reference"}}
LOCAL: dict[str, Any] = {"info": {"kind": "local"}}
# Of a column: a secret, sealed by `leadvibe.crypto`.
SEALED: dict[str, Any] = {"info": {"sealed": True}}

Json = dict[str, Any]


def now() -> datetime:
    return datetime.now(UTC)


def timestamp(**options: Any) -> Any:
    """A time with its zone."""
    return Field(sa_type=DateTime(timezone=True), **options)


def stamp(description: str) -> Any:
    """The time when the row is made."""
    return timestamp(default_factory=now, description=description)


class TenantRow(SQLModel):
    """What all tenant entities share."""

    unit_id: str = Field(primary_key=True, description="The OU this belongs to.")


class ConfigRow(TenantRow):
    """A piece of an OU's configuration: who made and last changed it, and when."""

    key: ClassVar[str]
    id_prefix: ClassVar[str]

    org_id: str = Field(description="The organisation of the OU.")
    created_at: datetime = stamp("When it was made.")
    updated_at: datetime = stamp("When it was last changed.")
    created_by: str | None = Field(default=None, description="Member or credential that made it.")
    updated_by: str | None = Field(default=None, description="Member or credential that last changed it.")


def plain_texts() -> None:
    """One text type everywhere: Citus colocates tables only when unit_id has the very same type."""
    for table in SQLModel.metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, AutoString):
                column.type = Text()
