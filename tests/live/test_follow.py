"""A subscriber follows its unit live: every event once, in order, and none of another unit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from leadvibe.live.hub import Hub
from tests.live.conftest import ids, take
from tests.live.event_log import OTHER, PRIMARY, EventLog


async def test_a_subscriber_sees_what_is_scored_from_now_on(hub: Hub, log: EventLog) -> None:
    await log.score({}, {})
    async with hub.subscribe(log.unit_id) as subscription:
        await log.score({}, {"lead_id": None, "suppression_reason": "inorganic", "scores": None})
        scored, suppressed = await take(subscription, 2)
    assert (scored.seq, scored.lead_id, scored.headline.delta, scored.headline.score) == (3, "ld_1", 1, 3)
    assert {change.ruleset_id for change in scored.changes} == {PRIMARY, OTHER}
    assert (suppressed.seq, suppressed.suppression_reason, suppressed.changes) == (4, "inorganic", ())


async def test_events_come_once_and_in_order_however_they_are_batched(hub: Hub, log: EventLog) -> None:
    async with hub.subscribe(log.unit_id) as subscription:
        for size in (1, 700, 3, 1, 90):
            await log.score(*[{}] * size)
        assert ids(await take(subscription, 795)) == log.events


async def test_one_object_serves_all_subscribers_of_a_unit(hub: Hub, log: EventLog, stack: AsyncExitStack) -> None:
    subscriptions = [await stack.enter_async_context(hub.subscribe(log.unit_id)) for _ in range(5)]
    await log.score({})
    received = [(await take(subscription, 1))[0] for subscription in subscriptions]
    assert all(event is received[0] for event in received)


async def test_two_units_never_see_each_other(
    hub: Hub, new_log: Callable[[str], Awaitable[EventLog]], stack: AsyncExitStack
) -> None:
    a, b = await new_log("unit_a"), await new_log("unit_b")
    of_a = await stack.enter_async_context(hub.subscribe("unit_a"))
    of_b = await stack.enter_async_context(hub.subscribe("unit_b"))
    for _ in range(20):
        await asyncio.gather(a.score({}), b.score({}, {}))
    assert ids(await take(of_a, 20)) == a.events
    assert ids(await take(of_b, 40)) == b.events
    async with hub.subscribe("unit_b", "20:1") as resumed:
        assert ids(await take(resumed, 21)) == b.events[19:]


async def test_a_message_that_was_lost_delays_but_loses_nothing(hub: Hub, log: EventLog) -> None:
    async with hub.subscribe(log.unit_id) as subscription:
        await log.score({}, tell=False)
        assert ids(await take(subscription, 1)) == log.events


async def test_a_unit_can_be_left_and_followed_again(hub: Hub, log: EventLog) -> None:
    for _ in range(3):
        async with hub.subscribe(log.unit_id) as subscription:
            await log.score({})
            assert ids(await take(subscription, 1)) == log.events[-1:]


async def test_subscribers_that_come_and_go_at_once_do_not_disturb_the_one_that_stays(hub: Hub, log: EventLog) -> None:
    async def visit() -> None:
        async with hub.subscribe(log.unit_id) as subscription:
            await anext(subscription)

    async with hub.subscribe(log.unit_id) as subscription:
        for _ in range(30):
            visitors = [asyncio.create_task(visit()) for _ in range(3)]
            await log.score({})
            for visitor in visitors:
                visitor.cancel()
            await asyncio.gather(*visitors, return_exceptions=True)
        assert ids(await take(subscription, 30)) == log.events


async def test_subscriptions_end_when_the_hub_hangs_up(hub: Hub, log: EventLog) -> None:
    async with hub.subscribe(log.unit_id) as subscription:
        waiting = asyncio.ensure_future(anext(subscription, "the end"))
        await asyncio.sleep(0)
        hub.hang_up()
        assert await waiting == "the end"
