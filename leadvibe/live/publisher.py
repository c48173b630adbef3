"""Tells the API processes, after a commit, how far a unit's event log has grown."""

from __future__ import annotations

import logging

from leadvibe.live.bus import Bus, bus_of

_log = logging.getLogger(__name__)


def channel_of(unit_id: str) -> str:
    return f"ou:{unit_id}"


def last_seq_of(message: str) -> int:
    """The last event of the range that a message names."""
    return int(message.rpartition(":")[2])


async def announce(bus: Bus, unit_id: str, from_seq: int, to_seq: int) -> None:
    """Events from_seq … to_seq of the unit are committed. Never raises: the events are safe, and a hub
    that misses the message finds them when it polls."""
    try:
        await bus.publish(channel_of(unit_id), f"{from_seq}:{to_seq}")
    except Exception as error:
        _log.warning("Nobody could be told of events %d to %d of %s: %r", from_seq, to_seq, unit_id, error)


class Publisher:
    """The worker's end of the bus. A message is a reference to events, never the events themselves:
    NOTIFY takes 8,000 bytes, and whoever reads the log needs no trust in the message."""

    def __init__(self, broadcast_url: str) -> None:
        self._bus = bus_of(broadcast_url)

    async def connect(self) -> None:
        await self._bus.connect()

    async def close(self) -> None:
        await self._bus.close()

    async def publish(self, unit_id: str, from_seq: int, to_seq: int) -> None:
        await announce(self._bus, unit_id, from_seq, to_seq)
