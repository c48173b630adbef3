"""Logging in, and choosing the organisational unit to work in."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel, Field

from leadvibe.errors import bad_request, not_found, unauthorized
from leadvibe.resolvers.authentication import NO_PASSWORD
from leadvibe.resolvers.caller import Caller, Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.resolvers.throttle import Attempt
from leadvibe.store import access

# What cookie-based logins of other versions left behind. `activeOu` is in use.
LEGACY_COOKIES = ("token", "access_token", "refresh_token", "auth_token", "session", "jwt")


class Login(BaseModel):
    """Who logs in, and its proof."""

    email: str = Field(description="The member's e-mail address.")
    password: str = Field(description="The member's password.")


@operation(Permission.PUBLIC)
async def login(context: Context, values: Login) -> str:
    """A bearer token for a member's e-mail and password; 401 does not say which of them is wrong, 429 ends guessing."""
    services = context.services
    attempt = Attempt(context, "login", values.email)
    await attempt.begin()
    if "\0" in values.email:
        raise unauthorized("Unknown e-mail or wrong password.")
    async with services.database.session() as session:
        member = await access.member_by_email(session, values.email)
    right = await services.authenticator.matches(member.password_hash if member else NO_PASSWORD, values.password)
    if member is None or not right:
        raise unauthorized("Unknown e-mail or wrong password.")
    await attempt.succeeded()
    return services.authenticator.tokens.issue(
        member.org_member_id, member.org_id, datetime.now(UTC), member.token_version
    )


@operation(Permission.PUBLIC, "set_active_ou")
async def set_active_unit(context: Context, unit_id: str) -> Caller:
    """The caller in that unit; 403 when it is no member of it, 404 when its organisation has no such unit.

    Public in the table, because the unit named by an outdated cookie must not refuse the way to a
    better one: the caller is verified here, against the new unit.
    """
    if not unit_id or "\0" in unit_id:
        raise bad_request("Name the organizational unit.", ouId="is required")
    credentials = context.credentials._replace(active_ou=unit_id)
    caller = await Context(context.services, credentials, context.ip).authenticate()
    if caller.unit_id != unit_id:
        raise bad_request("An API credential works in its own unit only.", ouId=f"must be {caller.unit_id}")
    return caller


async def in_unit(context: Context, unit_id: str) -> Context:
    """The request in the unit that its path names. 403 when the caller is no member of it, 404 when it is not
    of the caller's organisation, or not the credential's."""
    inside = Context(context.services, context.credentials._replace(active_ou=unit_id), context.ip)
    if (await inside.authenticate()).unit_id != unit_id:
        raise not_found(f"Organizational unit {unit_id}")
    return inside
