"""The organisational units of the caller's organisation."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from pydantic import BaseModel, Field

from leadvibe.errors import bad_request, not_found
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.resolvers.family import StoredText
from leadvibe.resolvers.new_unit import add_unit
from leadvibe.store import access, organisation
from leadvibe.store.tables import Membership, OrgUnit


class UnitView(BaseModel):
    """An organisational unit (OU): leads, events and configuration of its own."""

    unit_id: str = Field(description="Its id.")
    org_id: str = Field(description="Its organisation.")
    name: str = Field(description="Name that people see.")
    slug: str = Field(description="URL-friendly name, unique in the organisation.")
    external_ref: str | None = Field(description="Its id in an outside system.")
    is_default: bool = Field(description="Whether it is the one that the organisation began with.")

    @classmethod
    def of(cls, unit: OrgUnit) -> UnitView:
        return cls.model_validate(unit, from_attributes=True)


class OrganizationView(BaseModel):
    """The caller's organisation."""

    org_id: str = Field(description="Its id.")
    name: str = Field(description="Name that people see.")


class OrgUnits(BaseModel):
    """The caller's units, and the organisation that they belong to."""

    units: list[UnitView] = Field(description="The units that the caller is a member of.")
    organization: OrganizationView = Field(description="The organisation.")


class UnitName(BaseModel):
    """What a client says of a unit."""

    name: StoredText = Field(min_length=1, max_length=200, description="Name that people see; the slug follows it.")


@operation(Permission.MEMBER)
async def list_org_units(context: Context) -> OrgUnits:
    """The units that the caller is a member of."""
    caller = context.caller
    async with context.services.database.session() as session:
        units = await organisation.units(session, caller.org_id)
        unit_ids = [unit.unit_id for unit in units]
        own = {each.unit_id for each in await organisation.memberships(session, unit_ids, caller.actor)}
        org = await access.organisation(session, caller.org_id)
    return OrgUnits(
        units=[UnitView.of(unit) for unit in units if unit.unit_id in own],
        organization=OrganizationView(org_id=org.org_id, name=org.name),
    )


@operation(Permission.ADMIN)
async def create_org_unit(context: Context, values: UnitName) -> UnitView:
    """A new unit, whose Owner is the caller: nobody else could assign its first member."""
    caller, name = context.caller, _name(values)
    async with context.services.database.session() as session, session.begin():
        await organisation.hold_organisation(session, caller.org_id)
        taken = {unit.slug for unit in await organisation.units(session, caller.org_id)}
        unit = await add_unit(session, caller.org_id, name, free_slug(name, taken))
        session.add(Membership(unit_id=unit.unit_id, org_member_id=caller.actor, role="Owner"))
    return UnitView.of(unit)


@operation(Permission.ADMIN)
async def update_org_unit(context: Context, unit_id: str, values: UnitName) -> UnitView:
    """The unit under another name, with the slug that follows from it."""
    caller, name = context.caller, _name(values)
    async with context.services.database.session() as session, session.begin():
        await organisation.hold_organisation(session, caller.org_id)
        units = await organisation.units(session, caller.org_id)
        unit = next((unit for unit in units if unit.unit_id == unit_id), None)
        if unit is None:
            raise not_found(f"Organizational unit {unit_id}")
        taken = {other.slug for other in units if other is not unit}
        unit.name, unit.slug = name, free_slug(name, taken)
    return UnitView.of(unit)


def free_slug(name: str, taken: Iterable[str]) -> str:
    """`EMEA Sales` → `emea-sales`, then `emea-sales-2`; `unit` for a name without Latin letters and digits."""
    latin = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", latin).strip("-") or "unit"
    used, free, number = set(taken), slug, 1
    while free in used:
        number += 1
        free = f"{slug}-{number}"
    return free


def _name(values: UnitName) -> str:
    if not (name := values.name.strip()):
        raise bad_request("A unit needs a name.", name="must not be blank")
    return name
