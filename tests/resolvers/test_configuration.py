"""The configuration families: what they accept, refuse, and keep apart."""

from __future__ import annotations

from typing import Any

import pytest

from leadvibe.errors import ApiError
from leadvibe.resolvers.authentication import Credentials
from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.resolvers.context import Context, Services
from leadvibe.resolvers.family import Family
from leadvibe.resolvers.levels import LEVELS
from leadvibe.resolvers.rulesets import FILTERS, RULES, RULESETS
from leadvibe.store.database import Database

FAMILIES: list[tuple[Family[Any], dict[str, Any]]] = [
    (RULESETS, {"name": "Marketing"}),
    (RULES, {"event_type": "page_view", "weight": 3}),
    (FILTERS, {"event_type": "page_view", "count_threshold": 3, "time_window_ms": 1000}),
    (LEVELS, {"name": "Frozen", "min_score": -10, "max_score": -1}),
]
each_family = pytest.mark.parametrize(("family", "body"), FAMILIES, ids=lambda value: getattr(value, "noun", ""))


async def create(context: Context, family: Family[Any], body: dict[str, Any]) -> Any:
    return await family.create(context, family.Input.model_validate(body))


async def update(context: Context, family: Family[Any], row_id: str, body: dict[str, Any]) -> Any:
    return await family.update(context, row_id, family.Changes.model_validate(body))


async def status_of(call: Any) -> int:
    with pytest.raises(ApiError) as caught:
        await call
    return caught.value.status


async def config_version(database: Database, unit_id: str) -> int:
    return int(await database.pool.fetchval("SELECT config_version FROM lanes WHERE unit_id = $1", unit_id))


@each_family
async def test_a_row_lives_from_create_to_delete(
    owner: Context, acme: Bootstrapped, database: Database, family: Family[Any], body: dict[str, Any]
) -> None:
    before = await config_version(database, acme.unit_id)
    row = await create(owner, family, body)
    row_id = getattr(row, family.row.key)
    assert row_id.startswith(family.row.id_prefix + "_")
    assert (row.unit_id, row.org_id, row.created_by) == (acme.unit_id, acme.org_id, acme.org_member_id)
    assert body.items() <= row.model_dump().items()
    unchanged = await update(owner, family, row_id, {})
    assert body.items() <= unchanged.model_dump().items()
    assert row_id in [getattr(r, family.row.key) for r in await family.list(owner)]
    await family.delete(owner, row_id)
    assert row_id not in [getattr(r, family.row.key) for r in await family.list(owner)]
    assert await status_of(family.delete(owner, row_id)) == 404
    # Workers reload when this moves: once for each change that was committed.
    assert await config_version(database, acme.unit_id) == before + 3


@each_family
async def test_a_foreign_row_looks_absent(
    owner: Context, services: Services, rival: Bootstrapped, family: Family[Any], body: dict[str, Any]
) -> None:
    row_id = getattr(await create(owner, family, body), family.row.key)
    stranger = Context(services, Credentials(f"Bearer {rival.token}"))
    assert row_id not in [getattr(r, family.row.key) for r in await family.list(stranger)]
    assert await status_of(update(stranger, family, row_id, {})) == 404
    assert await status_of(family.delete(stranger, row_id)) == 404
    assert row_id in [getattr(r, family.row.key) for r in await family.list(owner)]


async def test_the_first_ruleset_is_primary_and_there_is_one_primary(owner: Context) -> None:
    first = await create(owner, RULESETS, {"name": "First"})
    second = await create(owner, RULESETS, {"name": "Second"})
    assert (first.is_primary, second.is_primary) == (True, False)
    await update(owner, RULESETS, second.ruleset_id, {"is_primary": True})
    assert [r.name for r in await RULESETS.list(owner) if r.is_primary] == ["Second"]


async def test_a_fifth_active_ruleset_is_409(owner: Context) -> None:
    for name in "abcd":
        await create(owner, RULESETS, {"name": name})
    assert await status_of(create(owner, RULESETS, {"name": "e"})) == 409
    dormant = await create(owner, RULESETS, {"name": "e", "active": False})
    assert await status_of(update(owner, RULESETS, dormant.ruleset_id, {"active": True})) == 409
    assert len(await RULESETS.list(owner)) == 5


async def test_a_rule_without_a_ruleset_goes_to_the_primary_one(owner: Context) -> None:
    rule = await create(owner, RULES, {"event_type": "page_view", "weight": 3})
    (default,) = await RULESETS.list(owner)
    assert (default.name, default.is_primary, rule.ruleset_id) == ("Default", True, default.ruleset_id)
    other = await create(owner, RULESETS, {"name": "Other"})
    assert (await create(owner, RULES, {"event_type": "signup", "weight": 3})).ruleset_id == default.ruleset_id
    placed = await create(owner, RULES, {"event_type": "signup", "weight": 3, "ruleset_id": other.ruleset_id})
    assert [r.rule_id for r in await RULES.list(owner, ruleset_id=other.ruleset_id)] == [placed.rule_id]
    assert await status_of(RULES.list(owner, ruleset_id="rs_nowhere")) == 404


async def test_an_event_type_has_one_rule_in_a_ruleset(owner: Context) -> None:
    await create(owner, RULES, {"event_type": "page_view", "weight": 3})
    assert await status_of(create(owner, RULES, {"event_type": "page_view", "weight": 9})) == 409
    other = await create(owner, RULES, {"event_type": "Page_View", "weight": 9})
    assert await status_of(update(owner, RULES, other.rule_id, {"event_type": "page_view"})) == 409
    assert [r.event_type for r in await RULES.list(owner)] == ["page_view", "Page_View"]


async def test_deleting_a_ruleset_deletes_its_rules(owner: Context) -> None:
    rule = await create(owner, RULES, {"event_type": "page_view", "weight": 3})
    await RULESETS.delete(owner, rule.ruleset_id)
    assert list(await RULES.list(owner)) == []


async def test_levels_do_not_overlap_and_one_stays(owner: Context) -> None:
    assert await status_of(create(owner, LEVELS, {"name": "Lukewarm", "min_score": 20, "max_score": 30})) == 400
    assert await status_of(create(owner, LEVELS, {"name": "Empty", "min_score": -1, "max_score": -5})) == 400
    levels = list(await LEVELS.list(owner))
    assert [level.name for level in levels] == ["Cold", "Warm", "Hot", "Very Hot"]
    for level in levels[1:]:
        await LEVELS.delete(owner, level.stage_id)
    assert await status_of(LEVELS.delete(owner, levels[0].stage_id)) == 400


@pytest.mark.parametrize(
    ("family", "body"),
    [
        (RULES, {"event_type": "x", "weight": 1, "start_at": "2025-02-01T00:00:00Z", "end_at": "2025-01-01T00:00:00Z"}),
        (RULES, {"event_type": "x", "weight": 1, "ruleset_id": "rs_nowhere"}),
    ],
)
async def test_a_refused_row_leaves_nothing(
    owner: Context, acme: Bootstrapped, database: Database, family: Family[Any], body: dict[str, Any]
) -> None:
    before = await config_version(database, acme.unit_id)
    assert await status_of(create(owner, family, body)) in (400, 404)
    assert list(await family.list(owner)) == []
    assert await config_version(database, acme.unit_id) == before
