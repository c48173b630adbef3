"""The first organisation: `leadvibe bootstrap` and the demo of a fresh data directory."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.errors import bad_request, conflict
from leadvibe.ids import new_id
from leadvibe.resolvers.authentication import Authenticator
from leadvibe.resolvers.new_unit import add_unit
from leadvibe.resolvers.secrets import new_pair
from leadvibe.store import access
from leadvibe.store.tables import ApiCredential, Member, Membership, Organisation, OrgUnit


@dataclass(frozen=True, slots=True)
class Bootstrapped:
    """All that a client needs to begin. The secret is shown here and never again. `token` is None where another
    service issues tokens."""

    org_id: str
    unit_id: str
    org_member_id: str
    client_id: str
    client_secret: str
    token: str | None


async def bootstrap(authenticator: Authenticator, org: str, email: str, password: str) -> Bootstrapped:
    """Makes or finds organisation, default unit and owner, and adds a fresh credential pair.

    400 for a blank name, e-mail or password; 409 when the e-mail belongs to a member of another organisation.
    The password of a member that exists is left as it is.
    """
    org, email = org.strip(), email.strip().lower()
    if not org or "@" not in email or not password:
        raise bad_request("An organization needs a name, and its owner an e-mail address and a password.")
    client_id, client_secret = new_pair()
    secret_hash = await authenticator.hash(client_secret)
    password_hash = await authenticator.hash(password)
    async with authenticator.database.session() as session, session.begin():
        await access.take_turns_at_bootstrap(session)
        unit = await _unit(session, org)
        member = await _owner(session, unit, email, password_hash)
        session.add(
            ApiCredential(
                secret_id=new_id("sec"),
                unit_id=unit.unit_id,
                client_id=client_id,
                secret_hash=secret_hash,
                name="bootstrap",
            )
        )
    tokens, token = authenticator.tokens, None
    if tokens.signing_key is not None:
        token = tokens.issue(member.org_member_id, unit.org_id, datetime.now(UTC), member.token_version)
    return Bootstrapped(unit.org_id, unit.unit_id, member.org_member_id, client_id, client_secret, token)


async def _unit(session: AsyncSession, org: str) -> OrgUnit:
    found = await access.organisation_named(session, org)
    if found is not None and (unit := await access.default_unit(session, found.org_id)) is not None:
        return unit
    organisation = Organisation(org_id=new_id("org"), name=org)
    session.add(organisation)
    await session.flush()
    return await add_unit(session, organisation.org_id, "Default", "default", is_default=True)


async def _owner(session: AsyncSession, unit: OrgUnit, email: str, password_hash: str) -> Member:
    member = await access.member_by_email(session, email)
    if member is None:
        first, _, last = re.sub(r"[._-]+", " ", email.partition("@")[0]).title().partition(" ")
        member = Member(
            org_member_id=new_id("mem"),
            org_id=unit.org_id,
            first_name=first,
            last_name=last,
            email=email,
            password_hash=password_hash,
            role="admin",
        )
        session.add(member)
        await session.flush()
    elif member.org_id != unit.org_id:
        raise conflict(f"{email} belongs to a member of another organization.")
    if await session.get(Membership, (unit.unit_id, member.org_member_id)) is None:
        session.add(Membership(unit_id=unit.unit_id, org_member_id=member.org_member_id, role="Owner"))
    return member
