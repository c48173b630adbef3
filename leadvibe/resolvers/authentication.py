"""From an `Authorization` header to a `Caller`: bearer token or HTTP Basic with a credential pair."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from dataclasses import dataclass, field

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cachetools import TTLCache

from leadvibe.errors import forbidden, not_found, unauthorized
from leadvibe.resolvers.caller import Caller
from leadvibe.resolvers.tokens import Tokens
from leadvibe.store import access
from leadvibe.store.database import Database

# How long a verified pair is trusted without hashing again; a deleted credential lives on this long.
_TRUST_SECONDS = 30
_TRUSTED_PAIRS = 10_000
# argon2 takes some 50 ms and 64 MiB for each hash: a flood of bad passwords must not take the machine.
_HASHES_AT_ONCE = 2

_hasher = PasswordHasher()


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request says of its sender, as it came: the header, the `activeOu` cookie, X-Unit-Id."""

    authorization: str | None = None
    active_ou: str | None = None
    unit_header: str | None = None


@dataclass(slots=True)
class Authenticator:
    """Verifies credentials; one for each process."""

    database: Database
    tokens: Tokens
    _trusted: TTLCache[bytes, Caller] = field(default_factory=lambda: TTLCache(_TRUSTED_PAIRS, _TRUST_SECONDS))
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
        if trusted := self._trusted.get(key):
            return trusted
        client_id, client_secret = _pair(encoded)
        async with self.database.session() as session:
            found = await access.credential_with_org(session, client_id)
        if found is None or not await self.matches(found[0].secret_hash, client_secret):
            raise unauthorized()
        credential, org_id = found
        caller = Caller(org_id, credential.secret_id, None, credential.unit_id, "Operator")
        self._trusted[key] = caller
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
