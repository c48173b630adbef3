"""Who calls, and what they may do: the one permission table of both doors."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from leadvibe.errors import bad_request, forbidden


class Permission(Enum):
    """What an operation asks of its caller.

    Viewer reads; Operator also writes data and configuration; Owner also manages memberships and
    credentials. Member operations need a person but no unit, admin ones the organisation's admin.
    A public operation resolves credentials only if it wants to.
    """

    PUBLIC = "public"
    MEMBER = "member"
    READ = "read"
    WRITE = "write"
    OWN = "own"
    ADMIN = "admin"


UNIT_ROLES: dict[Permission, frozenset[str]] = {
    Permission.READ: frozenset({"Viewer", "Operator", "Owner"}),
    Permission.WRITE: frozenset({"Operator", "Owner"}),
    Permission.OWN: frozenset({"Owner"}),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified member or API credential, and the unit it works in.

    `active_unit` is None when the caller has several units and named none. A credential has no
    `org_role` and is Operator of its unit.
    """

    org_id: str
    actor: str
    org_role: str | None
    active_unit: str | None
    unit_role: str | None

    @property
    def unit_id(self) -> str:
        if self.active_unit is None:
            raise bad_request(
                "No active organizational unit. Choose one with POST /org-units/active or the X-Unit-Id header.",
                code="no_active_ou",
            )
        return self.active_unit

    def require(self, permission: Permission) -> None:
        """Raises 400 without an active unit where one is needed, 403 when the role is too low."""
        if permission in UNIT_ROLES:
            unit_id = self.unit_id
            if self.unit_role not in UNIT_ROLES[permission]:
                raise forbidden(f"Your role in {unit_id} ({self.unit_role}) does not allow this.")
        elif permission is not Permission.PUBLIC and self.org_role is None:
            raise forbidden("An API credential may not do this; log in as a member.")
        elif permission is Permission.ADMIN and self.org_role != "admin":
            raise forbidden("Only an admin of the organization may do this.")
