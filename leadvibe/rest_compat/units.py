"""Routes of logging in and of choosing the active unit."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field
from starlette.responses import Response

from leadvibe.resolvers import units
from leadvibe.resolvers.context import Context
from leadvibe.rest_compat.table import BOTH, Call, Route


class Token(BaseModel):
    """Send it as `Authorization: Bearer <token>`."""

    token: str


class ActiveUnit(BaseModel):
    ouId: str = Field(description="The unit to work in.")  # the reference's spelling


async def _login(context: Context, call: Call) -> Any:
    return {"token": await units.login(context, call.body)}


async def _set_active(context: Context, call: Call) -> Response:
    caller = await units.set_active_unit(context, call.body.ouId)
    response = Response(status_code=204, headers={"X-Org-Id": caller.org_id, "X-Unit-Id": caller.unit_id})
    secure = call.request.url.scheme == "https"
    response.set_cookie("activeOu", caller.unit_id, httponly=True, samesite="lax", secure=secure)
    return response


ROUTES = [
    Route(
        method="POST", path="/auth/login", summary="Log in with e-mail and password", tag="Auth", run=_login,
        auth=(), body=units.Login, returns=Token, errors=(401, 403),
    ),
    Route(
        method="POST", path="/org-units/active", summary="Set the active organizational unit", tag="OrgUnits",
        run=_set_active, status=204, auth=BOTH, verifies=True, body=ActiveUnit, errors=(403, 404),
    ),
]  # fmt: skip
