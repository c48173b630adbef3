"""Sample data: a story that scores as real events do, and leaves nothing behind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import SQLModel

from leadvibe.errors import ApiError
from leadvibe.pipeline.sample.seeding import seed
from leadvibe.pipeline.sample.story import tell
from leadvibe.pipeline.sample.wiping import wipe
from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.store import sample_data, segment_config, segment_members
from leadvibe.store.columns import ConfigRow
from leadvibe.store.config_tables import Ruleset
from leadvibe.store.database import Database
from tests.pipeline.units import Unit, body, email, true_counts
from tests.store.test_schema import TABLES, is_tenant

NOW = datetime.now(UTC)
TENANT_TABLES = sorted(table.name for table in TABLES if is_tenant(table))


def configurations() -> set[str]:
    """The tables of configuration, wherever they are defined."""

    def below(row: type[SQLModel]) -> set[type[SQLModel]]:
        return {row}.union(*map(below, row.__subclasses__()))

    return {str(row.__tablename__) for row in below(ConfigRow) if hasattr(row, "__table__")}


async def counted(database: Database) -> dict[tuple[str, str], int]:
    """How many rows each unit has in each tenant table."""
    counts: dict[tuple[str, str], int] = {}
    for table in TENANT_TABLES:
        for row in await database.pool.fetch(f"SELECT unit_id, count(*) FROM {table} GROUP BY unit_id"):
            counts[table, row["unit_id"]] = row["count"]
    return counts


def test_wiping_knows_every_table_of_configuration() -> None:
    assert set(sample_data.CONFIGURATION) == configurations()


def test_a_number_tells_one_story() -> None:
    one, same, other = tell(3, NOW), tell(3, NOW), tell(4, NOW)
    assert one == same and one.events != other.events
    later = tell(3, NOW + timedelta(days=1))
    assert [event.lead_id for event in later.events] == [event.lead_id for event in one.events]
    assert all(one.begins <= event.at < NOW for event in one.events)
    assert 5_000 < len(one.events) < 9_000 and len(one.people) == 300 and len(one.companies) == 40


@pytest.fixture
async def unit(database: Database, acme: Bootstrapped) -> Unit:
    return Unit(database, acme.unit_id)


async def test_a_seeded_unit_is_as_if_it_had_lived(
    database: Database, acme: Bootstrapped, rival: Bootstrapped, unit: Unit
) -> None:
    before = await counted(database)
    await seed(database, acme.unit_id, acme.org_id, "mem_ada", NOW)
    await scores_are_those_of_a_replay(unit)
    await true_counts(unit)
    await members_are_those_that_belong(database, unit)
    there = await counted(database)
    for table in (
        "leads", "accounts", "orders", "lead_aliases", "engagement_events", "trigger_firings", "surge_events",
        "score_snapshots", "segment_members", "segment_changes", "event_counts", "decays", "velocity_filters",
        "profile_rules", "account_rules", "profile_levels", "account_levels",
    ):  # fmt: skip
        assert there[table, acme.unit_id] > 0, table
    assert there.keys().isdisjoint({(table, acme.unit_id) for table in ("deliveries", "usage_counts", "ingest_queue")})
    await history_ends_at_the_scores(unit)
    with pytest.raises(ApiError) as refused:
        await seed(database, acme.unit_id, acme.org_id, "mem_ada", NOW)
    assert (refused.value.status, refused.value.code) == (409, "sample_data_exists")
    assert await counted(database) == there, "a refusal changes nothing"

    gone = await wipe(database, acme.unit_id, "mem_ada")
    assert await counted(database) == before
    for (table, unit_id), count in there.items():
        if unit_id == acme.unit_id and table in gone:
            assert gone[table] == count - before.get((table, unit_id), 0), table
    assert not any((await wipe(database, acme.unit_id, "mem_ada")).values())
    assert await counted(database) == before


async def test_what_is_not_sample_stays_as_if_there_had_been_none(
    database: Database, acme: Bootstrapped, unit: Unit
) -> None:
    """A unit with rules and leads of its own, which goes on while the sample is there."""
    ruleset = Ruleset(
        ruleset_id="rs_own", unit_id=unit.unit_id, org_id=acme.org_id, name="Own", is_primary=True, created_by="mem_ada"
    )
    async with database.session() as session, session.begin():
        session.add(ruleset)
    await unit.score(body("page_view", "ld_own", aliases=email("own@acme.example")), body("page_view", "ld_other"))
    before = await counted(database)
    made = await seed(database, unit.unit_id, acme.org_id, "mem_ada", NOW)
    assert not await unit.rows("SELECT FROM decays WHERE unit_id = $1"), "it would take points off the unit's own leads"
    await scores_are_those_of_a_replay(unit, "ld_own", "ld_other")
    await unit.score(body("page_view", "ld_own", 60), body("demo_request", made.lead_ids[0], 61))
    # A lead of the sample that was merged into the unit's own.
    await database.pool.execute(
        "UPDATE engagement_events SET lead_id = 'ld_other' WHERE unit_id = $1 AND lead_id = $2",
        unit.unit_id,
        made.lead_ids[1],
    )
    await wipe(database, unit.unit_id, "mem_ada")
    assert set(await unit.leads()) == {"ld_own", "ld_other", made.lead_ids[0]}
    assert sorted(await unit.column("event_type")) == ["demo_request", "page_view", "page_view", "page_view"]
    await scores_are_those_of_a_replay(unit)
    await true_counts(unit)
    changed = {table for (table, own), count in (await counted(database)).items() if before.get((table, own)) != count}
    of_leads = {"leads", "lead_aliases", "accounts", "engagement_events", "event_counts", "event_types"}
    assert changed <= of_leads | {"jobs", "segment_touched"}


async def scores_are_those_of_a_replay(unit: Unit, *but: str) -> None:
    leads, replayed = await unit.leads(), await unit.replayed()
    assert len(leads) >= len(replayed) > 0
    for lead_id in replayed.keys() - set(but):
        assert leads[lead_id]["scores"] == replayed[lead_id].lead.scores, lead_id


async def members_are_those_that_belong(database: Database, unit: Unit) -> None:
    """Nothing is left to the job: whoever belongs is kept as a member."""
    assert await unit.rows("SELECT FROM segment_touched WHERE unit_id = $1") == []
    lead_ids = list(await unit.leads())
    async with database.pool.acquire() as connection:
        plan = await segment_config.load(connection, unit.unit_id)
        known = await segment_members.load(connection, unit.unit_id, lead_ids)
    everywhere = {each.segment_id for each in plan.segments}
    for lead_id, (person, kept) in known.items():
        assert plan.all_of(person, everywhere) == kept, lead_id


async def history_ends_at_the_scores(unit: Unit) -> None:
    """The latest snapshot is the score, but for what the current hour did."""
    rows = await unit.rows(
        """
        SELECT DISTINCT ON (lead_id, ruleset_id) lead_id, ruleset_id, score FROM score_snapshots
        WHERE unit_id = $1 ORDER BY lead_id, ruleset_id, snapshot_at DESC
        """
    )
    leads = await unit.leads()
    known = {row["lead_id"]: leads[row["lead_id"]]["scores"][row["ruleset_id"]] == row["score"] for row in rows}
    recent = await unit.rows(
        "SELECT DISTINCT lead_id FROM engagement_events WHERE unit_id = $1 AND occurred_at > now() - interval '1 hour'"
    )
    assert all(same or lead_id in {row["lead_id"] for row in recent} for lead_id, same in known.items())
    assert len(known) > 100
