"""Accounts: the companies whose people are leads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any

import strawberry

from leadvibe.resolvers import accounts
from leadvibe.resolvers.context import Context
from leadvibe.schema.context import Info
from leadvibe.schema.fields import field
from leadvibe.schema.metadata import METADATA_FIELDS, Described
from leadvibe.schema.node import Node, findable
from leadvibe.schema.scalars import BigInt
from leadvibe.scoring.levels import level_name
from leadvibe.store import tables
from leadvibe.store.account_queries import AccountFigures, intent_of


@strawberry.enum(description="How much a company's best lead does.")
class IntentLevel(Enum):
    LOW = strawberry.enum_value("low", description="A top score below 25.")
    MEDIUM = strawberry.enum_value("medium", description="A top score from 25 to 49.")
    HIGH = strawberry.enum_value("high", description="A top score of 50 or more.")


@strawberry.type(description="What an account's leads add up to.")
class AccountEngagement:
    leads_count: int = strawberry.field(description="How many leads it has.")
    top_score: BigInt = strawberry.field(description="The highest engagement score of its leads.")
    intent_level: IntentLevel = strawberry.field(description="What the top score says.")
    owner_name: str | None = strawberry.field(description="The owner of the lead with the top score.")
    last_activity_at: datetime | None = strawberry.field(description="Time of the latest event of its leads.")
    surging: bool = strawberry.field(description="Whether one of its leads surged within 24 hours.")

    @classmethod
    def of(cls, figures: AccountFigures) -> AccountEngagement:
        return cls(
            leads_count=figures.leads_count,
            top_score=BigInt(figures.top_score),
            intent_level=IntentLevel(intent_of(figures.top_score)),
            owner_name=figures.owner_name,
            last_activity_at=figures.last_activity_at,
            surging=figures.surging,
        )


@strawberry.type(description="A company whose people are leads.")
class Account(Node, Described):
    account_id: strawberry.ID = strawberry.field(description="Its id.")
    domain: str | None = strawberry.field(description="The domain of its e-mail addresses and pages.")
    name: str | None = strawberry.field(description="Its name.")
    metadata: dict[str, Any] = strawberry.field(description="What else is known of it: what account rules read.")
    account_score: BigInt = strawberry.field(description="How well it fits: score of the primary account ruleset.")
    created_at: datetime = strawberry.field(description="When it was made.")
    updated_at: datetime = strawberry.field(description="When it last changed.")

    @classmethod
    def of(cls, row: tables.Account) -> Account:
        return cls(
            account_id=strawberry.ID(row.account_id),
            domain=row.domain,
            name=row.name,
            metadata=row.account_metadata,
            account_score=BigInt(row.account_score),
            created_at=row.created_at,
            updated_at=row.updated_at,
        )

    @field
    async def account_level(self, info: Info) -> str | None:
        """Name of the level that the account score falls into."""
        return level_name(await info.context.account_levels, self.account_score)

    @field
    async def engagement(self, info: Info) -> AccountEngagement | None:
        """What its leads add up to; null when it was deleted meanwhile."""
        figures = await info.context.account_figures.load(self.account_id)
        return None if figures is None else AccountEngagement.of(figures)


# The fields that read the large attributes of an account's row.
ACCOUNT_READERS: Mapping[str, Sequence[str]] = {"account_metadata": METADATA_FIELDS, "account_scores": ()}


async def _find(context: Context, account_id: str) -> Account:
    return Account.of(await accounts.get_account(context, account_id))


findable("Account", "account_id", _find)
