"""Webhooks to real receivers: signed, tried again while that makes sense, always under the same id."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import orjson
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from leadvibe.config import Settings
from leadvibe.crypto import Vault
from leadvibe.store import webhook_secrets
from leadvibe.store.database import Database
from tests.pipeline.delivery.outboxes import attempts, delivering, enqueue, hook, until_status
from tests.pipeline.delivery.receiver import OK, Answer, answers, at, dies, first, hangs, receiver


async def test_a_webhook_is_signed_as_the_convention_asks(database: Database, settings: Settings, unit: str) -> None:
    async with receiver(OK) as there, delivering(database, settings):
        sent = hook(there.url, auth_header="Token abc")
        await enqueue(database, unit, sent)
        (request,) = await there.until(1)
        (row,) = await until_status(database, unit, "delivered")
    secrets = await webhook_secrets.of_unit(database.pool, Vault.from_settings(settings), unit, datetime.now(UTC))
    assert Webhook(secrets.secret).verify(request.body, request.headers) == sent.payload
    assert request.id == sent.firing_id == orjson.loads(request.body)["id"]
    assert request.headers["authorization"] == "Token abc"
    assert request.headers["host"] == f"127.0.0.1:{there.port}"
    assert request.line == "POST /hook HTTP/1.1"
    assert (row["attempts"], row["error"], row["due_at"]) == (1, None, None)
    stored = await database.pool.fetchval("SELECT secret FROM webhook_secrets WHERE unit_id = $1", unit)
    assert secrets.secret not in stored


async def test_both_secrets_sign_after_a_rotation(database: Database, settings: Settings, unit: str) -> None:
    vault, now = Vault.from_settings(settings), datetime.now(UTC)
    old = await webhook_secrets.of_unit(database.pool, vault, unit, now)
    new = await webhook_secrets.rotate(database.pool, vault, unit, now)
    assert new.previous == old.secret != new.secret
    async with receiver(OK) as there, delivering(database, settings):
        await enqueue(database, unit, hook(there.url))
        (request,) = await there.until(1)
        for secret in (old.secret, new.secret):
            Webhook(secret).verify(request.body, request.headers)
        await database.pool.execute("UPDATE webhook_secrets SET previous_until = $1", now)
        await enqueue(database, unit, hook(there.url))
        _, request = await there.until(2)
    Webhook(new.secret).verify(request.body, request.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old.secret).verify(request.body, request.headers)


async def test_units_have_secrets_of_their_own(database: Database, settings: Settings, unit: str, other: str) -> None:
    vault, now = Vault.from_settings(settings), datetime.now(UTC)
    made = await asyncio.gather(
        *(webhook_secrets.of_unit(database.pool, vault, each, now) for each in [unit, other] * 4)
    )
    assert len({each.secret for each in made}) == 2


@pytest.mark.parametrize("trouble", [answers(500), answers(503), answers(408), answers(429), dies])
async def test_trouble_passes(database: Database, settings: Settings, unit: str, trouble: object) -> None:
    async with receiver(first(2, trouble, OK)) as there, delivering(database, settings):  # type: ignore[arg-type]
        (firing,) = await enqueue(database, unit, hook(there.url))
        await there.until(3)
        (row,) = await until_status(database, unit, "delivered")
    assert there.ids() == [firing] * 3
    assert len({request.body for request in there.requests}) == 1
    log = await attempts(database, row["delivery_id"])
    assert [entry["outcome"] for entry in log] == ["failed", "failed", "delivered"]
    assert row["status_code"] == log[2]["status_code"] == 204
    assert all(entry["error"] for entry in log[:2])


@pytest.mark.parametrize("status", [400, 404, 410, 301, 302, 307, 308])
async def test_other_answers_are_final_and_redirects_are_not_followed(
    database: Database, settings: Settings, unit: str, status: int
) -> None:
    async with receiver(OK) as elsewhere:
        async with receiver(answers(status, f"Location: {elsewhere.url}\r\n")) as there, delivering(database, settings):
            await enqueue(database, unit, hook(there.url))
            (row,) = await until_status(database, unit, "dead")
        assert (len(there.requests), elsewhere.requests) == (1, [])
    assert row["status_code"] == status
    assert row["due_at"] is None


async def test_a_receiver_says_how_long_to_wait(database: Database, settings: Settings, unit: str) -> None:
    busy = first(1, answers(429, "Retry-After: 1\r\n"), OK)
    settings = settings.model_copy(update={"delivery_retry_seconds": 0.2})
    async with receiver(busy) as there, delivering(database, settings):
        await enqueue(database, unit, hook(there.url))
        one, two = await there.until(2)
    assert two.at - one.at >= 1


async def test_a_hanging_receiver_delays_no_other(
    database: Database, settings: Settings, unit: str, other: str
) -> None:
    settings = settings.model_copy(update={"delivery_timeout_seconds": 2.0})
    async with (
        receiver(hangs) as dead,
        receiver(OK) as alive,
        receiver(OK) as theirs,
        delivering(database, settings),
    ):
        await enqueue(database, unit, *(hook(dead.url) for _ in range(500)))
        await dead.until(1)
        began = time.monotonic()
        mine = await enqueue(database, unit, *(hook(alive.url) for _ in range(20)))
        foreign = await enqueue(database, other, *(hook(theirs.url) for _ in range(20)))
        await alive.until_ids(mine)
        await theirs.until_ids(foreign)
        assert time.monotonic() - began < 1
        assert dead.most_open == 1


@pytest.mark.parametrize("trouble", [hangs, answers(500), answers(429, "Retry-After: 60\r\n")])
async def test_receivers_of_one_host_do_not_wait_for_each_other(
    database: Database, settings: Settings, unit: str, trouble: Answer
) -> None:
    settings = settings.model_copy(update={"delivery_timeout_seconds": 20.0, "delivery_retry_seconds": 30.0})
    async with receiver(at("/dead", trouble, OK)) as there, delivering(database, settings):
        await enqueue(database, unit, *(hook(f"http://127.0.0.1:{there.port}/dead") for _ in range(50)))
        await there.until(1)
        wanted = await enqueue(database, unit, *(hook(there.url) for _ in range(20)))
        await there.until_ids(wanted, seconds=5)


async def test_what_times_out_is_tried_again(database: Database, settings: Settings, unit: str) -> None:
    settings = settings.model_copy(update={"delivery_timeout_seconds": 0.2})
    async with receiver(first(1, hangs, OK)) as there, delivering(database, settings):
        (firing,) = await enqueue(database, unit, hook(there.url))
        await there.until(2)
        (row,) = await until_status(database, unit, "delivered")
    assert there.ids() == [firing] * 2
    assert "0.2 seconds" in (await attempts(database, row["delivery_id"]))[0]["error"]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://example.com/",
        "nonsense",
        "http://",
        "http://[::1",
        "http://a b/",
        "file:///etc/passwd",
        "http://" + "".join(chr(0x4E00 + i) for i in range(1_900)),  # longer than what an index takes
    ],
)
async def test_a_url_that_is_none_is_refused(database: Database, settings: Settings, unit: str, url: str) -> None:
    async with delivering(database, settings):
        await enqueue(database, unit, hook(url))
        (row,) = await until_status(database, unit, "dead")
    assert row["attempts"] == 1
    assert row["error"]
