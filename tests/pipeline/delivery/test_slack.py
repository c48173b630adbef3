"""Messages to Slack, from the outbox to a stand-in of Slack."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import REGISTRY

from leadvibe.config import Settings
from leadvibe.crypto import Vault
from leadvibe.pipeline.delivery.slack import blocks
from leadvibe.store.database import Database
from leadvibe.store.slack_tables import SlackConnection
from tests.pipeline.delivery.outboxes import (
    REASON,
    attempts,
    delivering,
    enqueue,
    message,
    milestone,
    payload,
    until_status,
)
from tests.slack_stand_in import TOKEN, SlackStandIn, slack_stand_in

CHANNEL, PERSON = {"kind": "channel", "id": "C01"}, {"kind": "user", "id": "U7"}


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandIn]:
    async with slack_stand_in() as slack:
        yield slack


@pytest.fixture
def settings(settings: Settings, slack: SlackStandIn) -> Settings:
    return settings.model_copy(update={"slack_api_url": slack.url})


async def connect(database: Database, settings: Settings, unit_id: str, **target: str) -> None:
    token = Vault.from_settings(settings).seal(TOKEN)
    own = {"unit_id": unit_id, "team_id": "T1", "team_name": "Acme", "bot_user_id": "U0", "connected_by": "mem_1"}
    async with database.session() as session, session.begin():
        session.add(SlackConnection(**own, **target, bot_token=token, updated_at=datetime.now(UTC)))


def text_of(blocks: list[dict[str, Any]]) -> str:
    parts = [block["text"]["text"] for block in blocks if "text" in block]
    return "\n".join(parts + [field["text"] for block in blocks for field in block.get("fields", [])])


async def test_a_channel_and_a_person_are_told(
    database: Database, settings: Settings, unit: str, slack: SlackStandIn
) -> None:
    await connect(database, settings, unit)
    sent = [message("slack", CHANNEL, name="Jane"), message("slack", PERSON)]
    await enqueue(database, unit, *sent)
    async with delivering(database, settings):
        await until_status(database, unit, "delivered")
    assert sorted(each["channel"] for each in slack.messages) == ["C01", "D-U7"]
    assert {each["text"] for each in slack.messages} == {"[Hot lead] jane@acme.example reached 82"}
    assert "VP Sales" in text_of(slack.messages[0]["blocks"]) and "demo_request" in text_of(slack.messages[0]["blocks"])
    told = {each["metadata"]["event_payload"]["firing_id"] for each in slack.messages}
    assert told == {each.firing_id for each in sent}


async def test_the_default_target_is_told_where_a_trigger_asks_for_it(
    database: Database, settings: Settings, unit: str, other: str, slack: SlackStandIn
) -> None:
    await connect(database, settings, unit, default_target_kind="user", default_target_id="U9")
    await connect(database, settings, other)
    for place in (unit, other):
        await enqueue(database, place, message("slack", {"kind": "channel", "id": "default"}))
    async with delivering(database, settings):
        await until_status(database, unit, "delivered")
        (row,) = await until_status(database, other, "dead")
    assert [each["channel"] for each in slack.messages] == ["D-U9"]
    assert row["error"] == "The unit has no default target."


async def test_slack_s_wish_to_rest_is_kept(
    database: Database, settings: Settings, unit: str, slack: SlackStandIn
) -> None:
    await connect(database, settings, unit)
    slack.busy = [1]
    await enqueue(database, unit, message("slack", CHANNEL))
    async with delivering(database, settings):
        (row,) = await until_status(database, unit, "delivered")
    first, second = await attempts(database, row["delivery_id"])
    assert (first["outcome"], first["status_code"], second["outcome"]) == ("failed", 429, "delivered")
    assert (second["started_at"] - first["started_at"]).total_seconds() >= 1
    assert len(slack.messages) == 1


@pytest.mark.parametrize("code", ["channel_not_found", "invalid_auth", "is_archived"])
async def test_what_slack_refuses_is_not_tried_again(
    database: Database, settings: Settings, unit: str, slack: SlackStandIn, code: str
) -> None:
    await connect(database, settings, unit)
    slack.refuse["chat.postMessage"] = code
    await enqueue(database, unit, message("slack", CHANNEL))
    async with delivering(database, settings):
        (row,) = await until_status(database, unit, "dead")
    assert (row["attempts"], row["error"]) == (1, f"Slack refused: {code}.")
    assert TOKEN not in str(row)


async def test_a_unit_without_slack_sends_nothing(
    database: Database, settings: Settings, unit: str, other: str, slack: SlackStandIn
) -> None:
    await connect(database, settings, other)
    await enqueue(database, unit, message("slack", CHANNEL))
    async with delivering(database, settings):
        (row,) = await until_status(database, unit, "dead")
    assert row["error"] == "The unit is not connected with Slack." and slack.calls == []


async def test_a_message_that_slack_took_though_it_did_not_say_so_is_there_once(
    database: Database, settings: Settings, unit: str, slack: SlackStandIn
) -> None:
    await connect(database, settings, unit)
    slack.lost = 2
    await enqueue(database, unit, message("slack", CHANNEL))
    async with delivering(database, settings):
        (row,) = await until_status(database, unit, "delivered")
    assert (row["attempts"], len(slack.messages)) == (3, 1)


def test_nothing_in_a_lead_is_a_link_or_a_mention() -> None:
    text = text_of(blocks(payload("ntf_1", metadata={"name": "<!channel> & <https://evil.example|you>"}), "a < b"))
    assert "<" not in text and "&lt;!channel&gt; &amp;" in text and "*Why:* a &lt; b" in text


def test_blocks_stay_within_slack_s_bounds() -> None:
    long = payload("ntf_1", metadata={f"key_{n}" * 500: "&" * 5000 for n in range(50)})
    made = blocks(long, "<" * 9000)
    for block in made:
        assert len(block.get("text", {"text": ""})["text"]) <= 3000
        assert len(block.get("fields", [])) <= 10
        assert all(len(field["text"]) <= 2000 for field in block.get("fields", []))


async def test_an_event_that_fires_a_milestone_is_told_with_its_reason_and_timed(
    database: Database, settings: Settings, slack: SlackStandIn
) -> None:
    place = await milestone(database, slack_target_kind="channel", slack_target_id="C01")
    await connect(database, settings, place.unit_id)
    before = latencies()
    async with delivering(database, settings):
        await place.work()
        await until_status(database, place.unit_id, "delivered")
        async with asyncio.timeout(10):
            while latencies() == before:  # noqa: ASYNC110  (counted just after it is written down)
                await asyncio.sleep(0.01)
    (told,) = slack.messages
    assert told["channel"] == "C01" and "[Hot lead]" in told["text"]
    assert f"*Why:* {REASON}" in text_of(told["blocks"])
    count, seconds = latencies()[0] - before[0], latencies()[1] - before[1]
    assert count == 1 and 0 < seconds < 30


def latencies() -> tuple[float, float]:
    """How many messages to Slack were timed, and their seconds."""
    name = "event_to_slack_latency_seconds"
    return tuple(REGISTRY.get_sample_value(f"{name}_{part}") or 0.0 for part in ("count", "sum"))  # type: ignore[return-value]
