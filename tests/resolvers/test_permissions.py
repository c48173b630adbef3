"""The permission table: every operation, every role."""

from __future__ import annotations

import pytest

import leadvibe.rest_compat.routes
import leadvibe.schema.app  # noqa: F401  (both doors are loaded, so every operation is registered)
from leadvibe.errors import ApiError
from leadvibe.resolvers.caller import Caller, Permission
from leadvibe.resolvers.context import OPERATIONS

CALLERS = {
    f"{role}, {unit_role}": Caller("org", "mem", role, "unit" if unit_role else None, unit_role)
    for role in ("admin", "editor", "viewer")
    for unit_role in ("Owner", "Operator", "Viewer", None)
}
PEOPLE = set(CALLERS)
CALLERS["credential"] = Caller("org", "sec", None, "unit", "Operator")


def with_role(*roles: str) -> set[str]:
    return {name for name in PEOPLE if name.split(", ")[1] in roles}


ALLOWED = {
    Permission.PUBLIC: {*PEOPLE, "credential"},
    Permission.MEMBER: PEOPLE,
    Permission.READ: {*with_role("Viewer", "Operator", "Owner"), "credential"},
    Permission.WRITE: {*with_role("Operator", "Owner"), "credential"},
    Permission.ASSIGN: with_role("Operator", "Owner"),
    Permission.OWN: with_role("Owner"),
    Permission.ADMIN: {name for name in PEOPLE if name.startswith("admin")},
}

WRITING = ("create_", "update_", "delete_", "ingest_", "import_")


def test_there_are_operations() -> None:
    assert {"ingest_event", "list_leads", "create_rule", "login"} <= OPERATIONS.keys()


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_an_operation_admits_exactly_the_roles_of_its_permission(name: str) -> None:
    permission = OPERATIONS[name].permission
    admitted = set()
    for role, caller in CALLERS.items():
        try:
            caller.require(permission)
            admitted.add(role)
        except ApiError as error:
            assert error.status == (400 if caller.active_unit is None and permission is not Permission.ADMIN else 403)
    assert admitted == ALLOWED[permission]


@pytest.mark.parametrize("name", sorted(name for name in OPERATIONS if name.startswith(WRITING)))
def test_what_writes_is_not_for_viewers(name: str) -> None:
    assert OPERATIONS[name].permission in (Permission.WRITE, Permission.ASSIGN, Permission.OWN, Permission.ADMIN)
