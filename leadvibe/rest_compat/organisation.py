"""Routes of an organisation: its units, its members, and who belongs where."""

from __future__ import annotations

from typing import Any

from leadvibe.resolvers import members, memberships, org_units
from leadvibe.resolvers.context import Context
from leadvibe.rest_compat.table import BEARER, Call, Route


async def _units(context: Context, call: Call) -> Any:
    return await org_units.list_org_units(context)


async def _create_unit(context: Context, call: Call) -> Any:
    return await org_units.create_org_unit(context, call.body)


async def _update_unit(context: Context, call: Call) -> Any:
    return await org_units.update_org_unit(context, call.path["id"], call.body)


async def _members(context: Context, call: Call) -> Any:
    return await members.list_members(context)


async def _create_member(context: Context, call: Call) -> Any:
    return await members.create_member(context, call.body)


async def _invite_member(context: Context, call: Call) -> Any:
    return await members.invite_member(context, call.body)


async def _resend(context: Context, call: Call) -> None:
    await members.resend_invitation(context, call.path["id"])


async def _update_member(context: Context, call: Call) -> None:
    await members.update_member(context, call.path["id"], call.body)


async def _remove_member(context: Context, call: Call) -> None:
    await members.remove_member(context, call.path["id"])


async def _memberships(context: Context, call: Call) -> Any:
    return await memberships.list_memberships(context)


async def _assign(context: Context, call: Call) -> None:
    await memberships.assign_member(context, call.body)


async def _change_role(context: Context, call: Call) -> None:
    await memberships.change_unit_role(context, call.path["memberId"], call.body)


async def _unassign(context: Context, call: Call) -> None:
    await memberships.unassign_member(context, call.path["memberId"])


ROUTES = [
    Route(
        method="GET", path="/org-units", summary="List the caller's organizational units", tag="OrgUnits", run=_units,
        auth=BEARER, returns=org_units.OrgUnits, errors=(403,),
    ),
    Route(
        method="POST", path="/org-units", summary="Create an organizational unit", tag="OrgUnits", run=_create_unit,
        status=201, auth=BEARER, body=org_units.UnitName, returns=org_units.UnitView, errors=(403,),
    ),
    Route(
        method="PUT", path="/org-units/{id}", summary="Rename an organizational unit", tag="OrgUnits",
        run=_update_unit, auth=BEARER, body=org_units.UnitName, returns=org_units.UnitView, errors=(403, 404),
    ),
    Route(
        method="GET", path="/members", summary="List the organization's members", tag="OrgUnits", run=_members,
        auth=BEARER, returns=list[members.MemberView], errors=(403,),
    ),
    Route(
        method="POST", path="/members", summary="Create a member with a first password", tag="OrgUnits",
        run=_create_member, status=201, auth=BEARER, body=members.NewMember, returns=members.PersonView,
        errors=(403, 409),
    ),
    Route(
        method="POST", path="/members/invite", summary="Invite a member by e-mail", tag="OrgUnits",
        run=_invite_member, status=201, auth=BEARER, body=members.Invitation, returns=members.PersonView,
        errors=(403, 409),
    ),
    Route(
        method="POST", path="/members/{id}/invitation", summary="Mail another invitation", tag="OrgUnits",
        run=_resend, status=204, auth=BEARER, errors=(403, 404, 409),
    ),
    Route(
        method="PUT", path="/members/{id}", summary="Update a member", tag="OrgUnits", run=_update_member, status=204,
        auth=BEARER, body=members.MemberChanges, errors=(403, 404, 409),
    ),
    Route(
        method="DELETE", path="/members/{id}", summary="Remove a member from the organization", tag="OrgUnits",
        run=_remove_member, status=204, auth=BEARER, errors=(403, 404, 409),
    ),
    Route(
        method="GET", path="/org-units/{id}/memberships", aliases=("/org-units/{id}/members",),
        summary="List the members of a unit", tag="OUMemberships", run=_memberships, auth=BEARER, in_unit="id",
        returns=list[memberships.MembershipView], errors=(403, 404),
    ),
    Route(
        method="POST", path="/org-units/{id}/memberships", aliases=("/org-units/{id}/members",),
        summary="Assign a member to a unit", tag="OUMemberships", run=_assign, status=204, auth=BEARER, in_unit="id",
        body=memberships.Assignment, errors=(403, 404, 409),
    ),
    Route(
        method="PUT", path="/org-units/{id}/memberships/{memberId}", aliases=("/org-units/{id}/members/{memberId}",),
        summary="Change a member's role in a unit", tag="OUMemberships", run=_change_role, status=204, auth=BEARER,
        in_unit="id", body=memberships.RoleChange, errors=(403, 404, 409),
    ),
    Route(
        method="DELETE", path="/org-units/{id}/memberships/{memberId}",
        aliases=("/org-units/{id}/members/{memberId}",), summary="Remove a member from a unit", tag="OUMemberships",
        run=_unassign, status=204, auth=BEARER, in_unit="id", errors=(403, 404, 409),
    ),
]  # fmt: skip
