"""Seeding: the story is told day by day through what scores real events, in one transaction.

A lead's score is thus what a replay of its events makes of it. Nothing leaves the server: only the story's own
triggers watch, and they have no receivers. Nothing is billed, as nobody sent these events.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from leadvibe.errors import conflict
from leadvibe.pipeline import batch
from leadvibe.pipeline.decay import decay_some
from leadvibe.pipeline.sample.setup import SEED, Setup
from leadvibe.pipeline.sample.story import DAYS, Story, tell
from leadvibe.pipeline.segment_job import look_at_touched
from leadvibe.scoring.model import DECAY, SurgeTrigger, UnitConfig
from leadvibe.scoring.segments import SegmentPlan
from leadvibe.scoring.trigger_index import Triggers
from leadvibe.store import event_log, fit_state, sample_data, segment_config, segment_work, unit_config
from leadvibe.store.config_tables import SurgeTrigger as SurgeTriggerRow
from leadvibe.store.database import Database, find_by_key
from leadvibe.store.fit_state import ACCOUNT, PROFILE
from leadvibe.store.partitions import make_partitions, month_of
from leadvibe.store.queue import AnyConnection
from leadvibe.store.sample_tables import SampleData
from leadvibe.store.tables import Account, Order

_STORY = 20
_MOST_ACTIVE_RULESETS = 4
# How often decay is looked after; each time costs a dozen queries.
_DECAY_DAYS = 3


async def seed(
    database: Database, unit_id: str, org_id: str, actor: str, now: datetime, number: int = _STORY
) -> SampleData:
    """Puts the story of this number into a unit. 409 where sample data is already."""
    story = tell(number, now)
    async with database.pool.acquire() as connection:
        await make_partitions(connection, {month_of(story.begins + timedelta(days=day)) for day in range(DAYS + 2)})
        async with connection.transaction():
            await find_by_key(connection)
            return await _seed(connection, unit_id, org_id, actor, story)


async def _seed(connection: AnyConnection, unit_id: str, org_id: str, actor: str, story: Story) -> SampleData:
    before = await sample_data.enter(connection, unit_id)
    if await sample_data.find(connection, unit_id) is not None:
        raise conflict("The unit has sample data already; wipe it first.", "sample_data_exists")
    lead_ids = [person.lead_id for person in story.people]
    known = await sample_data.present(connection, "leads", "lead_id", unit_id, lead_ids)
    types = sorted({event.event_type for event in story.events})
    known_types = await sample_data.present(connection, "event_types", "name", unit_id, [*types, DECAY])
    is_unused = await sample_data.is_unused(connection, unit_id)
    setup = await _configure(connection, unit_id, org_id, story, is_unused)
    accounts = await _add_accounts(connection, unit_id, org_id, story)
    config = await _config(connection, unit_id, setup)
    last = await _play(connection, unit_id, config, story, before, is_unused)
    await event_log.name_event_types(connection, unit_id, types, story.begins)
    await _complete(connection, unit_id, config, story, known, accounts)
    await sample_data.date_back(connection, unit_id, before + 1, last)
    await sample_data.remember_scores(connection, unit_id, before + 1, last, story.ends)
    made = SampleData(
        unit_id=unit_id,
        first_seq=before + 1,
        last_seq=last,
        lead_ids=[lead_id for lead_id in lead_ids if lead_id not in known],
        account_ids=accounts,
        order_ids=await _add_orders(connection, unit_id, story),
        event_types=[name for name in [*types, DECAY] if name not in known_types],
        created_by=actor,
        created_at=story.ends,
    )
    await sample_data.insert(connection, [made])
    return made


async def _configure(connection: AnyConnection, unit_id: str, org_id: str, story: Story, is_unused: bool) -> Setup:
    """In a unit with leads or rules of its own only what leaves these as they are."""
    setup = Setup(unit_id, org_id, story.begins)
    rulesets = await connection.fetch("SELECT active, is_primary FROM rulesets WHERE unit_id = $1", unit_id)
    setup.engagement(
        is_primary=not any(row["is_primary"] for row in rulesets),
        active=sum(row["active"] for row in rulesets) < _MOST_ACTIVE_RULESETS,
    )
    if is_unused:
        setup.whole_unit()
    setup.triggers()
    setup.segments()
    await sample_data.insert(connection, setup.rows)
    return setup


async def _config(connection: AnyConnection, unit_id: str, setup: Setup) -> UnitConfig:
    """The unit's configuration, with the triggers of the story alone, and accounts and surges even where these
    are off."""
    config = await unit_config.load(connection, unit_id)
    own = {getattr(row, row.key) for row in setup.rows}
    surges = [row for row in setup.rows if isinstance(row, SurgeTriggerRow)]
    return replace(
        config,
        account=await unit_config.load_fit(connection, unit_id, ACCOUNT.name),
        surge_triggers=tuple(
            SurgeTrigger(row.trigger_id, row.event_type, timedelta(seconds=row.window_seconds), row.threshold_count)
            for row in surges
        ),
        triggers=Triggers(
            tuple(each for each in config.triggers.milestones if each.trigger_id in own),
            tuple(each for each in config.triggers.watchers if each.trigger_id in own),
        ),
    )


async def _add_accounts(connection: AnyConnection, unit_id: str, org_id: str, story: Story) -> list[str]:
    """The companies, as far as the unit has neither their ids nor their domains."""
    ids, domains = [each.account_id for each in story.companies], [each.domain for each in story.companies]
    taken = await sample_data.present(connection, "accounts", "account_id", unit_id, ids)
    owned = await sample_data.present(connection, "accounts", "domain", unit_id, domains)
    rows = [
        Account(
            unit_id=unit_id,
            account_id=each.account_id,
            org_id=org_id,
            domain=each.domain,
            name=each.name,
            account_metadata=each.properties,
            created_at=story.begins,
            updated_at=story.begins,
        )
        for each in story.companies
        if each.account_id not in taken and each.domain not in owned
    ]
    await sample_data.insert(connection, rows)
    return [row.account_id for row in rows]


async def _play(
    connection: AnyConnection, unit_id: str, config: UnitConfig, story: Story, seq: int, is_unused: bool
) -> int:
    """Scores day after day, and lets decay do its work in a unit where it meets nobody else; the last seq."""
    plan = await segment_config.load(connection, unit_id)
    await segment_work.begin(connection, unit_id, plan)
    if is_unused:  # nobody has to be looked at before the first event
        await segment_work.advance(connection, unit_id, [each.segment_id for each in plan.segments], None)
    for day, (end, rows) in enumerate(story.days()):
        if rows:
            await batch.process(connection, unit_id, config, plan, rows, seq, end)
            seq += len(rows)
        if is_unused and day % _DECAY_DAYS == 0:
            seq = await _pass(connection, unit_id, plan, seq, end)
    return seq


async def _pass(connection: AnyConnection, unit_id: str, plan: SegmentPlan, seq: int, now: datetime) -> int:
    """What time does, without events: decay, and who leaves a segment for it; the last seq."""
    after = ""
    while (step := await decay_some(connection, unit_id, now, after)) is not None:
        seq, after = seq + step.events, step.last
    await look_at_touched(connection, unit_id, plan, now)
    return seq


async def _complete(
    connection: AnyConnection,
    unit_id: str,
    config: UnitConfig,
    story: Story,
    known: Collection[str],
    account_ids: Sequence[str],
) -> None:
    """Marks leads as sample, with what their forms told where no mapping took it in, and scores all properties."""
    new = {person.lead_id: person for person in story.people if person.lead_id not in known}
    leads = await fit_state.load(connection, PROFILE, unit_id, list(new))
    marked = {
        lead_id: {**new[lead_id].properties, **properties, "source": SEED} for lead_id, properties in leads.items()
    }
    await fit_state.save(connection, PROFILE, unit_id, config.profile, marked, story.ends)
    accounts = await fit_state.load(connection, ACCOUNT, unit_id, account_ids)
    assert config.account is not None, "the story has one"
    await fit_state.save(connection, ACCOUNT, unit_id, config.account, accounts, story.ends)


async def _add_orders(connection: AnyConnection, unit_id: str, story: Story) -> list[str]:
    rows = [
        Order(
            unit_id=unit_id,
            id=f"or_sample_{each.order_id}",
            order_id=each.order_id,
            lead_id=each.lead_id,
            amount=each.amount,
            currency="USD",
            status=each.status,
            ordered_at=each.at,
            order_metadata={"source": SEED},
        )
        for each in story.orders
    ]
    await sample_data.insert(connection, rows)
    return [row.id for row in rows]
