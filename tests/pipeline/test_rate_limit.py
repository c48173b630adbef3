"""Token buckets that processes share: never more than they promise, and nothing held back for good."""

from __future__ import annotations

import asyncio
import time

import pytest

from leadvibe import metrics
from leadvibe.config import Settings
from leadvibe.errors import ApiError
from leadvibe.ids import new_id
from leadvibe.pipeline.rate_limit import RateLimiter
from leadvibe.store import rate_buckets
from leadvibe.store.database import Database
from tests.scoring.streams import at


def limiter(database: Database, rps: float, burst: int, mode: str = "enforce") -> RateLimiter:
    """That of one process."""
    settings = {"rate_limit_mode": mode, "rate_limit_rps": rps, "rate_limit_burst": burst}
    return RateLimiter(database, Settings.model_validate(settings))


async def passes(limits: RateLimiter, key: str) -> bool:
    try:
        await limits.admit(key)
    except ApiError as error:
        assert (error.status, error.code) == (429, "rate_limited")
        assert error.retry_after is not None and error.retry_after >= 1
        return False
    return True


@pytest.mark.parametrize(("rps", "burst"), [(50.0, 20), (500.0, 100), (3.0, 7)])
async def test_processes_together_keep_the_promise(database: Database, rps: float, burst: int) -> None:
    processes = [limiter(database, rps, burst) for _ in range(3)]
    key, allowed, began = new_id("org"), 0, time.monotonic()
    while time.monotonic() - began < 0.6:
        tried = await asyncio.gather(*(passes(each, key) for each in processes for _ in range(15)))
        allowed += sum(tried)
    seconds = time.monotonic() - began
    assert burst <= allowed <= rps * seconds + burst + len(processes) * processes[0].block
    # And what the rate gives back is used, but for blocks that a process has at the end.
    assert allowed >= burst + rps * seconds * 0.5 - len(processes) * processes[0].block - 1


async def test_a_burst_passes_whole_and_not_one_more(database: Database) -> None:
    limits = limiter(database, 0.01, 30)
    assert sum(await asyncio.gather(*(passes(limits, "a") for _ in range(100)))) == 30
    assert await passes(limits, "b"), "another key has a bucket of its own"


async def test_the_wait_is_told(database: Database) -> None:
    limits = limiter(database, 0.1, 1)
    await limits.admit("a")
    with pytest.raises(ApiError) as caught:
        await limits.admit("a")
    assert caught.value.retry_after in (10, 9)


async def test_observed_requests_pass_and_are_counted(database: Database) -> None:
    limits = limiter(database, 0.01, 2, "observe")
    counter = metrics.rate_limited.labels("observe", "org")
    before = counter._value.get()
    assert all([await passes(limits, "a") for _ in range(5)])
    assert counter._value.get() - before == 3


async def test_off_asks_nobody(database: Database) -> None:
    limits = limiter(database, 0.01, 1, "off")
    assert all([await passes(limits, "a") for _ in range(5)])
    assert await database.pool.fetchval("SELECT count(*) FROM rate_buckets") == 0


async def test_without_a_database_requests_pass(database: Database) -> None:
    await database.pool.execute("DROP TABLE rate_buckets")
    assert await passes(limiter(database, 0.01, 1), "a")


async def test_a_bucket_fills_up_to_its_burst_and_time_counts_once(database: Database) -> None:
    async def lease(wanted: int, second: float) -> int:
        return (await rate_buckets.lease(database, "a", 2.0, 10, wanted, at(second))).granted

    assert await lease(8, 0) == 8
    assert await lease(8, 1) == 4, "2 left and 2 gained"
    assert await lease(8, 0.5) == 0, "a clock that is behind gains nothing"
    assert await lease(8, 2) == 2
    assert await lease(99, 1_000) == 10
    assert await lease(99, 1_000) == 0


async def test_leases_at_the_same_moment_share_what_is_there(database: Database) -> None:
    leases = await asyncio.gather(*(rate_buckets.lease(database, "a", 1.0, 10, 4, at(0)) for _ in range(6)))
    assert sum(each.granted for each in leases) == 10


async def test_resting_buckets_are_forgotten(database: Database) -> None:
    await rate_buckets.lease(database, "old", 1.0, 10, 4, at(0))
    await rate_buckets.lease(database, "new", 1.0, 10, 4, at(100))
    assert await rate_buckets.purge(database, at(50)) == 1
    assert await database.pool.fetchval("SELECT key FROM rate_buckets") == "new"
