"""What GraphQL resolvers are given: the resolvers' context, and what one operation loads only once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self, TypeVar

from starlette.requests import HTTPConnection
from starlette.responses import Response
from strawberry.dataloader import DataLoader
from strawberry.extensions import SchemaExtension
from strawberry.types.info import Info as StrawberryInfo

from leadvibe.resolvers import accounts, events, firings, leads
from leadvibe.resolvers.authentication import Credentials
from leadvibe.resolvers.context import Context
from leadvibe.resolvers.family import Family
from leadvibe.resolvers.fit import PROFILE_RULESETS
from leadvibe.resolvers.levels import ACCOUNT_LEVELS, LEVELS, PROFILE_LEVELS, as_levels
from leadvibe.resolvers.rulesets import RULESETS
from leadvibe.scoring.model import Level
from leadvibe.store.account_queries import AccountFigures
from leadvibe.store.config_tables import ProfileRuleset, Ruleset
from leadvibe.store.tables import Account, EngagementEvent, Lead, LeadAlias
from leadvibe.store.time_ranges import TimeRange
from leadvibe.store.trigger_tables import TriggerFiring

Found = TypeVar("Found")

# Where a request keeps its context, if anybody began to answer it before Strawberry.
CONTEXT = "leadvibe.graphql_context"


@dataclass
class GraphQLContext(Context):
    """The context of one operation. `response` takes cookies; over a WebSocket there is none.
    `connection_params` is where Strawberry puts the connection_init payload. `in_parts`: whether the client takes what
    is deferred by itself.

    What an operation, or a message of a subscription, reads once is a cached property, and so is a loader: neither
    `renewed` nor a message's own copy takes along any of them."""

    response: Response | None = None
    connection: HTTPConnection | None = None
    connection_params: Mapping[str, Any] | None = None
    in_parts: bool = False

    @classmethod
    def of(cls, connection: HTTPConnection, response: Response | None) -> Self:
        scope = connection.scope
        client = scope.get("client")
        ip = client[0] if client else ""
        return cls(scope["app"].state.services, Credentials.of(scope), ip, response=response, connection=connection)

    @property
    def secure(self) -> bool:
        """Whether the client came by HTTPS."""
        return self.connection is not None and self.connection.url.scheme == "https"

    @property
    def base_url(self) -> str:
        """This server as the client knows it."""
        return "" if self.connection is None else str(self.connection.base_url)

    def take_connection_params(self) -> None:
        """Takes the credentials of connection_init, where a browser puts what it cannot put into headers."""
        given = {name.lower(): value for name, value in (self.connection_params or {}).items()}
        self.credentials = self.credentials._replace(
            authorization=_text(given.get("authorization")) or self.credentials.authorization,
            unit_header=_text(given.get("x-unit-id")) or self.credentials.unit_header,
        )

    def renewed(self) -> Self:
        """The same sender, not yet verified: each operation of a socket is checked for itself."""
        return replace(self, _caller=None, _refusal=None, _admission=None)

    @cached_property
    def rulesets(self) -> asyncio.Future[Sequence[Ruleset]]:
        """The unit's engagement rulesets."""
        return asyncio.ensure_future(RULESETS.list(self))

    @cached_property
    def profile_rulesets(self) -> asyncio.Future[Sequence[ProfileRuleset]]:
        """The unit's profile rulesets."""
        return asyncio.ensure_future(PROFILE_RULESETS.list(self))

    @cached_property
    def profile_levels(self) -> asyncio.Future[list[Level]]:
        """The unit's profile levels."""
        return asyncio.ensure_future(self._load_levels(PROFILE_LEVELS))

    @cached_property
    def account_levels(self) -> asyncio.Future[list[Level]]:
        """The unit's account levels."""
        return asyncio.ensure_future(self._load_levels(ACCOUNT_LEVELS))

    @cached_property
    def levels(self) -> asyncio.Future[list[Level]]:
        """The unit's engagement levels."""
        return asyncio.ensure_future(self._load_levels(LEVELS))

    @cached_property
    def leads(self) -> DataLoader[str, Lead | None]:
        """Leads by their ids, as they are at the time: mutations of the same operation change them."""
        return self._found_by(leads.get_leads, cache=False)

    @cached_property
    def events(self) -> DataLoader[str, EngagementEvent | None]:
        """Events by their ids."""
        return self._found_by(events.get_events, cache=False)

    @cached_property
    def firings(self) -> DataLoader[str, TriggerFiring | None]:
        """Firings by their ids."""
        return self._found_by(firings.get_firings, cache=False)

    @cached_property
    def families(self) -> DataLoader[Family[Any], Sequence[Any]]:
        """All rows of configuration families, as they are at the time: mutations of the same operation change them."""
        return DataLoader(self._load_families, cache=False)

    @cached_property
    def aliases(self) -> DataLoader[str, list[LeadAlias]]:
        """The aliases of leads, by the leads' ids."""
        return DataLoader(self._load_aliases)

    @cached_property
    def session_counts(self) -> DataLoader[tuple[str, TimeRange], int]:
        """How many sessions leads had, by the leads' ids and a range."""
        return DataLoader(self._load_session_counts)

    @cached_property
    def accounts(self) -> DataLoader[str, Account | None]:
        """The accounts of leads, by their ids."""
        return self._found_by(leads.get_lead_accounts)

    @cached_property
    def account_figures(self) -> DataLoader[str, AccountFigures | None]:
        """What the leads of accounts add up to, by the accounts' ids."""
        return self._found_by(accounts.get_account_figures)

    def _found_by(
        self, find: Callable[[Context, Sequence[str]], Awaitable[Mapping[str, Found]]], cache: bool = True
    ) -> DataLoader[str, Found | None]:
        """Loads what `find` finds by ids, None for an id that there is not."""

        async def load(ids: list[str]) -> list[Found | None]:
            found = await find(self, ids)
            return [found.get(each) for each in ids]

        return DataLoader(load, cache=cache)

    async def _load_families(self, families: list[Family[Any]]) -> list[Sequence[Any]]:
        found = {family: await family.list(self) for family in set(families)}
        return [found[family] for family in families]

    async def _load_aliases(self, lead_ids: list[str]) -> list[list[LeadAlias]]:
        found = await leads.list_lead_aliases(self, lead_ids)
        return [found[lead_id] for lead_id in lead_ids]

    async def _load_session_counts(self, keys: list[tuple[str, TimeRange]]) -> list[int]:
        found = {
            asked: await leads.count_lead_sessions(self, [lead_id for lead_id, range in keys if range == asked], asked)
            for asked in {range for _, range in keys}
        }
        return [found[range][lead_id] for lead_id, range in keys]

    async def _load_levels(self, family: Family[Any]) -> list[Level]:
        return as_levels(await family.list(self))


Info = StrawberryInfo[GraphQLContext, None]


@dataclass
class DirectInfo(Info):
    """What a resolver is told on the short way of `direct.py`, where nodes may come as JSON. `found_out` is of the
    selection, and kept with it."""

    found_out: dict[str, Any]


def _text(value: Any) -> str | None:
    """The text of a connection_init field; a NUL, which no header can carry, names nothing."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else None


class OperationContext(SchemaExtension):
    """Gives each operation of a socket a context of its own, as each request has one."""

    def on_operation(self) -> Iterator[None]:
        operation = self.execution_context
        if operation.context.response is None:
            operation.context = operation.context.renewed()
        yield
