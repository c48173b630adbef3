"""Who calls, and what they may do: the one permission table of both doors."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from leadvibe.errors import ApiError, bad_request, forbidden


class Permission(Enum):
    """What an operation asks of its caller.

    Viewer reads; Operator also writes data and configuration and, as a person, assigns members to the
    unit; Owner also manages credentials. Member operations need a person but no unit, admin ones the
    organisation's admin. A public operation resolves credentials only if it wants to.
    """

    PUBLIC = "public"
    MEMBER = "member"
    READ = "read"
    WRITE = "write"
    ASSIGN = "assign"
    OWN = "own"
    ADMIN = "admin"


UNIT_ROLES: dict[Permission, frozenset[str]] = {
    Permission.READ: frozenset({"Viewer", "Operator", "Owner"}),
    Permission.WRITE: frozenset({"Operator", "Owner"}),
    Permission.ASSIGN: frozenset({"Operator", "Owner"}),
    Permission.OWN: frozenset({"Owner"}),
}

# What an API credential may do as well as a person.
_FOR_CREDENTIALS = frozenset({Permission.PUBLIC, Permission.READ, Permission.WRITE})


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified member or API credential, and the unit it works in.

    `active_unit` is None when the caller has several units and named none, or when the one it named is not
    its own: `unit_refusal` says then why. A credential has no `org_role` and is Operator of its unit. `name` is the
    member's e-mail address or the credential's client id, as it is now.
    """

    org_id: str
    actor: str
    org_role: str | None
    active_unit: str | None
    unit_role: str | None
    unit_refusal: ApiError | None = None
    name: str = ""

    @property
    def unit_id(self) -> str:
        if self.unit_refusal is not None:
            raise self.unit_refusal
        if self.active_unit is None:
            raise bad_request(
                "No active organizational unit. Choose one with POST /org-units/active or the X-Unit-Id header.",
                code="no_active_ou",
            )
        return self.active_unit

    def require(self, permission: Permission) -> None:
        """Raises 400 without an active unit where one is needed, 403 when the role is too low."""
        if self.org_role is None and permission not in _FOR_CREDENTIALS:
            raise forbidden("An API credential may not do this; log in as a member.")
        if permission in UNIT_ROLES:
            unit_id = self.unit_id
            if self.unit_role not in UNIT_ROLES[permission]:
                raise forbidden(f"Your role in {unit_id} ({self.unit_role}) does not allow this.")
        elif permission is Permission.ADMIN and self.org_role != "admin":
            raise forbidden("Only an admin of the organization may do this.")
