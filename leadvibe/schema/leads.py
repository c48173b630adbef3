"""Leads: the connection, and one lead."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, cast

import strawberry

from leadvibe.resolvers import leads
from leadvibe.resolvers.context import Context
from leadvibe.resolvers.leads import primary_of
from leadvibe.schema.accounts import Account
from leadvibe.schema.configuration import Ruleset
from leadvibe.schema.context import Info
from leadvibe.schema.fields import field
from leadvibe.schema.metadata import READING, Described
from leadvibe.schema.node import Node, findable
from leadvibe.schema.paging import After, Connection, First, checked, connection
from leadvibe.schema.ranges import TimeRange, name_of
from leadvibe.schema.scalars import BigInt
from leadvibe.schema.selections import Columns, is_counted, read_of
from leadvibe.schema.words import AliasKind
from leadvibe.scoring.levels import level_name
from leadvibe.store import lead_queries, tables


@strawberry.enum(description="Orders of a lead list, each with the highest or latest first.")
class LeadOrder(Enum):
    SCORE = strawberry.enum_value("score", description="By score, then by latest event.")
    LAST_EVENT = strawberry.enum_value("last_event_at", description="By latest event.")
    CREATED = strawberry.enum_value("created_at", description="By when the lead was first seen.")


@strawberry.type(description="A lead's score in one ruleset.")
class RulesetScore:
    ruleset_id: strawberry.ID = strawberry.field(description="The ruleset.")
    ruleset_name: str = strawberry.field(description="Its name.")
    score: BigInt = strawberry.field(description="The lead's score in it.")


@strawberry.type(description="A name by which events find a lead.")
class LeadAlias:
    id: strawberry.ID = strawberry.field(description="The alias's id.")
    kind: AliasKind = strawberry.field(description="What kind of name it is.")
    value: str = strawberry.field(description="The name as it was first sent.")
    created_at: datetime = strawberry.field(description="When it was first seen.")


@strawberry.type(description="A person inside one organisational unit.")
class Lead(Node, Described):
    lead_id: strawberry.ID = strawberry.field(description="Opaque text, chosen by the client or made by the server.")
    score: BigInt = strawberry.field(description="Score of the primary engagement ruleset.")
    account_id: strawberry.ID | None = strawberry.field(description="The account the lead belongs to.")
    owner_id: strawberry.ID | None = strawberry.field(description="Who looks after the lead.")
    owner_name: str | None = strawberry.field(description="The owner's name.")
    merged_into: strawberry.ID | None = strawberry.field(description="The lead that took this one over, if any did.")
    last_event_at: datetime | None = strawberry.field(description="Time of the latest event.")
    last_event_type: str | None = strawberry.field(description="Type of the latest event.")
    created_at: datetime = strawberry.field(description="When the lead was first seen.")
    updated_at: datetime = strawberry.field(description="When the lead last changed.")
    profile_score: BigInt = strawberry.field(description="Score of the primary profile ruleset.")
    scores: strawberry.Private[Mapping[str, int]]
    fit: strawberry.Private[Mapping[str, int]]

    @classmethod
    def of(cls, row: tables.Lead) -> Lead:
        return cls(
            lead_id=strawberry.ID(row.lead_id),
            score=BigInt(row.score),
            metadata=row.lead_metadata,
            account_id=_id(row.account_id),
            owner_id=_id(row.owner_id),
            owner_name=row.owner_name,
            merged_into=_id(row.merged_into),
            last_event_at=row.last_event_at,
            last_event_type=row.last_event_type,
            created_at=row.created_at,
            updated_at=row.updated_at,
            profile_score=BigInt(row.profile_score),
            scores=row.scores,
            fit=row.profile_scores,
        )

    @field
    async def aliases(self, info: Info) -> list[LeadAlias]:
        """The names by which events find the lead, oldest first."""
        return [
            LeadAlias(
                id=strawberry.ID(row.alias_id),
                kind=AliasKind(row.alias_kind),
                value=row.raw_value,
                created_at=row.created_at,
            )
            for row in await info.context.aliases.load(self.lead_id)
        ]

    @field
    async def session_count(
        self,
        info: Info,
        range: Annotated[TimeRange, strawberry.argument(description="Only sessions of this range.")] = TimeRange.ALL,
    ) -> int:
        """How many sessions the lead had, as far as its newest 200 events of the range tell."""
        return await info.context.session_counts.load((self.lead_id, name_of(range)))

    @field
    async def account(self, info: Info) -> Account | None:
        """The account the lead belongs to."""
        row = await info.context.accounts.load(self.account_id) if self.account_id is not None else None
        return None if row is None else Account.of(row)

    @field
    def profile(self) -> dict[str, Any]:
        """What profile rules read: the lead's metadata."""
        return self.metadata

    @field
    async def ruleset_id(self, info: Info) -> strawberry.ID | None:
        """The primary engagement ruleset, whose score is `score`."""
        return _id(primary_of(await info.context.rulesets))

    @field
    async def ruleset(self, info: Info) -> Ruleset | None:
        """The primary engagement ruleset itself."""
        rulesets = await info.context.rulesets
        return next((each for each in rulesets if each.is_primary), None)

    @field
    async def engagement_level(self, info: Info) -> str | None:
        """Name of the level that the score falls into."""
        return level_name(await info.context.levels, self.score)

    @field
    async def profile_level(self, info: Info) -> str | None:
        """Name of the level that the profile score falls into."""
        return level_name(await info.context.profile_levels, self.profile_score)

    @field
    async def profile_scores(self, info: Info) -> list[RulesetScore]:
        """The scores of all profile rulesets in which the lead has one."""
        return [
            RulesetScore(ruleset_id=strawberry.ID(row.id), ruleset_name=row.name, score=BigInt(score))
            for row in await info.context.profile_rulesets
            if (score := self.fit.get(row.id)) is not None
        ]

    @field
    async def engagement_scores(self, info: Info) -> list[RulesetScore]:
        """The scores of all engagement rulesets in which the lead has one."""
        return [
            RulesetScore(ruleset_id=strawberry.ID(row.ruleset_id), ruleset_name=row.name, score=BigInt(score))
            for row in await info.context.rulesets
            if (score := self.scores.get(row.ruleset_id)) is not None
        ]


async def _find(context: Context, lead_id: str) -> Lead:
    return Lead.of(await leads.get_lead(context, lead_id))


findable("Lead", "lead_id", _find)


# What the fields with resolvers read; the others read the column of their name, with two exceptions.
LEAD_COLUMNS = Columns(
    Lead,
    tables.Lead,
    {
        "node_id": ["lead_id"],
        **{name: ["metadata"] for name in READING},
        "aliases": ["lead_id"],
        "session_count": ["lead_id"],
        "account": ["account_id"],
        "profile": ["metadata"],
        "ruleset_id": [],
        "ruleset": [],
        "engagement_level": ["score"],
        "profile_level": ["profile_score"],
        "profile_scores": ["fit"],
        "engagement_scores": ["scores"],
    },
    renamed={"metadata": "lead_metadata", "fit": "profile_scores"},
)
# Those that read the large ones.
LEAD_READERS = LEAD_COLUMNS.readers("lead_metadata", "scores", "profile_scores", "decay_cycles")


@strawberry.input(description="Which leads a list shows; what is left out does not filter.")
class LeadFilter:
    min_score: BigInt | None = strawberry.field(default=None, description="Lowest score.")
    max_score: BigInt | None = strawberry.field(default=None, description="Highest score.")
    event_type: str | None = strawberry.field(default=None, description="Type of the lead's latest event.")
    created_from: datetime | None = strawberry.field(default=None, description="First seen at this time or later.")
    created_to: datetime | None = strawberry.field(default=None, description="First seen before this time.")
    active_since: datetime | None = strawberry.field(default=None, description="Latest event at this time or later.")
    lead_ids: list[strawberry.ID] | None = strawberry.field(default=None, description="Only these leads.")

    def as_condition(self) -> lead_queries.LeadFilter:
        return lead_queries.LeadFilter(**vars(self))


@strawberry.type
class LeadQueries:
    @field
    async def leads(
        self,
        info: Info,
        first: First = 50,
        after: After = None,
        filter: Annotated[LeadFilter | None, strawberry.argument(description="Which leads.")] = None,
        order_by: Annotated[LeadOrder, strawberry.argument(description="In which order.")] = LeadOrder.SCORE,
    ) -> Connection[Lead]:
        """The unit's leads, page by page, without those merged away."""
        wanted = filter.as_condition() if filter else lead_queries.LeadFilter()
        order = lead_queries.LeadOrder(order_by.value)
        page = await leads.list_leads(
            info.context,
            wanted,
            order,
            limit=checked(first),
            after=after,
            columns=read_of(info, LEAD_COLUMNS),
            counted=is_counted(info),
        )
        return connection(page, cast(list[Lead], page.rows), after)

    @field
    async def lead(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The lead's id.")]
    ) -> Lead | None:
        """One lead; null, with an error `not_found`, when the unit has none of this id."""
        return Lead.of(await leads.get_lead(info.context, id))


def _id(text: str | None) -> strawberry.ID | None:
    return None if text is None else strawberry.ID(text)
