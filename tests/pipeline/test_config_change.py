"""A change of configuration holds for the next batch of every worker, and never for what is scored already."""

from __future__ import annotations

from contextlib import AsyncExitStack

from leadvibe.resolvers import settings
from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.resolvers.context import Context
from leadvibe.resolvers.rulesets import RULES
from leadvibe.resolvers.settings import SurgePolicyChanges
from leadvibe.store.database import Database
from tests.pipeline.units import Unit, body, open_worker

WORKERS = 3


async def test_every_worker_scores_its_next_batch_with_the_new_configuration(
    database: Database, acme: Bootstrapped, owner: Context
) -> None:
    unit = Unit(database, acme.unit_id)
    rule = await RULES.create(owner, RULES.Input(event_type="view", weight=5))
    await settings.update_surge_policy(owner, SurgePolicyChanges(mode="off"))
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(open_worker(database)) for _ in range(WORKERS)]

        async def deltas() -> list[int]:
            """What one batch of each worker gives to an event."""
            for worker, connection in workers:
                await unit.accept(body("view"))
                assert await worker.run_once(connection) == 1
            scores = (await unit.column("scores"))[-WORKERS:]
            return [entry[0] for each in scores for entry in each.values()]

        assert await deltas() == [5, 5, 5], "each remembers the configuration"
        await RULES.update(owner, rule.rule_id, RULES.Changes(weight=8))
        assert await deltas() == [8, 8, 8]
        await settings.update_event_type(owner, "view", settings.EventTypeChanges(max_processing_scope="observe"))
        for worker, connection in workers:
            await unit.accept(body("view"))
            await worker.run_once(connection)
        assert (await unit.column("observed"))[-WORKERS:] == [True] * WORKERS
        assert next(iter((await unit.leads()).values()))["score"] == 3 * 5 + 3 * 8, "what was scored stays"
