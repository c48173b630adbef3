"""Messages to a unit's Slack: who the lead is, what it reached, and why."""

from __future__ import annotations

import uuid
from typing import Any

from leadvibe.crypto import SealError, Vault
from leadvibe.pipeline.delivery.facts import facts, headline
from leadvibe.pipeline.delivery.sender import Failed, Message, Refused
from leadvibe.pipeline.delivery.why import reason
from leadvibe.slack import Slack, SlackBusy, SlackDown, SlackRefused, escape
from leadvibe.store.database import Database

# Slack's words for what may pass by itself; whatever else it refuses, it will refuse again.
_PASSING = {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"}
# It has seen the message's id before, so the message is there.
_KNOWN = {"duplicate_message_not_found", "duplicate_channel_not_found"}

# Instead of an id in a trigger's target; Slack's ids are upper case.
_DEFAULT = "default"

# Slack takes 10 fields in a section, of 2,000 characters each; an escaped character takes up to 5.
_MOST_FIELDS = 10
_LONGEST = 300


class SlackSender:
    """Writes to the target of a delivery, with the bot of its unit's workspace."""

    def __init__(self, slack: Slack, database: Database, vault: Vault) -> None:
        self._slack = slack
        self._database = database
        self._vault = vault

    async def send(self, delivery: Message) -> None:
        token, kind, target_id = await self._receiver(delivery)
        why = await reason(self._database, delivery)
        text = headline(delivery.payload)
        try:
            channel = await self._slack.conversation(token, kind, target_id)
            await self._slack.post(
                token,
                channel,
                _plain(text),
                blocks=blocks(delivery.payload, why),
                metadata=_metadata(delivery),
                client_msg_id=str(uuid.uuid5(uuid.NAMESPACE_OID, delivery.delivery_id)),
            )
        except SlackBusy as busy:
            raise Failed(str(busy), busy.retry_after, 429) from None
        except SlackDown as down:
            raise Failed(str(down), status_code=down.status_code) from None
        except SlackRefused as refused:
            if refused.code in _PASSING:
                raise Failed(str(refused)) from None
            if refused.code not in _KNOWN:
                raise Refused(str(refused)) from None

    async def _receiver(self, delivery: Message) -> tuple[str, str, str]:
        """Token, kind and id; the id `default` is whatever the unit has chosen by now."""
        row = await self._database.pool.fetchrow(
            "SELECT bot_token, default_target_kind, default_target_id FROM slack_connections WHERE unit_id = $1",
            delivery.unit_id,
        )
        if row is None:
            raise Refused("The unit is not connected with Slack.")
        kind, target_id = delivery.target.get("kind"), delivery.target.get("id")
        if target_id == _DEFAULT:
            kind, target_id = row["default_target_kind"], row["default_target_id"]
        if kind is None or target_id is None:
            raise Refused("The unit has no default target.")
        try:
            return self._vault.open(row["bot_token"]), kind, target_id
        except SealError as error:
            raise Refused(str(error)) from None


def blocks(payload: dict[str, Any], why: str | None) -> list[dict[str, Any]]:
    """Block Kit: the headline, the reason, the facts."""
    shown = facts(payload)[:_MOST_FIELDS]
    made = [_section(f"*{_plain(headline(payload))}*")]
    if why:
        made.append(_section(f"*Why:* {_plain(why)}"))
    if shown:
        fields = [_mrkdwn(f"*{_plain(name)}*\n{_plain(value)}") for name, value in shown]
        made.append({"type": "section", "fields": fields})
    return made


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _mrkdwn(text)}


def _mrkdwn(text: str) -> dict[str, Any]:
    # Verbatim: nothing in the text becomes a link or a mention by itself.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _plain(text: str) -> str:
    """One line, not too long, in which nothing is a link or a mention."""
    line = " ".join(text.split())
    return escape(line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…")


def _metadata(delivery: Message) -> dict[str, Any]:
    """What programs that read the channel know a firing by."""
    event = {"firing_id": delivery.firing_id, "delivery_id": delivery.delivery_id}
    return {"event_type": delivery.type.replace(".", "_"), "event_payload": event}
