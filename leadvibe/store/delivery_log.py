"""The log of deliveries: what was sent where, how each try ended, and sending it again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from sqlalchemy import ColumnElement, Update, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.store.delivery_tables import Delivery, DeliveryAttempt
from leadvibe.store.outbox import MOST_TRIES
from leadvibe.store.paging import Page, Reading, SortKey, bounded_count, read_page

KEYS = [SortKey(col(Delivery.created_at)), SortKey(col(Delivery.delivery_id))]

# What a page may leave out beside attributes of Delivery.
TRIES = "tries"

# As many as a transaction should hold.
MOST_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries a list shows; None does not filter."""

    status: str | None = None
    channel: str | None = None
    trigger_type: str | None = None

    def conditions(self, unit_id: str) -> list[ColumnElement[bool]]:
        wanted = {
            Delivery.status: self.status,
            Delivery.channel: self.channel,
            Delivery.trigger_type: self.trigger_type,
        }
        same = [col(column) == value for column, value in wanted.items() if value is not None]
        return [col(Delivery.unit_id) == unit_id, *same]


@dataclass(frozen=True, slots=True)
class LoggedDelivery:
    """A delivery and its tries, oldest first."""

    delivery: Delivery
    attempts: Sequence[DeliveryAttempt]


async def page(
    session: AsyncSession, unit_id: str, wanted: DeliveryFilter, limit: int, after: str | None, read: Reading
) -> Page[LoggedDelivery]:
    """`limit` deliveries, newest first, behind the cursor `after`; `read` may leave out TRIES."""
    conditions = wanted.conditions(unit_id)
    count = partial(bounded_count, session, select(Delivery.delivery_id).where(*conditions))
    plain = read._replace(without=read.without - {TRIES})
    found = await read_page(session, select(Delivery).where(*conditions), KEYS, limit, after, 0, plain, count)
    if TRIES in read.without:
        return replace(found, rows=[LoggedDelivery(row, []) for row in found.rows])
    return replace(found, rows=await _logged(session, unit_id, found.rows))


async def one(session: AsyncSession, unit_id: str, delivery_id: str) -> LoggedDelivery | None:
    delivery = await session.get(Delivery, (unit_id, delivery_id))
    return None if delivery is None else (await _logged(session, unit_id, [delivery]))[0]


async def again(session: AsyncSession, unit_id: str, delivery_id: str, now: datetime) -> bool:
    """Makes a delivery due, with all its tries; false when it is unknown or just being sent."""
    done = await session.exec(
        _asked_anew(now).where(
            col(Delivery.unit_id) == unit_id,
            col(Delivery.delivery_id) == delivery_id,
            col(Delivery.status) != "sending",
        )
    )
    return done.rowcount == 1


async def all_dead_again(session: AsyncSession, unit_id: str, channel: str | None, now: datetime) -> int:
    """Makes the unit's dead deliveries due, the oldest first, so many at once; how many."""
    conditions = DeliveryFilter(status="dead", channel=channel).conditions(unit_id)
    oldest = select(Delivery.delivery_id).where(*conditions).order_by(col(Delivery.created_at)).limit(MOST_AT_ONCE)
    done = await session.exec(_asked_anew(now).where(*conditions, col(Delivery.delivery_id).in_(oldest)))
    return done.rowcount


def _asked_anew(now: datetime) -> Update:
    values = {"status": "waiting", "due_at": now, "queued_at": now, "tries_left": MOST_TRIES, "finished_at": None}
    return update(Delivery).values(values)


async def _logged(session: AsyncSession, unit_id: str, rows: Sequence[Delivery]) -> list[LoggedDelivery]:
    query = (
        select(DeliveryAttempt)
        .where(
            col(DeliveryAttempt.unit_id) == unit_id,
            col(DeliveryAttempt.delivery_id).in_([row.delivery_id for row in rows]),
        )
        .order_by(col(DeliveryAttempt.delivery_id), col(DeliveryAttempt.number))
    )
    tries: defaultdict[str, list[DeliveryAttempt]] = defaultdict(list)
    for attempt in (await session.exec(query)).all():
        tries[attempt.delivery_id].append(attempt)
    return [LoggedDelivery(row, tries[row.delivery_id]) for row in rows]
