"""Routes of proofs: who the caller is, passwords, personal tokens, credential pairs."""

from __future__ import annotations

from typing import Any

from starlette.responses import HTMLResponse, Response

from leadvibe.resolvers import members, passwords, personal_tokens, secrets, units
from leadvibe.resolvers.context import Context
from leadvibe.rest_compat import password_page
from leadvibe.rest_compat.table import BEARER, Call, Route
from leadvibe.rest_compat.units import Token


async def _me(context: Context, call: Call) -> Any:
    return await members.get_me(context)


async def _cleanup(context: Context, call: Call) -> Response:
    response = Response(status_code=204)
    for name in units.LEGACY_COOKIES:
        response.delete_cookie(name, httponly=True, samesite="lax", secure=call.request.url.scheme == "https")
    return response


async def _change_password(context: Context, call: Call) -> Any:
    return {"token": await passwords.change_password(context, call.body)}


async def _request_reset(context: Context, call: Call) -> Response:
    await passwords.request_password_reset(context, call.body)
    return Response(status_code=202)


async def _set_password(context: Context, call: Call) -> None:
    await passwords.set_password(context, call.body)


async def _page(context: Context, call: Call) -> Response:
    return HTMLResponse(password_page.PAGE, headers=password_page.HEADERS)


async def _tokens(context: Context, call: Call) -> Any:
    return await personal_tokens.list_personal_tokens(context)


async def _issue_token(context: Context, call: Call) -> Any:
    return await personal_tokens.issue_personal_token(context, call.body)


async def _revoke_token(context: Context, call: Call) -> None:
    await personal_tokens.revoke_personal_token(context, call.path["id"])


async def _secrets(context: Context, call: Call) -> Any:
    return await secrets.list_secrets(context)


async def _create_secret(context: Context, call: Call) -> Any:
    return await secrets.create_secret(context, call.body)


async def _delete_secret(context: Context, call: Call) -> None:
    await secrets.delete_secret(context, call.path["id"])


ROUTES = [
    Route(
        method="GET", path="/auth/me", aliases=("/me",), summary="The caller", tag="Auth", run=_me, auth=BEARER,
        returns=members.Me, errors=(403,),
    ),
    Route(
        method="POST", path="/auth/cleanup", summary="Expire legacy auth cookies", tag="Auth", run=_cleanup,
        status=204, auth=(),
    ),
    Route(
        method="PUT", path="/auth/password", summary="Change the caller's password", tag="Auth", run=_change_password,
        auth=BEARER, body=passwords.PasswordChange, returns=Token, errors=(403, 429),
    ),
    Route(
        method="POST", path="/auth/password/reset", summary="Mail a link to set a new password", tag="Auth",
        run=_request_reset, status=202, auth=(), body=passwords.ResetRequest, errors=(429,),
    ),
    Route(
        method="POST", path="/auth/password/set", summary="Set a password by a mailed link", tag="Auth",
        run=_set_password, status=204, auth=(), body=passwords.NewPassword,
    ),
    Route(
        method="GET", path="/auth/password/page", summary="The page that mailed links open", tag="Auth", run=_page,
        auth=(), returns=str, media_type="text/html",
    ),
    Route(
        method="GET", path="/settings/tokens", summary="List the caller's personal access tokens", tag="Settings",
        run=_tokens, auth=BEARER, returns=list[personal_tokens.PersonalTokenView], errors=(403,),
    ),
    Route(
        method="POST", path="/settings/tokens", summary="Make a personal access token", tag="Settings",
        run=_issue_token, status=201, auth=BEARER, body=personal_tokens.TokenRequest,
        returns=personal_tokens.NewPersonalToken, errors=(403, 409),
    ),
    Route(
        method="DELETE", path="/settings/tokens/{id}", summary="Revoke a personal access token", tag="Settings",
        run=_revoke_token, status=204, auth=BEARER, errors=(403, 404),
    ),
    Route(
        method="GET", path="/secrets", summary="List the unit's API credentials", tag="Secrets", run=_secrets,
        auth=BEARER, returns=list[secrets.SecretView],
    ),
    Route(
        method="POST", path="/secrets", summary="Create an API credential pair", tag="Secrets", run=_create_secret,
        auth=BEARER, body=secrets.SecretName, returns=secrets.NewSecret, errors=(403,),
    ),
    Route(
        method="DELETE", path="/secrets/{id}", summary="Delete an API credential", tag="Secrets", run=_delete_secret,
        status=204, auth=BEARER, errors=(403, 404),
    ),
]  # fmt: skip
