"""What sends the messages of a channel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


class Refused(Exception):
    """The receiver will never take the message, or it must not be sent; `status_code` if HTTP answered."""

    def __init__(self, reason: str, status_code: int | None = None) -> None:
        super().__init__(reason)
        self.status_code = status_code


class Failed(Exception):
    """This try failed; another may succeed, after `retry_after` seconds if the receiver named them."""

    def __init__(self, reason: str, retry_after: float | None = None, status_code: int | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.status_code = status_code


@dataclass(frozen=True, slots=True)
class Message:
    """A message that is due. See `store.outbox.NewDelivery` for `type`, `target` and `payload`.

    `delivery_id` and `firing_id` are the same at each try; `attempt` counts them from 1.
    """

    unit_id: str
    delivery_id: str
    firing_id: str
    type: str
    channel: str
    destination: str
    target: dict[str, Any]
    payload: dict[str, Any]
    attempt: int
    tries_left: int
    received_at: datetime


class Sender(Protocol):
    """Sends the messages of one channel; many at once."""

    async def send(self, delivery: Message) -> int | None:
        """Returns when the receiver has taken the message, with its HTTP status if it has one; raises Refused or
        Failed.

        Anything else that is raised counts as Failed. It is cancelled when it takes too long.
        """
