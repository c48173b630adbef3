"""The sender of each channel."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from leadvibe.config import Settings
from leadvibe.crypto import Vault
from leadvibe.mail import Mailer
from leadvibe.pipeline.delivery.email import EmailSender
from leadvibe.pipeline.delivery.posting import Poster
from leadvibe.pipeline.delivery.sender import Sender
from leadvibe.pipeline.delivery.slack import SlackSender
from leadvibe.pipeline.delivery.teams import TeamsSender
from leadvibe.pipeline.delivery.webhook import WebhookSender
from leadvibe.slack import Slack
from leadvibe.store.database import Database


@asynccontextmanager
async def open_senders(settings: Settings, database: Database) -> AsyncIterator[Mapping[str, Sender]]:
    """The senders by channel, until the end of the context."""
    poster = Poster(settings.delivery_timeout_seconds, settings.allow_private_webhooks)
    vault, slack = Vault.from_settings(settings), Slack(settings.slack_api_url, settings.delivery_timeout_seconds)
    try:
        yield {
            "webhook": WebhookSender(poster, database, vault),
            "slack": SlackSender(slack, database, vault),
            "email": EmailSender(Mailer(settings), database),
            "teams": TeamsSender(poster, database),
        }
    finally:
        await poster.close()
