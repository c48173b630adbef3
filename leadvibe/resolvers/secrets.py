"""Credential pairs of a unit: made, shown once, and refused as soon as they are deleted."""

from __future__ import annotations

import secrets
from datetime import datetime

from pydantic import BaseModel, Field
from sqlmodel import col, select

from leadvibe.errors import bad_request, not_found
from leadvibe.ids import new_id
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.resolvers.family import StoredText
from leadvibe.store.tables import ApiCredential


class SecretName(BaseModel):
    """What a client says of a credential pair."""

    name: StoredText = Field(min_length=1, max_length=50, description="Label that people see.")


class SecretView(BaseModel):
    """A credential pair of a unit, without its secret."""

    secret_id: str = Field(description="Its id.")
    unit_id: str = Field(description="The unit that it is Operator of.")
    client_id: str = Field(description="The user name of HTTP Basic.")
    name: str = Field(description="Label that people see.")
    trust_upstream_consent: bool = Field(description="Whether a consent sent along with its events is trusted.")
    created_at: datetime = Field(description="When it was made.")


class NewSecret(SecretView):
    """A credential pair as it is shown once, with its secret."""

    client_secret: str = Field(description="The password of HTTP Basic. It is shown here and never again.")


def new_pair() -> tuple[str, str]:
    """A fresh client id and secret (256 random bits)."""
    return "lv_ci_" + secrets.token_hex(12), "lv_cs_" + secrets.token_urlsafe(32)


@operation(Permission.READ)
async def list_secrets(context: Context) -> list[SecretView]:
    """The unit's credential pairs, the oldest first."""
    query = select(ApiCredential).where(ApiCredential.unit_id == context.caller.unit_id)
    async with context.services.database.session() as session:
        rows = await session.exec(query.order_by(col(ApiCredential.created_at), col(ApiCredential.secret_id)))
        return [SecretView.model_validate(row, from_attributes=True) for row in rows]


@operation(Permission.OWN)
async def create_secret(context: Context, values: SecretName) -> NewSecret:
    """A new pair for the unit."""
    if not (name := values.name.strip()):
        raise bad_request("A credential needs a name.", name="must not be blank")
    client_id, client_secret = new_pair()
    row = ApiCredential(
        secret_id=new_id("sec"),
        unit_id=context.caller.unit_id,
        client_id=client_id,
        secret_hash=await context.services.authenticator.hash(client_secret),
        name=name,
    )
    async with context.services.database.session() as session, session.begin():
        session.add(row)
    view = SecretView.model_validate(row, from_attributes=True)
    return NewSecret(**view.model_dump(), client_secret=client_secret)


@operation(Permission.OWN)
async def delete_secret(context: Context, secret_id: str) -> None:
    """Deletes a pair of the unit; whoever uses it is refused at once."""
    async with context.services.database.session() as session, session.begin():
        row = await session.get(ApiCredential, secret_id)
        if row is None or row.unit_id != context.caller.unit_id:
            raise not_found(f"The credential {secret_id}")
        await session.delete(row)
