"""Passwords: setting one by a mailed link, changing it, asking for a new one.

Whoever sets a password ends every session, personal token and link of the member. No answer tells
whether an e-mail address belongs to a member.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, Field
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.errors import bad_request, unauthorized
from leadvibe.pipeline import password_mail
from leadvibe.pipeline.password_mail import INVITATION, LIFE, RESET
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.resolvers.throttle import Attempt
from leadvibe.store import access, proofs
from leadvibe.store.access_tables import PasswordLink

LONGEST_PASSWORD = 1_000
SHORTEST_PASSWORD = 8
_BETWEEN_RESETS = timedelta(minutes=1)


class NewPassword(BaseModel):
    """A password, and the secret of the link that may set it."""

    token: str = Field(description="The secret of the mailed link.")
    password: str = Field(
        min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD, description="8 characters at least."
    )


class PasswordChange(BaseModel):
    """The caller's old and new password."""

    current_password: str = Field(max_length=LONGEST_PASSWORD, description="As it is now.")
    new_password: str = Field(
        min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD, description="8 characters at least."
    )


class ResetRequest(BaseModel):
    """Whose password was forgotten."""

    email: str = Field(max_length=320, description="The member's e-mail address.")


@operation(Permission.PUBLIC)
async def request_password_reset(context: Context, values: ResetRequest) -> None:
    """Mails a link to the member with this address, if there is one. Either way the answer is the same, and as fast."""
    await Attempt(context, "reset", values.email).begin()
    context.services.background.start(_ask(context, values.email))


@operation(Permission.PUBLIC)
async def set_password(context: Context, values: NewPassword) -> None:
    """Sets the password of the member whose link it is, once; 400 for a link that is used, replaced or expired.

    Whoever failed to log in before, and was throttled, may try again with it at once.
    """
    services = context.services
    async with services.database.session() as session:
        if await proofs.link_by_token(session, values.token, datetime.now(UTC)) is None:
            raise _void_link()
    password_hash = await services.authenticator.hash(values.password)
    async with services.database.session() as session, session.begin():
        link = await proofs.link_by_token(session, values.token, datetime.now(UTC))
        if link is None:
            raise _void_link()
        await proofs.set_password(session, link.org_member_id, password_hash, verified=True)
        standing = await access.standing(session, link.org_member_id)
    if standing is not None:
        await Attempt(context, "login", standing.member.email).succeeded()


@operation(Permission.MEMBER)
async def change_password(context: Context, values: PasswordChange) -> str:
    """A bearer token for the member, whose other tokens are void now; 400 when the old password is wrong."""
    services = context.services
    async with services.database.session() as session:
        standing = await access.standing(session, context.caller.actor)
    if standing is None:
        raise unauthorized()
    member = standing.member
    attempt = Attempt(context, "change", member.email)
    await attempt.begin()
    if not await services.authenticator.matches(member.password_hash, values.current_password):
        raise bad_request("The current password is wrong.", current_password="is wrong")  # noqa: S106
    await attempt.succeeded()
    password_hash = await services.authenticator.hash(values.new_password)
    async with services.database.session() as session, session.begin():
        version = await proofs.set_password(session, member.org_member_id, password_hash)
    return services.authenticator.tokens.issue(member.org_member_id, member.org_id, datetime.now(UTC), version)


async def invite(session: AsyncSession, org_member_id: str) -> None:
    """Lets an invitation be mailed, once the caller's transaction is committed."""
    now = datetime.now(UTC)
    link = PasswordLink(
        org_member_id=org_member_id, purpose=INVITATION, created_at=now, due_at=now, expires_at=now + LIFE[INVITATION]
    )
    await proofs.ask_for_link(session, link, unless_since=now)


async def mail_links(context: Context, org_member_id: str) -> None:
    """Mails what waits for the member; the scheduler comes back to what fails."""
    services = context.services
    await password_mail.send_due(services.database, services.settings, datetime.now(UTC), org_member_id)


async def _ask(context: Context, email: str) -> None:
    now = datetime.now(UTC)
    async with context.services.database.session() as session, session.begin():
        member = None if "\0" in email else await access.member_by_email(session, email)
        if member is None:
            return
        link = PasswordLink(
            org_member_id=member.org_member_id, purpose=RESET, created_at=now, due_at=now, expires_at=now + LIFE[RESET]
        )
        await proofs.ask_for_link(session, link, unless_since=now - _BETWEEN_RESETS)
    await mail_links(context, member.org_member_id)


def _void_link() -> Exception:
    return bad_request("The link was used, has expired, or was replaced by a newer one.", code="invalid_link")
