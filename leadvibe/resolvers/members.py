"""The people of an organisation: who they are, what they may do, and their end of access."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, validate_email
from sqlalchemy.exc import IntegrityError
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.errors import bad_request, conflict, not_found, unauthorized
from leadvibe.ids import new_id
from leadvibe.resolvers import passwords
from leadvibe.resolvers.authentication import NO_PASSWORD
from leadvibe.resolvers.caller import Caller, Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.resolvers.family import StoredText
from leadvibe.resolvers.memberships import UnitRole
from leadvibe.resolvers.passwords import LONGEST_PASSWORD, SHORTEST_PASSWORD
from leadvibe.store import access, organisation, proofs
from leadvibe.store.tables import Member, Membership

OrgRole = Literal["admin", "editor", "viewer"]
Name = Annotated[StoredText, Field(max_length=200)]


def _address(text: str) -> str:
    return validate_email(text.strip())[1].lower()


Email = Annotated[StoredText, AfterValidator(_address)]


class UnitRoleView(BaseModel):
    """A unit that a member belongs to."""

    unit_id: str = Field(description="The unit.")
    unit_name: str = Field(description="Its name.")
    role: UnitRole = Field(description="Owner, Operator or Viewer.")


class PersonView(BaseModel):
    """A person of the organisation."""

    org_member_id: str = Field(description="Its id.")
    first_name: str = Field(description="Given name.")
    last_name: str = Field(description="Family name.")
    email: str = Field(description="E-mail address, lower case.")
    role: OrgRole = Field(description="In the organisation: admin, editor or viewer.")


class Me(PersonView):
    """The caller, as a person."""

    verified: bool = Field(description="Whether the e-mail address is known to be the member's.")


class MemberView(PersonView):
    """A person of the organisation, with its units."""

    ou_memberships: list[UnitRoleView] = Field(description="The units it belongs to.")
    created_at: datetime = Field(description="When it was added.")


class Invitation(BaseModel):
    """A new member, which sets its own password by the link that is mailed to it."""

    first_name: Name = Field(description="Given name.")
    last_name: Name = Field(description="Family name.")
    email: Email = Field(description="E-mail address; it belongs to one member of one organisation.")
    role: OrgRole = Field(description="admin, editor or viewer.")


class NewMember(Invitation):
    """A new member with a first password."""

    password: str = Field(
        min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD, description="8 characters at least."
    )


class MemberChanges(BaseModel):
    """Changes of a member; what is left out stays."""

    first_name: Name | None = Field(default=None, description="Given name.")
    last_name: Name | None = Field(default=None, description="Family name.")
    email: Email | None = Field(default=None, description="E-mail address.")
    role: OrgRole | None = Field(default=None, description="admin, editor or viewer.")


@operation(Permission.MEMBER)
async def get_me(context: Context) -> Me:
    """The caller."""
    async with context.services.database.session() as session:
        standing = await access.standing(session, context.caller.actor)
    if standing is None:
        raise unauthorized()
    return Me.model_validate(standing.member, from_attributes=True)


@operation(Permission.MEMBER)
async def list_members(context: Context) -> list[MemberView]:
    """All members of the organisation, the oldest first."""
    org_id = context.caller.org_id
    async with context.services.database.session() as session:
        people = await organisation.members(session, org_id)
        names = {unit.unit_id: unit.name for unit in await organisation.units(session, org_id)}
        held: dict[str, list[UnitRoleView]] = {member.org_member_id: [] for member in people}
        for row in await organisation.memberships(session, list(names)):
            if row.org_member_id in held:
                view = UnitRoleView(unit_id=row.unit_id, unit_name=names[row.unit_id], role=row.role)
                held[row.org_member_id].append(view)
    return [
        MemberView(
            **PersonView.model_validate(member, from_attributes=True).model_dump(),
            ou_memberships=held[member.org_member_id],
            created_at=member.created_at,
        )
        for member in people
    ]


@operation(Permission.ADMIN)
async def create_member(context: Context, values: NewMember) -> PersonView:
    """A new member with a password that somebody chose for it. It is invited by e-mail to set its own."""
    return await _add(context, values, await context.services.authenticator.hash(values.password))


@operation(Permission.ADMIN)
async def invite_member(context: Context, values: Invitation) -> PersonView:
    """A new member that cannot log in before it has set its password by the mailed link."""
    return await _add(context, values, NO_PASSWORD)


@operation(Permission.ADMIN)
async def resend_invitation(context: Context, org_member_id: str) -> None:
    """Mails another link to a member that has not yet confirmed its address; the last one is void. 409 if it has."""
    async with context.services.database.session() as session, session.begin():
        member = await _found(session, context.caller, org_member_id)
        if member.verified:
            raise conflict("The member has confirmed its e-mail address.", code="already_verified")
        await passwords.invite(session, org_member_id)
    context.services.background.start(passwords.mail_links(context, org_member_id))


@operation(Permission.ADMIN)
async def update_member(context: Context, org_member_id: str, values: MemberChanges) -> PersonView:
    """The member after the change. 409 for an address that is taken, and for the last admin's demotion.

    Links that were mailed to another address are void.
    """
    given = values.model_dump(exclude_unset=True)
    if nulls := [name for name, value in given.items() if value is None]:
        raise bad_request("A field that must have a value is null.", **dict.fromkeys(nulls, "must not be null"))
    caller = context.caller
    async with _unique_email(context) as session:
        await organisation.hold_organisation(session, caller.org_id)
        member = await _found(session, caller, org_member_id)
        if member.role == "admin" and given.get("role", "admin") != "admin":
            await _keep_an_admin(session, member)
        if given.get("email", member.email) != member.email:
            await proofs.void_links(session, org_member_id)
            member.verified = False
        for name, value in given.items():
            setattr(member, name, value)
    return PersonView.model_validate(member, from_attributes=True)


@operation(Permission.ADMIN)
async def remove_member(context: Context, org_member_id: str) -> None:
    """Ends all access of a member at once. 409 for the last admin.

    Units that would have no Owner left get the caller as one; who removes itself must see to them first (409).
    """
    caller = context.caller
    async with context.services.database.session() as session, session.begin():
        await organisation.hold_organisation(session, caller.org_id)
        member = await _found(session, caller, org_member_id)
        if member.role == "admin":
            await _keep_an_admin(session, member)
        await _keep_owners(session, caller, member)
        await proofs.void(session, org_member_id)
        await session.delete(member)


async def _add(context: Context, values: Invitation, password_hash: str) -> PersonView:
    member = Member(
        org_member_id=new_id("mem"),
        org_id=context.caller.org_id,
        first_name=values.first_name,
        last_name=values.last_name,
        email=values.email,
        password_hash=password_hash,
        role=values.role,
        verified=False,
    )
    async with _unique_email(context) as session:
        session.add(member)
        await session.flush()
        await passwords.invite(session, member.org_member_id)
    context.services.background.start(passwords.mail_links(context, member.org_member_id))
    return PersonView.model_validate(member, from_attributes=True)


@asynccontextmanager
async def _unique_email(context: Context) -> AsyncIterator[AsyncSession]:
    """A transaction; 409 when it gives a member an address that another has, in whatever organisation."""
    try:
        async with context.services.database.session() as session, session.begin():
            yield session
    except IntegrityError:
        raise conflict("The e-mail address belongs to a member already.", code="email_taken") from None


async def _found(session: AsyncSession, caller: Caller, org_member_id: str) -> Member:
    member = await organisation.member_of_org(session, org_member_id, caller.org_id)
    if member is None:
        raise not_found(f"Member {org_member_id}")
    return member


async def _keep_an_admin(session: AsyncSession, member: Member) -> None:
    if not await organisation.other_admins(session, member.org_id, member.org_member_id):
        raise conflict("The organization would have no admin left.", code="last_admin")


async def _keep_owners(session: AsyncSession, caller: Caller, member: Member) -> None:
    """Ends the member's memberships; the caller takes over the units that it alone owned."""
    unit_ids = [unit.unit_id for unit in await organisation.units(session, caller.org_id)]
    for row in await organisation.memberships(session, unit_ids, member.org_member_id):
        alone = row.role == "Owner" and not await organisation.other_owners(session, row.unit_id, row.org_member_id)
        if alone and member.org_member_id == caller.actor:
            raise conflict(f"Unit {row.unit_id} would have no Owner left.", code="last_owner")
        if alone:
            await session.merge(Membership(unit_id=row.unit_id, org_member_id=caller.actor, role="Owner"))
    await organisation.leave_units(session, unit_ids, member.org_member_id)
