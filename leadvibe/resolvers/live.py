"""What is pushed: the events of a unit as they are scored."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from leadvibe.errors import bad_request, not_found, unauthorized
from leadvibe.live.events import Subscription
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.store.tables import OrgUnit


@dataclass(frozen=True, slots=True)
class Stream:
    """A unit's messages, and whether whole events may be shown or only their names."""

    messages: AbstractAsyncContextManager[Subscription]
    full: bool


@operation(Permission.READ)
async def subscribe(context: Context, after: str | None = None) -> AbstractAsyncContextManager[Subscription]:
    """The caller's unit, live; from behind the cursor `after` on, when there is one."""
    return context.services.hub.subscribe(context.caller.unit_id, after)


@operation(Permission.PUBLIC)
async def open_stream(context: Context, ou_id: str | None, after: str | None) -> Stream:
    """Who may see what of `GET /stream`: members all of it, anybody the scores of a unit they can name.

    The anonymous form is the reference's; LEADVIBE_STREAM_AUTH=required closes it.
    """
    credentials, hub = context.credentials, context.services.hub
    if credentials.authorization is not None:
        caller = await context.services.authenticator.caller(
            credentials._replace(active_ou=ou_id or credentials.active_ou)
        )
        if ou_id is not None and caller.unit_id != ou_id:
            raise not_found(f"Organizational unit {ou_id}")
        return Stream(hub.subscribe(caller.unit_id, after), full=True)
    if context.services.settings.stream_auth == "required":
        raise unauthorized()
    unit_id = ou_id or credentials.active_ou
    if unit_id is None:
        raise bad_request("No active organizational unit. Name one with ?ouId=.", code="no_active_ou")
    async with context.services.database.session() as session:
        if "\0" in unit_id or await session.get(OrgUnit, unit_id) is None:
            raise not_found(f"Organizational unit {unit_id}")
    return Stream(hub.subscribe(unit_id, after), full=False)
