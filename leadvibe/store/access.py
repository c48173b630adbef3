"""Organisations, units, members and credentials: what authentication reads and bootstrap writes."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.store.tables import Member, Membership, Organisation, OrgUnit, ServerSecret

# Any number, the same for all.
_BOOTSTRAP_LOCK = 7_205_759_405


@dataclass(frozen=True, slots=True)
class Standing:
    """A member with the role it has in each of its units (unit_id → role)."""

    member: Member
    units: dict[str, str]


async def take_turns_at_bootstrap(session: AsyncSession) -> None:
    """Until the transaction ends nobody else bootstraps: two at once would both find nothing and make it twice."""
    await session.exec(select(func.pg_advisory_xact_lock(_BOOTSTRAP_LOCK)))


async def member_by_email(session: AsyncSession, email: str) -> Member | None:
    return (await session.exec(select(Member).where(Member.email == email.strip().lower()))).first()


async def standing(session: AsyncSession, org_member_id: str) -> Standing | None:
    member = await session.get(Member, org_member_id)
    if member is None:
        return None
    rows = await session.exec(
        select(Membership.unit_id, Membership.role).where(Membership.org_member_id == org_member_id)
    )
    return Standing(member, dict(rows.all()))


async def unit_of_org(session: AsyncSession, unit_id: str, org_id: str) -> OrgUnit | None:
    unit = await session.get(OrgUnit, unit_id)
    return unit if unit is not None and unit.org_id == org_id else None


async def organisation(session: AsyncSession, org_id: str) -> Organisation:
    return (await session.exec(select(Organisation).where(Organisation.org_id == org_id))).one()


async def organisation_named(session: AsyncSession, name: str) -> Organisation | None:
    query = select(Organisation).where(Organisation.name == name).order_by(col(Organisation.created_at))
    return (await session.exec(query)).first()


async def default_unit(session: AsyncSession, org_id: str) -> OrgUnit | None:
    return (await session.exec(select(OrgUnit).where(OrgUnit.org_id == org_id, col(OrgUnit.is_default)))).first()


async def server_secret(session: AsyncSession, name: str) -> str | None:
    row = await session.get(ServerSecret, name)
    return row.value if row else None
