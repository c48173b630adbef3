"""Personal access tokens: a member's own, for scripts and assistants that act as that member."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from pydantic import BaseModel, Field
from sqlmodel import col, delete, func, select

from leadvibe.errors import bad_request, conflict, not_found
from leadvibe.ids import new_id
from leadvibe.resolvers.authentication import PERSONAL
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.resolvers.family import StoredText
from leadvibe.store import proofs
from leadvibe.store.access_tables import PersonalAccessToken
from leadvibe.times import Moment

MOST_TOKENS = 50


class TokenRequest(BaseModel):
    """What a client says of a personal token."""

    name: StoredText = Field(min_length=1, max_length=100, description="What it is for.")
    expires_at: Moment | None = Field(default=None, description="When it ends; null: never.")


class PersonalTokenView(BaseModel):
    """A personal token, without its text."""

    id: str = Field(description="Its id.")
    name: str = Field(description="What it is for.")
    created_at: datetime = Field(description="When it was made.")
    expires_at: datetime | None = Field(description="When it ends; null: never.")
    last_used_at: datetime | None = Field(description="When it was last used, to the minute.")


class NewPersonalToken(PersonalTokenView):
    """A personal token as it is shown once, with its text."""

    token: str = Field(description="Send it as `Authorization: Bearer <token>`. It is shown here and never again.")


@operation(Permission.MEMBER)
async def list_personal_tokens(context: Context) -> list[PersonalTokenView]:
    """The caller's tokens, expired ones too, the oldest first."""
    query = select(PersonalAccessToken).where(PersonalAccessToken.org_member_id == context.caller.actor)
    query = query.order_by(col(PersonalAccessToken.created_at), col(PersonalAccessToken.token_id))
    async with context.services.database.session() as session:
        return [_view(row) for row in await session.exec(query)]


@operation(Permission.MEMBER)
async def issue_personal_token(context: Context, values: TokenRequest) -> NewPersonalToken:
    """A new token of the caller. 409 when it has 50."""
    now, member = datetime.now(UTC), context.caller.actor
    if values.expires_at is not None and values.expires_at <= now:
        raise bad_request("The token would have expired already.", expires_at="must be in the future")
    token = PERSONAL + secrets.token_urlsafe(32)
    row = PersonalAccessToken(
        token_id=new_id("pat"),
        org_member_id=member,
        name=values.name,
        token_hash=proofs.digest(token),
        created_at=now,
        expires_at=values.expires_at,
    )
    count = select(func.count()).select_from(PersonalAccessToken).where(PersonalAccessToken.org_member_id == member)
    async with context.services.database.session() as session, session.begin():
        if (await session.exec(count)).one() >= MOST_TOKENS:
            raise conflict(f"{MOST_TOKENS} tokens are the most; revoke one first.", code="too_many_tokens")
        session.add(row)
    return NewPersonalToken(**_view(row).model_dump(), token=token)


@operation(Permission.MEMBER)
async def revoke_personal_token(context: Context, token_id: str) -> None:
    """Ends a token of the caller at once; 404 when it has no such token."""
    ended = delete(PersonalAccessToken).where(
        col(PersonalAccessToken.token_id) == token_id, col(PersonalAccessToken.org_member_id) == context.caller.actor
    )
    async with context.services.database.session() as session, session.begin():
        if not (await session.exec(ended)).rowcount:
            raise not_found(f"The token {token_id}")


def _view(row: PersonalAccessToken) -> PersonalTokenView:
    return PersonalTokenView(
        id=row.token_id,
        name=row.name,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )
