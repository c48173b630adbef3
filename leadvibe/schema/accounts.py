"""Accounts: the companies whose people are leads."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from leadvibe.store import tables


@strawberry.type(description="A company whose people are leads.")
class Account:
    account_id: strawberry.ID = strawberry.field(description="Its id.")
    domain: str | None = strawberry.field(description="The domain of its e-mail addresses and pages.")
    name: str | None = strawberry.field(description="Its name.")
    metadata: dict[str, Any] = strawberry.field(description="What else is known of it.")
    created_at: datetime = strawberry.field(description="When it was made.")
    updated_at: datetime = strawberry.field(description="When it last changed.")

    @classmethod
    def of(cls, row: tables.Account) -> Account:
        return cls(
            account_id=strawberry.ID(row.account_id),
            domain=row.domain,
            name=row.name,
            metadata=row.account_metadata,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )
