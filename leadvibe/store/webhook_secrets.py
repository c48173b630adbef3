"""The secrets that sign a unit's webhooks; sealed where they are stored."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from leadvibe.crypto import Vault

# While receivers change to a new secret the old one signs as well.
OVERLAP = timedelta(hours=24)

_BYTES = 32


@dataclass(frozen=True, slots=True)
class WebhookSecrets:
    """`secret` in the form of Standard Webhooks (whsec_ and base64); `previous` signs too until `previous_until`."""

    secret: str
    created_at: datetime
    previous: str | None
    previous_until: datetime | None

    @property
    def signing(self) -> list[str]:
        return [self.secret] if self.previous is None else [self.secret, self.previous]


async def of_unit(connection: Any, vault: Vault, unit_id: str, now: datetime) -> WebhookSecrets:
    """The unit's secrets; the first one is made when it is first needed. Raises SealError."""
    row = await _row(connection, unit_id)
    if row is None:
        await connection.execute(
            """
            INSERT INTO webhook_secrets AS s (unit_id, secret, created_at) VALUES ($1, $2, $3)
            ON CONFLICT (unit_id) DO NOTHING
            """,
            unit_id,
            vault.seal(_new_secret()),
            now,
        )
        row = await _row(connection, unit_id)
    assert row is not None
    overlaps = row["previous_until"] is not None and row["previous_until"] > now
    return WebhookSecrets(
        vault.open(row["secret"]),
        row["created_at"],
        vault.open(row["previous"]) if overlaps else None,
        row["previous_until"] if overlaps else None,
    )


async def rotate(connection: Any, vault: Vault, unit_id: str, now: datetime) -> WebhookSecrets:
    """Makes a new secret; the one before it signs beside it for 24 hours."""
    await of_unit(connection, vault, unit_id, now)
    await connection.execute(
        """
        UPDATE webhook_secrets SET previous = secret, previous_until = $3, secret = $2, created_at = $4
        WHERE unit_id = $1
        """,
        unit_id,
        vault.seal(_new_secret()),
        now + OVERLAP,
        now,
    )
    return await of_unit(connection, vault, unit_id, now)


async def _row(connection: Any, unit_id: str) -> Any:
    return await connection.fetchrow(
        "SELECT secret, previous, previous_until, created_at FROM webhook_secrets WHERE unit_id = $1", unit_id
    )


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(_BYTES)).decode()
