"""The outbox: messages of firings wait here for their delivery.

Whatever fires writes them in its own transaction, so that a firing and its messages are one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from leadvibe.ids import new_id
from leadvibe.store.queue import AnyConnection

Channel = Literal["webhook", "email", "slack", "teams"]

# What wakes the delivery processes.
WAKE_CHANNEL = "leadvibe_deliveries"

# The first try, and one after each wait of the schedule.
MOST_TRIES = 6

# No name in the DNS is longer, and a queue's name must fit into an index.
_LONGEST_HOST = 253

_COLUMNS = (
    "unit_id", "delivery_id", "firing_id", "trigger_type", "channel", "destination", "target", "payload",
    "status", "attempts", "tries_left", "due_at", "received_at", "created_at", "queued_at",
)  # fmt: skip


class NewDelivery(NamedTuple):
    """A message for a receiver.

    `type`: milestone.entered, milestone.exited, sequence.completed, pattern.matched or surge.fired.
    `target`: webhook {url, auth_header?}; email {to: [...], subject, preheader, message}; slack {kind:
    "channel" | "user", id}; teams {url} or {kind, id}. `payload`: the webhook's body, whose `id` is the firing's.
    `received_at`: when the event that caused the firing was accepted.
    """

    firing_id: str
    type: str
    channel: Channel
    target: dict[str, Any]
    payload: dict[str, Any]
    received_at: datetime


async def enqueue(connection: AnyConnection, unit_id: str, deliveries: Sequence[NewDelivery], now: datetime) -> None:
    """Appends the messages, in the caller's transaction. An e-mail becomes one message for each receiver, so that
    one bad address is no other's affair."""
    rows = [_row(unit_id, single, now) for delivery in deliveries for single in _single(delivery)]
    if rows:
        await connection.copy_records_to_table("deliveries", records=rows, columns=_COLUMNS)


async def wake(connection: AnyConnection) -> None:
    """Tells the delivery processes; a statement of its own, after the commit."""
    await connection.execute(f"NOTIFY {WAKE_CHANNEL}")


def destination(channel: Channel, target: dict[str, Any]) -> str:
    """The queue of a message within its unit: what fails together waits together. Each URL has its own, behind its
    host's name as a digest, since it may be long and secret: many receivers share one host."""
    url = target.get("url")
    if channel not in ("webhook", "teams") or not url:
        return channel
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:  # the sender refuses it
        return channel
    name = (parts.hostname or "")[:_LONGEST_HOST]
    name = f"[{name}]" if ":" in name else name
    return f"{channel} {parts.scheme}://{name}:{port} {hashlib.sha256(url.encode()).hexdigest()[:16]}"


def host_of(destination: str) -> str:
    """What several queues of a unit share: channel, scheme, host and port, or the channel alone."""
    return " ".join(destination.split(" ")[:2])


def _single(delivery: NewDelivery) -> Iterator[NewDelivery]:
    if delivery.channel != "email":
        yield delivery
        return
    for address in dict.fromkeys(delivery.target["to"]):
        yield delivery._replace(target=delivery.target | {"to": [address]})


def _row(unit_id: str, new: NewDelivery, now: datetime) -> tuple[Any, ...]:
    return (
        unit_id, new_id("dl"), new.firing_id, new.type, new.channel, destination(new.channel, new.target),
        new.target, new.payload, "waiting", 0, MOST_TRIES, now, new.received_at, now, now,
    )  # fmt: skip
