"""What GraphQL resolvers are given: the resolvers' context, and what one operation loads only once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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


@dataclass(slots=True)
class GraphQLContext(Context):
    """The context of one operation. `response` takes cookies; over a WebSocket there is none. `base_url`: this
    server as the client knows it.
    `connection_params` is where Strawberry puts the connection_init payload."""

    response: Response | None = None
    secure: bool = False
    base_url: str = ""
    connection_params: Mapping[str, Any] | None = None
    _rulesets: asyncio.Future[Sequence[Ruleset]] | None = None
    _levels: asyncio.Future[list[Level]] | None = None
    _profile_rulesets: asyncio.Future[Sequence[ProfileRuleset]] | None = None
    _profile_levels: asyncio.Future[list[Level]] | None = None
    _account_levels: asyncio.Future[list[Level]] | None = None
    _leads: DataLoader[str, Lead | None] | None = None
    _events: DataLoader[str, EngagementEvent | None] | None = None
    _firings: DataLoader[str, TriggerFiring | None] | None = None
    _families: DataLoader[Family[Any], Sequence[Any]] | None = None
    _aliases: DataLoader[str, list[LeadAlias]] | None = None
    _session_counts: DataLoader[tuple[str, TimeRange], int] | None = None
    _accounts: DataLoader[str, Account | None] | None = None
    _account_figures: DataLoader[str, AccountFigures | None] | None = None

    @classmethod
    def of(cls, connection: HTTPConnection, response: Response | None) -> Self:
        secure = connection.url.scheme == "https"
        credentials = Credentials.of(connection.scope)
        ip = connection.client.host if connection.client else ""
        return cls(
            connection.app.state.services,
            credentials,
            ip,
            response=response,
            secure=secure,
            base_url=str(connection.base_url),
        )

    def take_connection_params(self) -> None:
        """Takes the credentials of connection_init, where a browser puts what it cannot put into headers."""
        given = {name.lower(): value for name, value in (self.connection_params or {}).items()}
        self.credentials = self.credentials._replace(
            authorization=_text(given.get("authorization")) or self.credentials.authorization,
            unit_header=_text(given.get("x-unit-id")) or self.credentials.unit_header,
        )

    def renewed(self) -> Self:
        """The same sender, not yet verified: each operation of a socket is checked for itself."""
        return replace(
            self,
            _caller=None,
            _admission=None,
            _rulesets=None,
            _levels=None,
            _profile_rulesets=None,
            _profile_levels=None,
            _account_levels=None,
            _leads=None,
            _events=None,
            _firings=None,
            _families=None,
            _aliases=None,
            _session_counts=None,
            _accounts=None,
            _account_figures=None,
        )

    def rulesets(self) -> asyncio.Future[Sequence[Ruleset]]:
        """The unit's engagement rulesets."""
        if self._rulesets is None:
            self._rulesets = asyncio.ensure_future(RULESETS.list(self))
        return self._rulesets

    def profile_rulesets(self) -> asyncio.Future[Sequence[ProfileRuleset]]:
        """The unit's profile rulesets."""
        if self._profile_rulesets is None:
            self._profile_rulesets = asyncio.ensure_future(PROFILE_RULESETS.list(self))
        return self._profile_rulesets

    def profile_levels(self) -> asyncio.Future[list[Level]]:
        """The unit's profile levels."""
        if self._profile_levels is None:
            self._profile_levels = asyncio.ensure_future(self._load_levels(PROFILE_LEVELS))
        return self._profile_levels

    def account_levels(self) -> asyncio.Future[list[Level]]:
        """The unit's account levels."""
        if self._account_levels is None:
            self._account_levels = asyncio.ensure_future(self._load_levels(ACCOUNT_LEVELS))
        return self._account_levels

    def levels(self) -> asyncio.Future[list[Level]]:
        """The unit's engagement levels."""
        if self._levels is None:
            self._levels = asyncio.ensure_future(self._load_levels(LEVELS))
        return self._levels

    @property
    def leads(self) -> DataLoader[str, Lead | None]:
        """Leads by their ids, as they are at the time: a subscription asks for the same one again and again."""
        if self._leads is None:
            self._leads = self._found_by(leads.get_leads, cache=False)
        return self._leads

    @property
    def events(self) -> DataLoader[str, EngagementEvent | None]:
        """Events by their ids."""
        if self._events is None:
            self._events = self._found_by(events.get_events, cache=False)
        return self._events

    @property
    def firings(self) -> DataLoader[str, TriggerFiring | None]:
        """Firings by their ids."""
        if self._firings is None:
            self._firings = self._found_by(firings.get_firings, cache=False)
        return self._firings

    @property
    def families(self) -> DataLoader[Family[Any], Sequence[Any]]:
        """All rows of configuration families, as they are at the time: mutations of the same operation change them."""
        if self._families is None:
            self._families = DataLoader(self._load_families, cache=False)
        return self._families

    @property
    def aliases(self) -> DataLoader[str, list[LeadAlias]]:
        """The aliases of leads, by the leads' ids."""
        if self._aliases is None:
            self._aliases = DataLoader(self._load_aliases)
        return self._aliases

    @property
    def session_counts(self) -> DataLoader[tuple[str, TimeRange], int]:
        """How many sessions leads had, by the leads' ids and a range."""
        if self._session_counts is None:
            self._session_counts = DataLoader(self._load_session_counts)
        return self._session_counts

    @property
    def accounts(self) -> DataLoader[str, Account | None]:
        """The accounts of leads, by their ids."""
        if self._accounts is None:
            self._accounts = self._found_by(leads.get_lead_accounts)
        return self._accounts

    @property
    def account_figures(self) -> DataLoader[str, AccountFigures | None]:
        """What the leads of accounts add up to, by the accounts' ids."""
        if self._account_figures is None:
            self._account_figures = self._found_by(accounts.get_account_figures)
        return self._account_figures

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


def _text(value: Any) -> str | None:
    """The text of a connection_init field; a NUL, which no header can carry, names nothing."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else None


class OperationContext(SchemaExtension):
    """Gives each operation a context of its own, also those that share a socket."""

    def on_operation(self) -> Iterator[None]:
        operation = self.execution_context
        operation.context = operation.context.renewed()
        yield
