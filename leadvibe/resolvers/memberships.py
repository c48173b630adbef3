"""Who belongs to a unit, and as what. The unit is the one that the request names: see `units.in_unit`.

An Operator assigns Operators and Viewers. Only an Owner makes, changes or removes an Owner: an Operator
could otherwise give itself what only Owners may. A unit never loses its last Owner.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.errors import conflict, forbidden, not_found
from leadvibe.resolvers.caller import Caller, Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.resolvers.family import StoredText
from leadvibe.store import organisation
from leadvibe.store.tables import Membership

UnitRole = Literal["Owner", "Operator", "Viewer"]


class MembershipView(BaseModel):
    """A member of a unit, with its role there."""

    org_member_id: str = Field(description="The member.")
    first_name: str = Field(description="Given name.")
    last_name: str = Field(description="Family name.")
    email: str = Field(description="E-mail address.")
    unit_id: str = Field(description="The unit.")
    role: UnitRole = Field(description="Owner, Operator or Viewer.")
    created_at: datetime = Field(description="When the member was assigned.")


class Assignment(BaseModel):
    """Who is assigned to a unit, and as what."""

    org_member_id: StoredText = Field(min_length=1, description="The member.")
    role: UnitRole = Field(default="Viewer", description="Owner, Operator or Viewer.")


class RoleChange(BaseModel):
    """Another role in a unit."""

    role: UnitRole = Field(description="Owner, Operator or Viewer.")


@operation(Permission.MEMBER)
async def list_memberships(context: Context) -> list[MembershipView]:
    """The members of the unit, in the order in which they were assigned."""
    caller = context.caller
    async with context.services.database.session() as session:
        people = {member.org_member_id: member for member in await organisation.members(session, caller.org_id)}
        rows = await organisation.memberships(session, [caller.unit_id])
    return [
        MembershipView(
            org_member_id=row.org_member_id,
            first_name=member.first_name,
            last_name=member.last_name,
            email=member.email,
            unit_id=row.unit_id,
            role=row.role,
            created_at=row.created_at,
        )
        for row in rows
        if (member := people.get(row.org_member_id)) is not None
    ]


@operation(Permission.ASSIGN)
async def assign_member(context: Context, values: Assignment) -> None:
    """Makes a member of the organisation one of the unit, or gives it another role there."""
    caller = context.caller
    async with context.services.database.session() as session, session.begin():
        await organisation.hold_organisation(session, caller.org_id)
        if await organisation.member_of_org(session, values.org_member_id, caller.org_id) is None:
            raise not_found(f"Member {values.org_member_id}")
        row = await session.get(Membership, (caller.unit_id, values.org_member_id))
        await _check(session, caller, values.org_member_id, row, values.role)
        if row is None:
            row = Membership(unit_id=caller.unit_id, org_member_id=values.org_member_id, role=values.role)
            session.add(row)
        row.role = values.role


@operation(Permission.ASSIGN)
async def change_unit_role(context: Context, org_member_id: str, values: RoleChange) -> None:
    """Gives a member of the unit another role there; 404 when it is none."""
    caller = context.caller
    async with context.services.database.session() as session, session.begin():
        row = await _held(session, caller, org_member_id)
        await _check(session, caller, org_member_id, row, values.role)
        row.role = values.role


@operation(Permission.ASSIGN)
async def unassign_member(context: Context, org_member_id: str) -> None:
    """Ends a membership of the unit; 404 when there is none."""
    caller = context.caller
    async with context.services.database.session() as session, session.begin():
        row = await _held(session, caller, org_member_id)
        await _check(session, caller, org_member_id, row, None)
        await session.delete(row)


async def _held(session: AsyncSession, caller: Caller, org_member_id: str) -> Membership:
    await organisation.hold_organisation(session, caller.org_id)
    row = await session.get(Membership, (caller.unit_id, org_member_id))
    if row is None:
        raise not_found(f"Member {org_member_id}")
    return row


async def _check(
    session: AsyncSession, caller: Caller, org_member_id: str, row: Membership | None, role: str | None
) -> None:
    """403 when the caller may not bring the membership from its role to this one, 409 for the last Owner."""
    owned = row is not None and row.role == "Owner"
    if caller.unit_role != "Owner" and (owned or role == "Owner"):
        raise forbidden("Only an Owner of the unit may make, change or remove an Owner.")
    if owned and role != "Owner" and not await organisation.other_owners(session, caller.unit_id, org_member_id):
        raise conflict("The unit would have no Owner left.", code="last_owner")
