"""Messages to a channel of Microsoft Teams, by its incoming webhook."""

from __future__ import annotations

from typing import Any

import orjson

from leadvibe.pipeline.delivery.facts import facts, headline
from leadvibe.pipeline.delivery.posting import Poster
from leadvibe.pipeline.delivery.sender import Message, Refused
from leadvibe.pipeline.delivery.why import reason
from leadvibe.store.database import Database

# Teams takes messages of up to 28 KB.
_MOST_FACTS = 30
_LONGEST_VALUE = 300


class TeamsSender:
    """Posts an adaptive card."""

    def __init__(self, poster: Poster, database: Database) -> None:
        self._poster = poster
        self._database = database

    async def send(self, delivery: Message) -> int:
        url = delivery.target.get("url")
        if not url:
            raise Refused("Teams is reached by the URL of an incoming webhook, and the trigger names none.")
        why = await reason(self._database, delivery)
        return await self._poster.post(url, orjson.dumps(card(delivery.payload, why)), {})


def card(payload: dict[str, Any], why: str | None) -> dict[str, Any]:
    """The message of an incoming webhook: one adaptive card with a headline and facts."""
    shown = [{"title": name, "value": _plain(value)} for name, value in facts(payload, why)[:_MOST_FACTS]]
    title = {"type": "TextBlock", "text": _plain(headline(payload)), "weight": "Bolder", "size": "Medium", "wrap": True}
    content = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [title, {"type": "FactSet", "facts": shown}],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": content}
    return {"type": "message", "attachments": [attachment]}


def _plain(text: str) -> str:
    """Without the Markdown that Teams would make links and images of."""
    cut = text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"
    return cut.replace("[", "\\[").replace("]", "\\]")
