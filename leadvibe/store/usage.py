"""Accepted events by calendar month: what a plan is billed by, whatever became of the events later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.store.governance_tables import UsageCount
from leadvibe.store.queue import AnyConnection
from leadvibe.store.tables import Organisation, OrgUnit


def month_of(moment: datetime) -> date:
    """The first day of a moment's month, in UTC."""
    return date(moment.year, moment.month, 1)


async def count(connection: AnyConnection, unit_id: str, received: Sequence[datetime]) -> None:
    """Counts events by the times (UTC) when they were accepted; the caller holds the lane and takes them off the
    queue, so each is counted once."""
    months = Counter((moment.year, moment.month) for moment in received)
    keys = sorted(months)
    await connection.execute(
        """
        INSERT INTO usage_counts AS c (unit_id, month, events)
        SELECT $1, t.month, t.events FROM unnest($2::date[], $3::bigint[]) AS t (month, events)
        ON CONFLICT (unit_id, month) DO UPDATE SET events = c.events + excluded.events
        """,
        unit_id,
        [date(year, month, 1) for year, month in keys],
        [months[key] for key in keys],
    )


async def of_organisation(session: AsyncSession, org_id: str, month: date) -> tuple[str, dict[str, tuple[str, int]]]:
    """The organisation's name, and for each of its units its name and its events of the month."""
    organisation = await session.get(Organisation, org_id)
    assert organisation is not None, "a caller's organisation exists"
    units = dict((await session.exec(select(OrgUnit.unit_id, OrgUnit.name).where(OrgUnit.org_id == org_id))).all())
    counted = await session.exec(
        select(UsageCount.unit_id, UsageCount.events).where(
            col(UsageCount.unit_id).in_(list(units)), UsageCount.month == month
        )
    )
    events = dict(counted.all())
    return organisation.name, {unit_id: (units[unit_id], events.get(unit_id, 0)) for unit_id in sorted(units)}
