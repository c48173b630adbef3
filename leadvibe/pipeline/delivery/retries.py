"""When to try again, and when to leave a destination alone."""

from __future__ import annotations

import random
from dataclasses import dataclass

from leadvibe.store.outbox import MOST_TRIES

# In multiples of the first wait: with that at 1 min they are 1 min, 5 min, 30 min, 2 h and 12 h.
_SCHEDULE = (1, 5, 30, 120, 720)

_OPENS_AFTER = 5
_LONGEST_PAUSE = 10  # in multiples of the first wait
MOST_AT_ONCE = 8


def wait_seconds(tries_left: int, base_seconds: float, retry_after: float | None) -> float | None:
    """How long to wait when the last of some tries failed; None when it was the last one.

    `tries_left` counts it. The schedule's wait is spread by a fifth to either side, so that what failed together
    does not come together; a receiver's own wish is respected, up to the longest wait.
    """
    if tries_left <= 1:
        return None
    wait = _SCHEDULE[min(max(0, MOST_TRIES - tries_left), len(_SCHEDULE) - 1)] * base_seconds
    jittered = wait * random.uniform(0.8, 1.2)  # noqa: S311  (no secret)
    return max(jittered, min(retry_after or 0.0, _SCHEDULE[-1] * base_seconds))


@dataclass(slots=True)
class Breaker:
    """What a process knows of a destination. Times are seconds of a monotonic clock.

    It begins with one message at once; each success doubles that, up to 8. After 5 failures in a row it opens:
    nothing is sent for a while, longer each time, and then one message as a probe. A success closes it.
    """

    base_seconds: float
    running: int = 0
    limit: int = 1
    failures: int = 0
    paused_until: float = 0.0

    def free(self, now: float) -> int:
        """How many messages may start now."""
        return 0 if now < self.paused_until else max(0, self.limit - self.running)

    def succeeded(self) -> None:
        self.running -= 1
        self.failures = 0
        self.paused_until = 0.0
        self.limit = min(self.limit * 2, MOST_AT_ONCE)

    def failed(self, now: float, retry_after: float | None) -> None:
        self.running -= 1
        self.failures += 1
        self.limit = 1
        pause = 0.0
        if self.failures >= _OPENS_AFTER:
            doubled = self.base_seconds / 2 * 2 ** min(self.failures - _OPENS_AFTER, 16)
            pause = min(doubled, _LONGEST_PAUSE * self.base_seconds)
        # Who asks for patience asks it for all messages, not for this one.
        asked = min(retry_after or 0.0, _LONGEST_PAUSE * self.base_seconds)
        self.paused_until = max(self.paused_until, now + max(pause, asked)) if pause or asked else self.paused_until
