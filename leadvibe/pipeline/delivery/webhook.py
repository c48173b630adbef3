"""Webhooks in the convention of https://www.standardwebhooks.com/."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
from standardwebhooks import Webhook

from leadvibe.crypto import Vault
from leadvibe.pipeline.delivery.posting import Poster
from leadvibe.pipeline.delivery.sender import Message
from leadvibe.store import webhook_secrets
from leadvibe.store.database import Database


class WebhookSender:
    """Posts the payload as JSON, signed with the unit's secret. `webhook-id` is the firing's id at each try."""

    def __init__(self, poster: Poster, database: Database, vault: Vault) -> None:
        self._poster = poster
        self._database = database
        self._vault = vault

    async def send(self, delivery: Message) -> int:
        now = datetime.now(UTC)
        secrets = await webhook_secrets.of_unit(self._database.pool, self._vault, delivery.unit_id, now)
        body = orjson.dumps(delivery.payload)
        signatures = [Webhook(each).sign(delivery.firing_id, now, body.decode()) for each in secrets.signing]
        headers = {
            "webhook-id": delivery.firing_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }
        if authorization := delivery.target.get("auth_header"):
            headers["Authorization"] = authorization
        return await self._poster.post(delivery.target["url"], body, headers)
