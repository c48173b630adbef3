"""What a resolver is given, and the registry of operations that both doors share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import update_wrapper
from typing import Any, Concatenate, ParamSpec, TypeVar

from leadvibe import logs
from leadvibe.config import Settings
from leadvibe.crypto import Vault
from leadvibe.errors import ApiError
from leadvibe.live.hub import Hub
from leadvibe.pipeline.audit_trail import AuditTrail
from leadvibe.pipeline.background import Background
from leadvibe.pipeline.buffer import IngestBuffer
from leadvibe.pipeline.rate_limit import RateLimiter
from leadvibe.resolvers import requests
from leadvibe.resolvers.authentication import Authenticator, Credentials
from leadvibe.resolvers.caller import Caller, Permission
from leadvibe.store.database import Database


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of the running process that resolvers use."""

    settings: Settings
    database: Database
    authenticator: Authenticator
    buffer: IngestBuffer
    hub: Hub
    vault: Vault
    trail: AuditTrail
    limiter: RateLimiter
    background: Background = field(default_factory=Background)


@dataclass(slots=True)
class Context:
    """One request (or one socket): its services and its sender, verified when first needed.

    `ip` is the client's address, of the proxy's word where the proxy is trusted.
    """

    services: Services
    credentials: Credentials = field(default_factory=Credentials)
    ip: str = ""
    _caller: Caller | None = None
    _refusal: ApiError | None = None
    _admission: asyncio.Future[None] | None = None

    @property
    def caller(self) -> Caller:
        """The verified sender; an operation that is not public finds it here."""
        assert self._caller is not None, "authenticate() comes first"
        return self._caller

    async def authenticate(self) -> Caller:
        """Verifies the sender and takes it against its rate limit, once however many ask. Raises 401, or 429."""
        if self._refusal is not None:
            raise self._refusal
        if self._caller is None:
            try:
                self._caller = await self._verified()
            except ApiError as refusal:
                self._refusal = refusal
                raise
        return self._caller

    async def _verified(self) -> Caller:
        limiter = self.services.limiter
        if limiter.by_address:  # also before a password is looked at, which costs
            await self._admit(self.ip)
        caller = await self.services.authenticator.caller(self.credentials)
        requests.identify(caller)
        if limiter.by_caller:
            await self._admit(self.rate_key(caller))
        logs.bind(unit=caller.active_unit)
        return caller

    def rate_key(self, caller: Caller) -> str:
        """By what the caller's requests are counted; without an active unit, a limit of units is one of its
        organisation."""
        match self.services.settings.rate_limit_key:
            case "ip":
                return self.ip
            case "client":
                return caller.actor
            case "ou":
                return caller.active_unit or caller.org_id
            case "org":
                return caller.org_id

    async def _admit(self, key: str) -> None:
        if self._admission is None:
            self._admission = asyncio.ensure_future(self.services.limiter.admit(key))
        # The fields of one operation wait together, and one of them that is given up takes none with it.
        await asyncio.shield(self._admission)


@dataclass(frozen=True, slots=True)
class Operation:
    """A registered operation: its name and what it asks of the caller."""

    name: str
    permission: Permission


OPERATIONS: dict[str, Operation] = {}

P = ParamSpec("P")
T = TypeVar("T")
# The context goes first and by position, whatever a resolver calls it.
Resolver = Callable[Concatenate[Context, P], Coroutine[Any, Any, T]]


def operation(permission: Permission, name: str | None = None) -> Callable[[Resolver[P, T]], Resolver[P, T]]:
    """Registers a resolver under its name and checks the caller's permission before it runs."""

    def register(resolver: Resolver[P, T]) -> Resolver[P, T]:
        entry = Operation(name or resolver.__name__, permission)
        assert entry.name not in OPERATIONS, f"{entry.name} is registered twice"
        OPERATIONS[entry.name] = entry

        async def guarded(context: Context, /, *args: P.args, **kwargs: P.kwargs) -> T:
            if permission is not Permission.PUBLIC:
                (await context.authenticate()).require(permission)
            return await resolver(context, *args, **kwargs)

        update_wrapper(guarded, resolver)
        return guarded

    return register
