"""The organisation: the caller, its units, its members, and who belongs where."""

from __future__ import annotations

from typing import Annotated, Any

import strawberry

from leadvibe.resolvers import members, memberships, org_units, units
from leadvibe.resolvers.context import Context
from leadvibe.schema.context import Info
from leadvibe.schema.derive import answer_type, body_of, input_type
from leadvibe.schema.fields import field

Me: Any = answer_type(members.Me)
Person: Any = answer_type(members.PersonView)
MemberType: Any = answer_type(members.MemberView)
OrgUnits: Any = answer_type(org_units.OrgUnits)
UnitType: Any = answer_type(org_units.UnitView)
MembershipType: Any = answer_type(memberships.MembershipView)
NewMemberInput: Any = input_type(members.NewMember, "A new member with a first password.")
InvitationInput: Any = input_type(members.Invitation, "A new member, which sets its password by a mailed link.")
MemberChangesInput: Any = input_type(members.MemberChanges, "Changes of a member; what is left out stays.")
UnitNameInput: Any = input_type(org_units.UnitName, "What a unit is called.")
AssignmentInput: Any = input_type(memberships.Assignment, "Who is assigned to a unit, and as what.")
RoleChangeInput: Any = input_type(memberships.RoleChange, "Another role in a unit.")

UnitId = Annotated[strawberry.ID, strawberry.argument(description="The unit.")]
MemberId = Annotated[strawberry.ID, strawberry.argument(description="The member.")]
UnitName = Annotated[UnitNameInput, strawberry.argument(description="Its name.")]


async def _inside(info: Info, unit_id: str) -> Context:
    return await units.in_unit(info.context, unit_id)


@strawberry.type
class OrganisationQueries:
    @field
    async def me(self, info: Info) -> Me:
        """The caller, as a person."""
        return await members.get_me(info.context)

    @field
    async def org_units(self, info: Info) -> OrgUnits:
        """The caller's units, and the organisation that they belong to."""
        return await org_units.list_org_units(info.context)

    @field
    async def members(self, info: Info) -> list[MemberType]:
        """The members of the organisation."""
        return await members.list_members(info.context)

    @field
    async def memberships(self, info: Info, unit_id: UnitId) -> list[MembershipType]:
        """The members of a unit that the caller is a member of."""
        return await memberships.list_memberships(await _inside(info, unit_id))


@strawberry.type
class OrganisationMutations:
    @field
    async def create_org_unit(self, info: Info, input: UnitName) -> UnitType | None:
        """Makes a unit; the caller becomes its Owner. For admins."""
        return await org_units.create_org_unit(info.context, body_of(org_units.UnitName, input))

    @field
    async def update_org_unit(self, info: Info, id: UnitId, input: UnitName) -> UnitType | None:
        """Renames a unit. For admins."""
        return await org_units.update_org_unit(info.context, id, body_of(org_units.UnitName, input))

    @field
    async def create_member(
        self, info: Info, input: Annotated[NewMemberInput, strawberry.argument(description="The new member.")]
    ) -> Person | None:
        """Makes a member with a first password, and invites it by e-mail to set its own. For admins."""
        return await members.create_member(info.context, body_of(members.NewMember, input))

    @field
    async def invite_member(
        self, info: Info, input: Annotated[InvitationInput, strawberry.argument(description="The new member.")]
    ) -> Person | None:
        """Makes a member that sets its password by a mailed link. For admins."""
        return await members.invite_member(info.context, body_of(members.Invitation, input))

    @field
    async def resend_invitation(self, info: Info, id: MemberId) -> strawberry.ID | None:
        """Mails another invitation to a member that has not confirmed its address. For admins."""
        await members.resend_invitation(info.context, id)
        return id

    @field
    async def update_member(
        self,
        info: Info,
        id: MemberId,
        input: Annotated[MemberChangesInput, strawberry.argument(description="What changes.")],
    ) -> Person | None:
        """Changes a member. For admins; the last one stays one."""
        return await members.update_member(info.context, id, body_of(members.MemberChanges, input))

    @field
    async def remove_member(self, info: Info, id: MemberId) -> strawberry.ID | None:
        """Ends all access of a member at once. For admins; the last one stays."""
        await members.remove_member(info.context, id)
        return id

    @field
    async def assign_member(
        self,
        info: Info,
        unit_id: UnitId,
        input: Annotated[AssignmentInput, strawberry.argument(description="Who, and as what.")],
    ) -> strawberry.ID | None:
        """Makes a member one of the unit, or gives it another role there; answers the member's id. For the unit's
        Owners and Operators."""
        given = body_of(memberships.Assignment, input)
        await memberships.assign_member(await _inside(info, unit_id), given)
        return strawberry.ID(given.org_member_id)

    @field
    async def change_unit_role(
        self,
        info: Info,
        unit_id: UnitId,
        org_member_id: MemberId,
        input: Annotated[RoleChangeInput, strawberry.argument(description="The other role.")],
    ) -> strawberry.ID | None:
        """Gives a member of the unit another role there. For the unit's Owners and Operators."""
        given = body_of(memberships.RoleChange, input)
        await memberships.change_unit_role(await _inside(info, unit_id), org_member_id, given)
        return org_member_id

    @field
    async def unassign_member(self, info: Info, unit_id: UnitId, org_member_id: MemberId) -> strawberry.ID | None:
        """Ends a membership of the unit. For the unit's Owners and Operators."""
        await memberships.unassign_member(await _inside(info, unit_id), org_member_id)
        return org_member_id
