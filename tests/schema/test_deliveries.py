"""The log of deliveries over GraphQL, sending again, and the webhook secret."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.store import delivery_queue
from leadvibe.store.database import Database
from leadvibe.store.outbox import MOST_TRIES
from tests.pipeline.delivery.outboxes import enqueue, hook, message, rows
from tests.schema.conftest import Server

LOG = """
query ($first: Int! = 50, $after: String, $status: DeliveryStatus, $channel: DeliveryChannel, $type: String) {
  deliveries(first: $first, after: $after, status: $status, channel: $channel, triggerType: $type) {
    totalCount pageInfo { endCursor hasNextPage }
    nodes {
      id firingId triggerType channel destination payload status attemptCount statusCode error nextAttemptAt finishedAt
      attempts { number outcome statusCode error seconds startedAt }
    }
  }
}
"""
REDELIVER = "mutation ($id: ID!) { redeliver(id: $id) { id status attemptCount nextAttemptAt } }"
SECRET = "{ webhookSecret { secret createdAt previous previousUntil } }"
ROTATE = "mutation { rotateWebhookSecret { secret previous previousUntil } }"


def code(answer: dict[str, Any]) -> str:
    return str(answer["errors"][0]["extensions"]["code"])


async def one_try(database: Database, unit_id: str, outcome: str) -> None:
    """All that is due is tried once, and this is how it ends."""
    now = datetime.now(UTC)
    async with database.pool.acquire() as connection:
        for destination in await delivery_queue.due_destinations(connection, unit_id, now):
            taken = await delivery_queue.claim(connection, unit_id, destination, now, timedelta(seconds=30), 100)
            results = [
                delivery_queue.Result(
                    row["delivery_id"], row["attempts"], outcome, 500, "The receiver answered 500.", now, 0.25, None
                )
                for row in taken
            ]
            await delivery_queue.finish(connection, unit_id, results, now)


async def log(server: Server, who: Bootstrapped, **variables: Any) -> dict[str, Any]:
    answer = await server.ask(LOG, variables, as_=who)
    assert "errors" not in answer, answer
    found: dict[str, Any] = answer["data"]["deliveries"]
    return found


async def test_the_log_tells_of_every_try_and_hides_paths(
    server: Server, database: Database, acme: Bootstrapped, rival: Bootstrapped
) -> None:
    (firing,) = await enqueue(database, acme.unit_id, hook("https://hooks.example/secret-path"))
    (node,) = (await log(server, acme))["nodes"]
    assert (node["status"], node["attemptCount"], node["attempts"]) == ("WAITING", 0, [])
    assert node["nextAttemptAt"] is not None
    await one_try(database, acme.unit_id, "refused")
    (node,) = (await log(server, acme))["nodes"]
    assert node["firingId"] == node["payload"]["id"] == firing
    assert node["destination"] == "https://hooks.example:443"
    assert (node["status"], node["statusCode"], node["nextAttemptAt"]) == ("DEAD", 500, None)
    (attempt,) = node["attempts"]
    assert (attempt["number"], attempt["outcome"], attempt["seconds"]) == (1, "REFUSED", 0.25)
    assert (await log(server, rival))["nodes"] == []


async def test_the_log_is_filtered_and_paged(server: Server, database: Database, acme: Bootstrapped) -> None:
    mails = message("email", {"to": ["a@x.example", "b@x.example"]})
    surge = hook("https://h.example/")._replace(type="surge.fired")
    await enqueue(database, acme.unit_id, *(hook(f"https://h{i}.example/") for i in range(5)))
    await one_try(database, acme.unit_id, "delivered")
    await enqueue(database, acme.unit_id, mails, surge)
    assert (await log(server, acme, status="DELIVERED"))["totalCount"] == 5
    assert (await log(server, acme, type="surge.fired"))["totalCount"] == 1
    found = (await log(server, acme, channel="EMAIL"))["nodes"]
    assert {node["destination"] for node in found} == {"a@x.example", "b@x.example"}
    seen, after = [], None
    while True:
        page = await log(server, acme, first=3, after=after)
        seen += [node["id"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert len(seen) == len(set(seen)) == 8 == page["totalCount"]


async def test_a_dead_delivery_is_sent_again_under_the_same_id(
    server: Server, database: Database, acme: Bootstrapped, rival: Bootstrapped
) -> None:
    (firing,) = await enqueue(database, acme.unit_id, hook("https://h.example/"))
    await one_try(database, acme.unit_id, "refused")
    (row,) = await rows(database, acme.unit_id)
    variables = {"id": row["delivery_id"]}
    assert code(await server.ask(REDELIVER, variables, as_=rival)) == "not_found"
    assert (await rows(database, acme.unit_id))[0]["status"] == "dead"
    answer = await server.ask(REDELIVER, variables, as_=acme)
    assert answer["data"]["redeliver"]["status"] == "WAITING"
    (row,) = await rows(database, acme.unit_id)
    assert (row["firing_id"], row["tries_left"]) == (firing, MOST_TRIES)
    await one_try(database, acme.unit_id, "delivered")
    (node,) = (await log(server, acme))["nodes"]
    assert [attempt["number"] for attempt in node["attempts"]] == [1, 2]
    one = await server.ask("query ($id: ID!) { delivery(id: $id) { status } }", variables, as_=acme)
    assert one["data"]["delivery"]["status"] == "DELIVERED"


async def test_what_is_being_sent_is_not_sent_again(server: Server, database: Database, acme: Bootstrapped) -> None:
    await enqueue(database, acme.unit_id, hook("https://h.example/"))
    (row,) = await rows(database, acme.unit_id)
    await database.pool.execute("UPDATE deliveries SET status = 'sending'")
    assert code(await server.ask(REDELIVER, {"id": row["delivery_id"]}, as_=acme)) == "being_sent"


async def test_all_dead_ones_are_sent_again(
    server: Server, database: Database, acme: Bootstrapped, rival: Bootstrapped
) -> None:
    for each in (acme, rival):
        await enqueue(database, each.unit_id, *(hook("https://h.example/") for _ in range(3)))
        await one_try(database, each.unit_id, "refused")
    await enqueue(database, acme.unit_id, message("email", {"to": ["a@x.example"]}))
    await one_try(database, acme.unit_id, "refused")
    answer = await server.ask("mutation { redeliverDead(input: {channel: WEBHOOK}) }", as_=acme)
    assert answer["data"]["redeliverDead"] == 3
    answer = await server.ask("mutation { redeliverDead(input: {}) }", as_=acme)
    assert answer["data"]["redeliverDead"] == 1
    assert {row["status"] for row in await rows(database, acme.unit_id)} == {"waiting"}
    assert {row["status"] for row in await rows(database, rival.unit_id)} == {"dead"}


@pytest.mark.parametrize("id", ["", "dl_none", "\0"])
async def test_an_unknown_delivery_is_not_found(server: Server, acme: Bootstrapped, id: str) -> None:
    assert code(await server.ask("query ($id: ID!) { delivery(id: $id) { id } }", {"id": id}, as_=acme)) == "not_found"
    assert code(await server.ask(REDELIVER, {"id": id}, as_=acme)) == "not_found"


async def test_owners_read_and_rotate_the_secret(server: Server, acme: Bootstrapped, rival: Bootstrapped) -> None:
    first = (await server.ask(SECRET, as_=acme))["data"]["webhookSecret"]
    assert first["secret"].startswith("whsec_")
    Webhook(first["secret"])
    assert (await server.ask(SECRET, as_=acme))["data"]["webhookSecret"] == first
    assert (await server.ask(SECRET, as_=rival))["data"]["webhookSecret"]["secret"] != first["secret"]
    new = (await server.ask(ROTATE, as_=acme))["data"]["rotateWebhookSecret"]
    assert new["previous"] == first["secret"] != new["secret"]
    assert datetime.fromisoformat(new["previousUntil"]) > datetime.now(UTC) + timedelta(hours=23)


async def test_the_secret_is_for_owners_only(server: Server, database: Database, acme: Bootstrapped) -> None:
    await database.pool.execute("UPDATE ou_memberships SET role = 'Operator' WHERE unit_id = $1", acme.unit_id)
    assert code(await server.ask(SECRET, as_=acme)) == "forbidden"
    assert code(await server.ask(ROTATE, as_=acme)) == "forbidden"
