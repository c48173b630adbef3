"""Further members of an organisation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from leadvibe.ids import new_id
from leadvibe.resolvers.authentication import Authenticator
from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.store.tables import Member, Membership
from tests.rest_compat.conftest import PASSWORD, bearer


@dataclass
class Person:
    org_member_id: str
    email: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return bearer(self.token)


async def add_person(
    authenticator: Authenticator, org: Bootstrapped, role: str = "editor", unit_role: str | None = None
) -> Person:
    """A member with the role, and with the unit role in the organisation's first unit."""
    member_id = new_id("mem")
    email = f"{member_id}@leadvibe.example"
    member = Member(
        org_member_id=member_id,
        org_id=org.org_id,
        first_name="Grace",
        last_name="Hopper",
        email=email,
        password_hash=await authenticator.hash(PASSWORD),
        role=role,
    )
    async with authenticator.database.session() as session, session.begin():
        session.add(member)
        await session.flush()
        if unit_role is not None:
            session.add(Membership(unit_id=org.unit_id, org_member_id=member_id, role=unit_role))
    token = authenticator.tokens.issue(member_id, org.org_id, datetime.now(UTC))
    return Person(member_id, email, token)
