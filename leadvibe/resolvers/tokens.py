"""JSON Web Tokens of members: HS256 with a secret, RS256 or ES256 with a key pair."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Self

import jwt
from sqlalchemy.dialects.postgresql import insert

from leadvibe.config import Settings
from leadvibe.errors import ApiError, unauthorized
from leadvibe.store import access
from leadvibe.store.database import Database
from leadvibe.store.tables import ServerSecret

_ISSUER = "leadvibe"
_SECRET_NAME = "jwt_secret"  # noqa: S105  (a name, not a secret)


class Claims(NamedTuple):
    """What a valid token says. `version` is None in tokens of another service, which count none."""

    org_member_id: str
    version: int | None


@dataclass(frozen=True, slots=True)
class Tokens:
    """`signing_key` is None when tokens come from elsewhere and only the public key is known."""

    algorithm: str
    signing_key: str | None
    verifying_key: str
    ttl: timedelta

    @classmethod
    async def from_settings(cls, settings: Settings, database: Database) -> Self:
        """Raises ValueError for keys that are missing, not of the algorithm, or no pair."""
        ttl = timedelta(seconds=settings.jwt_ttl_seconds)
        if settings.jwt_algorithm == "HS256":
            secret = settings.jwt_secret or await _own_secret(database)
            return cls("HS256", secret, secret, ttl)
        if settings.jwt_public_key is None:
            raise ValueError(
                f"{settings.jwt_algorithm} needs LEADVIBE_JWT_PUBLIC_KEY (PEM), "
                "and LEADVIBE_JWT_PRIVATE_KEY where login should work."
            )
        _check_keys(settings.jwt_algorithm, settings.jwt_private_key, settings.jwt_public_key)
        return cls(settings.jwt_algorithm, settings.jwt_private_key, settings.jwt_public_key, ttl)

    def issue(self, org_member_id: str, org_id: str, now: datetime, version: int = 0) -> str:
        """A token of the member; it is good until it expires or the member's version is another."""
        if self.signing_key is None:
            raise ApiError(403, "login_elsewhere", "Tokens are issued by another service; log in there.")
        life = {"iat": now, "exp": now + self.ttl}
        claims = {"iss": _ISSUER, "sub": org_member_id, "org_id": org_id, "ver": version, **life}
        return jwt.encode(claims, self.signing_key, algorithm=self.algorithm)

    def claims_of(self, token: str) -> Claims:
        """The claims of a valid token; 401 for every other, also for one that names an audience."""
        try:
            claims = jwt.decode(
                token, self.verifying_key, algorithms=[self.algorithm], options={"require": ["sub", "exp"]}
            )
        except jwt.ExpiredSignatureError:
            raise unauthorized("The token has expired; log in again.") from None
        except jwt.InvalidTokenError:
            raise unauthorized() from None
        version = claims.get("ver", 0) if self.signing_key is not None else None
        return Claims(str(claims["sub"]), version)


def _check_keys(algorithm: str, private_key: str | None, public_key: str) -> None:
    """Signs something and verifies it. Otherwise a wrong key would be an error of every request."""
    known, text = jwt.get_algorithm_by_name(algorithm), b"leadvibe"
    try:
        verifying_key = known.prepare_key(public_key)
        are_pair = private_key is None or known.verify(
            text, verifying_key, known.sign(text, known.prepare_key(private_key))
        )
    except Exception:  # the libraries have many words for a text that is no such key
        raise ValueError(
            f"LEADVIBE_JWT_PUBLIC_KEY or LEADVIBE_JWT_PRIVATE_KEY is no {algorithm} key in PEM format."
        ) from None
    if not are_pair:
        raise ValueError("LEADVIBE_JWT_PUBLIC_KEY and LEADVIBE_JWT_PRIVATE_KEY are not a pair.")


async def _own_secret(database: Database) -> str:
    """The secret that the first process made; the table decides between two that start at once."""
    async with database.session() as session, session.begin():
        new = {"name": _SECRET_NAME, "value": secrets.token_urlsafe(48)}
        await session.exec(insert(ServerSecret).values(**new).on_conflict_do_nothing())
        secret = await access.server_secret(session, _SECRET_NAME)
    assert secret is not None
    return secret
