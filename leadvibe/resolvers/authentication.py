"""From an `Authorization` header to a `Caller`: bearer token or HTTP Basic with a credential pair."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cachetools import LRUCache
from starlette.requests import cookie_parser

from leadvibe.errors import forbidden, not_found, unauthorized
from leadvibe.resolvers.caller import Caller
from leadvibe.resolvers.tokens import Tokens
from leadvibe.store import access
from leadvibe.store.database import Database

# How long a verified pair is trusted without looking at the database: a deleted credential lives on this
# long. While its stored hash stays the same, a pair is never hashed again.
_TRUST_SECONDS = 10.0
_TRUSTED_PAIRS = 10_000
# argon2 takes some 50 ms and 64 MiB for each hash: a flood of bad passwords must not take the machine.
_HASHES_AT_ONCE = 2

_HEADERS = frozenset({b"authorization", b"cookie", b"x-unit-id"})

_hasher = PasswordHasher()


class Credentials(NamedTuple):
    """What a request says of its sender, as it came: the header, the `activeOu` cookie, X-Unit-Id."""

    authorization: str | None = None
    active_ou: str | None = None
    unit_header: str | None = None

    @classmethod
    def of(cls, headers: Iterable[tuple[bytes, bytes]]) -> Credentials:
        """From the raw headers of a request, lower case names, in one pass."""
        found = {name: value.decode("latin-1") for name, value in headers if name in _HEADERS}
        cookie = found.get(b"cookie")
        active_ou = cookie_parser(cookie).get("activeOu") if cookie else None
        return cls(found.get(b"authorization"), active_ou, found.get(b"x-unit-id"))


@dataclass(frozen=True, slots=True)
class _Verified:
    """A pair that matched `secret_hash`, and the (monotonic) time until which that is taken for granted."""

    caller: Caller
    secret_hash: str
    until: float


@dataclass(slots=True)
class Authenticator:
    """Verifies credentials; one for each process."""

    database: Database
    tokens: Tokens
    _verified: LRUCache[bytes, _Verified] = field(default_factory=lambda: LRUCache(_TRUSTED_PAIRS))
    _verifying: dict[bytes, asyncio.Task[Caller]] = field(default_factory=dict)
    _hashing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_HASHES_AT_ONCE))

    async def caller(self, credentials: Credentials) -> Caller:
        """Raises 401 for absent or wrong credentials, 403 or 404 for a unit that is not the caller's."""
        scheme, _, value = (credentials.authorization or "").partition(" ")
        match scheme.lower():
            case "basic":
                return await self._credential(value)
            case "bearer":
                return await self._member(self.tokens.member_of(value.strip()), credentials)
            case _:
                raise unauthorized("Send a bearer token, or a client id and secret as HTTP Basic.")

    async def hash(self, password: str) -> str:
        async with self._hashing:
            return await asyncio.to_thread(_hasher.hash, password)

    async def matches(self, password_hash: str, password: str) -> bool:
        async with self._hashing:
            return await asyncio.to_thread(_matches, password_hash, password)

    async def _credential(self, encoded: str) -> Caller:
        key = hashlib.sha256(encoded.encode()).digest()
        known = self._verified.get(key)
        if known is not None and time.monotonic() < known.until:
            return known.caller
        # Requests with the same pair wait for one verification: hundreds may come at once.
        if (task := self._verifying.get(key)) is None:
            task = self._verifying[key] = asyncio.create_task(self._verify(key, encoded))
            task.add_done_callback(lambda _: self._verifying.pop(key))
        return await asyncio.shield(task)

    async def _verify(self, key: bytes, encoded: str) -> Caller:
        known = self._verified.pop(key, None)
        client_id, client_secret = _pair(encoded)
        async with self.database.session() as session:
            found = await access.credential_with_org(session, client_id)
        if found is None:
            raise unauthorized()
        credential, org_id = found
        unchanged = known is not None and known.secret_hash == credential.secret_hash
        if not unchanged and not await self.matches(credential.secret_hash, client_secret):
            raise unauthorized()
        caller = Caller(org_id, credential.secret_id, None, credential.unit_id, "Operator")
        self._verified[key] = _Verified(caller, credential.secret_hash, time.monotonic() + _TRUST_SECONDS)
        return caller

    async def _member(self, org_member_id: str, credentials: Credentials) -> Caller:
        async with self.database.session() as session:
            standing = await access.standing(session, org_member_id)
            if standing is None:
                raise unauthorized()
            member, units = standing.member, standing.units
            unit_id = credentials.active_ou or credentials.unit_header
            if unit_id is None and len(units) == 1:
                unit_id = next(iter(units))
            if unit_id is not None and unit_id not in units:
                # A quoted cookie may carry a NUL, which PostgreSQL's text cannot.
                if "\0" in unit_id or await access.unit_of_org(session, unit_id, member.org_id) is None:
                    raise not_found(f"Organizational unit {unit_id}")
                raise forbidden(f"You are not a member of organizational unit {unit_id}.", code="not_a_member")
        role = units[unit_id] if unit_id is not None else None
        return Caller(member.org_id, org_member_id, member.role, unit_id, role)


def _matches(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def _pair(encoded: str) -> tuple[str, str]:
    try:
        client_id, colon, client_secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:  # not base64, not ASCII, or not UTF-8 inside
        raise unauthorized("The Basic credentials are not base64 of client_id:client_secret.") from None
    if not colon or "\0" in client_id:
        raise unauthorized("The Basic credentials are not base64 of client_id:client_secret.")
    return client_id, client_secret
