"""Proofs: passwords, personal access tokens, credential pairs."""

from __future__ import annotations

from typing import Annotated, Any

import strawberry

from leadvibe.resolvers import passwords, personal_tokens, secrets
from leadvibe.schema.context import Info
from leadvibe.schema.derive import answer_type, body_of, input_type
from leadvibe.schema.fields import field
from leadvibe.schema.units import Token

PersonalToken: Any = answer_type(personal_tokens.PersonalTokenView)
NewPersonalToken: Any = answer_type(personal_tokens.NewPersonalToken)
Secret: Any = answer_type(secrets.SecretView)
NewSecret: Any = answer_type(secrets.NewSecret)
TokenRequest: Any = input_type(personal_tokens.TokenRequest, "What a personal token is for, and until when.")
SecretName: Any = input_type(secrets.SecretName, "What a credential pair is called.")
NewPassword: Any = input_type(passwords.NewPassword, "A password, and the secret of the link that may set it.")
ResetRequest: Any = input_type(passwords.ResetRequest, "Whose password was forgotten.")
PasswordChange: Any = input_type(passwords.PasswordChange, "The caller's old and new password.")


@strawberry.type
class AccessQueries:
    @field
    async def personal_access_tokens(self, info: Info) -> list[PersonalToken]:
        """The caller's personal tokens, without their texts."""
        return await personal_tokens.list_personal_tokens(info.context)

    @field
    async def secrets(self, info: Info) -> list[Secret]:
        """The unit's API credentials, without their secrets."""
        return await secrets.list_secrets(info.context)


@strawberry.type
class AccessMutations:
    @field
    async def create_personal_access_token(
        self, info: Info, input: Annotated[TokenRequest, strawberry.argument(description="The new token.")]
    ) -> NewPersonalToken | None:
        """Makes a token that acts as the caller; its text is shown here and never again."""
        given = body_of(personal_tokens.TokenRequest, input)
        return await personal_tokens.issue_personal_token(info.context, given)

    @field
    async def revoke_personal_access_token(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The token's id.")]
    ) -> strawberry.ID | None:
        """Ends a token of the caller at once; answers its id."""
        await personal_tokens.revoke_personal_token(info.context, id)
        return id

    @field
    async def create_secret(
        self, info: Info, input: Annotated[SecretName, strawberry.argument(description="The new pair.")]
    ) -> NewSecret | None:
        """Makes an API credential pair; its secret is shown here and never again. For the unit's Owners."""
        return await secrets.create_secret(info.context, body_of(secrets.SecretName, input))

    @field
    async def delete_secret(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The pair's secret_id.")]
    ) -> strawberry.ID | None:
        """Deletes an API credential pair, which is refused at once; answers its id. For the unit's Owners."""
        await secrets.delete_secret(info.context, id)
        return id

    @field
    async def change_password(
        self, info: Info, input: Annotated[PasswordChange, strawberry.argument(description="Old and new password.")]
    ) -> Token | None:
        """Changes the caller's password. All its other tokens are void; the answer is a new one."""
        return Token(token=await passwords.change_password(info.context, body_of(passwords.PasswordChange, input)))

    @field
    async def request_password_reset(
        self, info: Info, input: Annotated[ResetRequest, strawberry.argument(description="Of which member.")]
    ) -> bool | None:
        """Mails a link to set a new password; true, whether there is such a member or not."""
        await passwords.request_password_reset(info.context, body_of(passwords.ResetRequest, input))
        return True

    @field
    async def set_password(
        self, info: Info, input: Annotated[NewPassword, strawberry.argument(description="Password and proof.")]
    ) -> bool | None:
        """Sets a password by the secret of a mailed link, which works once."""
        await passwords.set_password(info.context, body_of(passwords.NewPassword, input))
        return True
