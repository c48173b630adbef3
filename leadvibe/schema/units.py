"""Logging in, and choosing the organisational unit to work in."""

from __future__ import annotations

from typing import Annotated, Any

import strawberry

from leadvibe.errors import bad_request
from leadvibe.resolvers import units
from leadvibe.schema.context import Info
from leadvibe.schema.derive import body_of, input_type
from leadvibe.schema.fields import field

LoginInput: Any = input_type(units.Login, "Who logs in, and its proof.")


@strawberry.type(description="A member's proof of identity.")
class Token:
    token: str = strawberry.field(description="Send it as `Authorization: Bearer <token>`.")


@strawberry.type(description="The unit a caller works in.")
class ActiveUnit:
    org_id: strawberry.ID = strawberry.field(description="The organisation.")
    unit_id: strawberry.ID = strawberry.field(description="The organisational unit.")


@strawberry.type
class UnitMutations:
    @field
    async def login(
        self, info: Info, input: Annotated[LoginInput, strawberry.argument(description="Who, and its proof.")]
    ) -> Token | None:
        """Logs a member in."""
        return Token(token=await units.login(info.context, body_of(units.Login, input)))

    @field
    async def set_active_ou(
        self, info: Info, ou_id: Annotated[strawberry.ID, strawberry.argument(description="The unit.")]
    ) -> ActiveUnit | None:
        """Chooses the unit of the following requests by the cookie `activeOu`."""
        response = info.context.response
        if response is None:
            raise bad_request("A socket's unit is chosen by X-Unit-Id in connection_init.", code="no_cookie_here")
        caller = await units.set_active_unit(info.context, ou_id)
        secure = info.context.secure
        response.set_cookie("activeOu", caller.unit_id, httponly=True, samesite="lax", secure=secure)
        return ActiveUnit(org_id=strawberry.ID(caller.org_id), unit_id=strawberry.ID(caller.unit_id))
