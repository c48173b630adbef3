"""From an `Authorization` header to a `Caller`: a bearer token or a credential pair.

Nothing of whether somebody may come in is remembered: who or what was removed is refused by the next
request, in every process. Only the slow proof that a secret has a hash is.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cachetools import LRUCache
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.requests import cookie_parser
from starlette.types import Scope

from leadvibe.errors import ApiError, forbidden, not_found, unauthorized
from leadvibe.resolvers.caller import Caller
from leadvibe.resolvers.requests import header
from leadvibe.resolvers.tokens import Tokens
from leadvibe.store import access, proofs
from leadvibe.store.access import Standing
from leadvibe.store.coalesced import Coalesced
from leadvibe.store.database import Database

PERSONAL = "lv_pat_"

_PROVEN_PAIRS = 10_000
# argon2 takes some 50 ms and 64 MiB for each hash: a flood of bad passwords must not take the machine.
_HASHES_AT_ONCE = 2

# The hash of a password that nobody has: who is unknown, or invited and without a password yet, is refused after the
# same time as a wrong password, so that nobody learns which addresses are members'.
NO_PASSWORD = "$argon2id$v=19$m=65536,t=3,p=4$NibWUHHVvYDu2QGV0smAEQ$3TQfeo+zCjvNysTNE/Bf48/pVH4m5vXPzIBIHLHr55g"  # noqa: S105

_hasher = PasswordHasher()


class Credentials(NamedTuple):
    """What a request says of its sender, as it came: the header, the `activeOu` cookie, X-Unit-Id."""

    authorization: str | None = None
    active_ou: str | None = None
    unit_header: str | None = None

    @classmethod
    def of(cls, scope: Scope) -> Credentials:
        cookie = header(scope, b"cookie")
        active_ou = cookie_parser(cookie).get("activeOu") if cookie else None
        return cls(header(scope, b"authorization"), active_ou, header(scope, b"x-unit-id"))


class _Proven(NamedTuple):
    """A pair that was sent: whose it says it is, and the hash that its secret was found to have."""

    client_id: str
    secret_hash: str


class _Credential(NamedTuple):
    """A credential as it is stored now, and who calls with it."""

    secret_hash: str
    caller: Caller


@dataclass(slots=True)
class Authenticator:
    """Verifies credentials; one for each process."""

    database: Database
    tokens: Tokens
    # By the SHA-256 of a pair as it was sent.
    _proven: LRUCache[bytes, _Proven] = field(default_factory=lambda: LRUCache(_PROVEN_PAIRS))
    _proving: dict[bytes, asyncio.Task[bool]] = field(default_factory=dict)
    _hashing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_HASHES_AT_ONCE))
    _pairs: Coalesced[str, _Credential] = field(init=False)

    def __post_init__(self) -> None:
        self._pairs = Coalesced(self._read_pairs)

    async def caller(self, credentials: Credentials) -> Caller:
        """Raises 401 for absent or wrong credentials; a unit that is not the caller's is refused once it is needed."""
        scheme, _, value = (credentials.authorization or "").partition(" ")
        match scheme.lower():
            case "basic":
                return await self._credential(value)
            case "bearer":
                return await self._member(value.strip(), credentials)
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
        proven = self._proven.get(key)
        client_id = proven.client_id if proven is not None else _pair(encoded)[0]
        stored = await self._pairs.get(client_id)
        if stored is None:
            raise unauthorized()
        if proven is None or proven.secret_hash != stored.secret_hash:
            if not await self._proves(key, _pair(encoded)[1], stored.secret_hash):
                raise unauthorized()
            self._proven[key] = _Proven(client_id, stored.secret_hash)
        return stored.caller

    async def _proves(self, key: bytes, client_secret: str, secret_hash: str) -> bool:
        # Requests with the same pair wait for one hash: hundreds may come at once.
        if (task := self._proving.get(key)) is None:
            task = self._proving[key] = asyncio.create_task(self.matches(secret_hash, client_secret))
            task.add_done_callback(lambda _: self._proving.pop(key))
        return await asyncio.shield(task)

    async def _read_pairs(self, client_ids: Sequence[str]) -> dict[str, _Credential]:
        found = await proofs.pairs(self.database.pool, client_ids)
        return {
            client_id: _Credential(
                pair.secret_hash, Caller(pair.org_id, pair.secret_id, None, pair.unit_id, "Operator", name=client_id)
            )
            for client_id, pair in found.items()
        }

    async def _member(self, token: str, credentials: Credentials) -> Caller:
        async with self.database.session() as session:
            standing = await self._standing(session, token)
            if standing is None:
                raise unauthorized()
            member, units = standing.member, standing.units
            unit_id = credentials.active_ou or credentials.unit_header or None
            if unit_id is None and len(units) == 1:
                unit_id = next(iter(units))
            if unit_id is not None and unit_id not in units:
                refusal = await _refusal(session, unit_id, member.org_id)
                return Caller(member.org_id, member.org_member_id, member.role, None, None, refusal, member.email)
        role = units[unit_id] if unit_id is not None else None
        return Caller(member.org_id, member.org_member_id, member.role, unit_id, role, name=member.email)

    async def _standing(self, session: AsyncSession, token: str) -> Standing | None:
        """The member that a personal or an issued token proves, unless it was voided."""
        if token.startswith(PERSONAL):
            org_member_id = await proofs.member_by_token(session, token, datetime.now(UTC))
            return None if org_member_id is None else await access.standing(session, org_member_id)
        claims = self.tokens.claims_of(token)
        standing = await access.standing(session, claims.org_member_id)
        if standing is not None and claims.version not in (None, standing.member.token_version):
            return None
        return standing


async def _refusal(session: AsyncSession, unit_id: str, org_id: str) -> ApiError:
    # A quoted cookie may carry a NUL, which PostgreSQL's text cannot.
    if "\0" in unit_id or await access.unit_of_org(session, unit_id, org_id) is None:
        return not_found(f"Organizational unit {unit_id}")
    return forbidden(f"You are not a member of organizational unit {unit_id}.", code="not_a_member")


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
