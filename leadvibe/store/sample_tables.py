"""The table of sample data."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, Column, Text
from sqlmodel import Field

from leadvibe.store.columns import TENANT, TenantRow, plain_texts, timestamp


def _names(column: str) -> list[str]:
    names: list[str] = Field(sa_column=Column(column, ARRAY(Text), nullable=False))
    return names


class SampleData(TenantRow, table=True):
    """What seeding put into a unit, beside the configuration that is `created_by` seed.

    Its events are those from `first_seq` to `last_seq`. `event_types`: those that the unit did not know before.
    """

    __tablename__ = "sample_data"
    __table_args__ = TENANT

    first_seq: int = Field(sa_type=BigInteger)
    last_seq: int = Field(sa_type=BigInteger)
    lead_ids: list[str] = _names("lead_ids")
    account_ids: list[str] = _names("account_ids")
    order_ids: list[str] = _names("order_ids")
    event_types: list[str] = _names("event_types")
    created_by: str
    created_at: datetime = timestamp()


plain_texts()
