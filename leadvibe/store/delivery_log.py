"""The log of deliveries: what was sent where, how each try ended, and sending it again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Update, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.store.delivery_tables import Delivery, DeliveryAttempt
from leadvibe.store.outbox import MOST_TRIES
from leadvibe.store.paging import Page, SortKey, behind, bounded_count, decode_cursor, encode_cursor

KEYS = [SortKey(col(Delivery.created_at)), SortKey(col(Delivery.delivery_id))]

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
    session: AsyncSession, unit_id: str, wanted: DeliveryFilter, limit: int, after: str | None
) -> Page[LoggedDelivery]:
    """`limit` deliveries, newest first, behind the cursor `after`."""
    conditions = wanted.conditions(unit_id)
    query = select(Delivery).where(*conditions).order_by(*(key.clause for key in KEYS))
    if after is not None:
        query = query.where(behind(KEYS, decode_cursor(after, KEYS)))
    rows = (await session.exec(query.limit(limit + 1))).all()
    total = await bounded_count(session, select(Delivery.delivery_id).where(*conditions))
    cursors = [encode_cursor([row.created_at, row.delivery_id]) for row in rows[:limit]]
    return Page(await _logged(session, unit_id, rows[:limit]), cursors, len(rows) > limit, total)


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
