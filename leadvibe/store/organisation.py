"""Queries on the people and units of one organisation."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import col, delete, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.store.tables import Member, Membership, Organisation, OrgUnit


async def hold_organisation(session: AsyncSession, org_id: str) -> Organisation:
    """Locks it until the transaction ends: changes of its people and units take turns, so that what
    they check of each other stays true."""
    query = select(Organisation).where(Organisation.org_id == org_id).with_for_update()
    return (await session.exec(query)).one()


async def member_of_org(session: AsyncSession, org_member_id: str, org_id: str) -> Member | None:
    query = select(Member).where(Member.org_member_id == org_member_id, Member.org_id == org_id)
    return (await session.exec(query)).first()


async def members(session: AsyncSession, org_id: str) -> Sequence[Member]:
    """All members, the oldest first."""
    query = select(Member).where(Member.org_id == org_id)
    return (await session.exec(query.order_by(col(Member.created_at), col(Member.org_member_id)))).all()


async def units(session: AsyncSession, org_id: str) -> Sequence[OrgUnit]:
    """All units, the default one first, then by name."""
    query = select(OrgUnit).where(OrgUnit.org_id == org_id)
    order = (col(OrgUnit.is_default).desc(), col(OrgUnit.name), col(OrgUnit.unit_id))
    return (await session.exec(query.order_by(*order))).all()


async def memberships(
    session: AsyncSession, unit_ids: Sequence[str], org_member_id: str | None = None
) -> Sequence[Membership]:
    """The memberships of these units, of all members or of one."""
    query = select(Membership).where(col(Membership.unit_id).in_(unit_ids))
    if org_member_id is not None:
        query = query.where(Membership.org_member_id == org_member_id)
    return (await session.exec(query.order_by(col(Membership.created_at), col(Membership.org_member_id)))).all()


async def other_admins(session: AsyncSession, org_id: str, org_member_id: str) -> int:
    """How many admins there are beside this member."""
    query = select(func.count()).select_from(Member)
    query = query.where(Member.org_id == org_id, Member.role == "admin", Member.org_member_id != org_member_id)
    return (await session.exec(query)).one()


async def other_owners(session: AsyncSession, unit_id: str, org_member_id: str) -> int:
    """How many owners the unit has beside this member."""
    query = select(func.count()).select_from(Membership)
    query = query.where(
        Membership.unit_id == unit_id, Membership.role == "Owner", Membership.org_member_id != org_member_id
    )
    return (await session.exec(query)).one()


async def leave_units(session: AsyncSession, unit_ids: Sequence[str], org_member_id: str) -> None:
    """Ends the member's memberships of these units."""
    ended = delete(Membership).where(col(Membership.unit_id).in_(unit_ids))
    await session.exec(ended.where(col(Membership.org_member_id) == org_member_id))
