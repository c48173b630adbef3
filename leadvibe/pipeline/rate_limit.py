"""Rate limits: a token bucket for each key, shared by all processes.

A process leases tokens in blocks from the bucket's row, and spends them without asking again. So N processes
together never allow more than rps · t + burst + N · block requests in any t seconds: a block is what a process may
have leased before. Every request costs one token, whatever it carries.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

import asyncpg
from cachetools import LRUCache

from leadvibe import metrics
from leadvibe.config import Settings
from leadvibe.errors import ApiError
from leadvibe.store import rate_buckets
from leadvibe.store.database import Database

# A lease that is not spent by then is void: an idle process holds no tokens back for later.
_LEASE_SECONDS = 1.0
_MOST_KEYS = 10_000

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Lease:
    """What this process may spend for a key. Until `empty_until` (monotonic) the bucket is known to be empty."""

    tokens: int = 0
    until: float = 0.0
    empty_until: float = 0.0
    waiting: int = 0
    asking: asyncio.Task[None] | None = None


@dataclass(slots=True)
class RateLimiter:
    """Counts requests by key. `settings.rate_limit_mode`: off does nothing, observe counts what would be refused,
    enforce refuses it."""

    database: Database
    settings: Settings
    _leases: LRUCache[str, _Lease] = field(default_factory=lambda: LRUCache(_MOST_KEYS))

    @property
    def enabled(self) -> bool:
        return self.settings.rate_limit_mode != "off"

    @property
    def by_address(self) -> bool:
        """Whether requests are counted before their sender is known."""
        return self.enabled and self.settings.rate_limit_key == "ip"

    @property
    def by_caller(self) -> bool:
        """Whether requests are counted by their sender."""
        return self.enabled and self.settings.rate_limit_key != "ip"

    @property
    def block(self) -> int:
        """How many tokens are leased at once: those of a tenth of a second, but at most a tenth of a burst."""
        return max(1, min(int(self.settings.rate_limit_rps / 10), self.settings.rate_limit_burst // 10))

    async def admit(self, key: str) -> None:
        """Takes a token; raises 429 when there is none and limits are enforced. Off: always returns."""
        if not self.enabled:
            return
        wait = await self._take(key)
        if wait is None:
            return
        mode = self.settings.rate_limit_mode
        metrics.rate_limited.labels(mode, self.settings.rate_limit_key).inc()
        if mode == "enforce":
            seconds = max(1, math.ceil(wait))
            raise ApiError(429, "rate_limited", f"Too many requests; wait {seconds} s.", retry_after=seconds)

    async def _take(self, key: str) -> float | None:
        """None when a token was taken, else the seconds until there may be one."""
        lease = self._leases.get(key)
        if lease is None:
            lease = self._leases[key] = _Lease()
        while True:
            now = time.monotonic()
            if lease.tokens > 0 and now < lease.until:
                lease.tokens -= 1
                return None
            if now < lease.empty_until:
                return lease.empty_until - now
            if lease.asking is None:
                lease.asking = asyncio.create_task(self._ask(key, lease))
            lease.waiting += 1
            try:
                await asyncio.shield(lease.asking)
            finally:
                lease.waiting -= 1

    async def _ask(self, key: str, lease: _Lease) -> None:
        """Leases for all that wait; without a database every one of them may pass."""
        await asyncio.sleep(0)  # the one who asks waits by now, too
        wanted = max(self.block, lease.waiting)
        rps, burst = self.settings.rate_limit_rps, self.settings.rate_limit_burst
        try:
            granted, left = await rate_buckets.lease(self.database, key, rps, burst, wanted, datetime.now(UTC))
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            _log.warning("Rate limits cannot be counted, requests pass: %r", error)
            granted, left = wanted, 0.0
        finally:
            lease.asking = None
        now = time.monotonic()
        lease.tokens, lease.until = granted, now + _LEASE_SECONDS
        lease.empty_until = now + (1 - left) / rps if granted < wanted else 0.0
