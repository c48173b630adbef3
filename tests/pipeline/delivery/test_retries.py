"""The schedule of retries, and the breaker of a destination."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leadvibe.pipeline.delivery.retries import Breaker, wait_seconds
from leadvibe.store.outbox import MOST_TRIES

MINUTES = [1, 5, 30, 120, 720]


def test_the_waits_grow_and_the_last_try_is_the_last() -> None:
    for i, minutes in enumerate(MINUTES):
        wait = wait_seconds(MOST_TRIES - i, 60, None)
        assert wait is not None
        assert 0.8 * minutes * 60 <= wait <= 1.2 * minutes * 60
    assert wait_seconds(1, 60, None) is None


def test_waits_are_spread() -> None:
    assert len({wait_seconds(MOST_TRIES, 60, None) for _ in range(20)}) > 10


@given(st.integers(2, MOST_TRIES), st.floats(0, 1e9))
def test_a_receivers_wish_is_respected_within_reason(tries_left: int, wish: float) -> None:
    wait = wait_seconds(tries_left, 60, wish)
    assert wait is not None
    assert min(wish, 12 * 3600) <= wait <= 1.2 * 12 * 3600


def test_the_breaker_opens_after_failures_in_a_row_and_probes() -> None:
    breaker, now = Breaker(60), 1000.0
    for _ in range(4):
        breaker.running = 1
        breaker.failed(now, None)
        assert breaker.free(now) == 1
    breaker.running = 1
    breaker.failed(now, None)
    assert breaker.free(now) == breaker.free(now + 29) == 0
    assert breaker.free(now + 30) == 1  # half open
    breaker.running = 1
    assert breaker.free(now + 30) == 0  # one probe, not two
    breaker.failed(now + 30, None)
    assert breaker.free(now + 89) == 0
    breaker.running = 1
    breaker.succeeded()
    assert breaker.free(now + 90) == 2


def test_the_pause_ends_some_day() -> None:
    breaker = Breaker(60)
    for _ in range(2000):
        breaker.running = 1
        breaker.failed(0.0, None)
    assert breaker.free(600) == 1


def test_more_is_sent_at_once_while_it_goes_well() -> None:
    breaker, seen = Breaker(60), []
    for _ in range(6):
        seen.append(breaker.free(0))
        breaker.running = 1
        breaker.succeeded()
    assert seen == [1, 2, 4, 8, 8, 8]


def test_who_asks_for_patience_asks_it_for_all_messages() -> None:
    breaker = Breaker(60)
    breaker.running = 1
    breaker.failed(0, 90)
    assert breaker.free(89) == 0
    assert breaker.free(90) == 1
