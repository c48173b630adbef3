"""Sample data of a unit: a story to look at before there is one of one's own."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel, Field

from leadvibe.pipeline.sample import seeding, wiping
from leadvibe.resolvers.caller import Permission
from leadvibe.resolvers.context import Context, operation


class Seeded(BaseModel):
    """What seeding did."""

    message: str = Field(description="That it is done.")
    output: str = Field(description="What was made, line by line.")


@operation(Permission.ADMIN)
async def seed_sample_data(context: Context) -> Seeded:
    """Puts 90 days of sample data into the active unit, which sends nothing to anybody and is not billed. 409 while
    there is some. A unit with leads or rules of its own gets no filters, decay or fit rules, which would change
    its own leads."""
    caller = context.caller
    made = await seeding.seed(context.services.database, caller.unit_id, caller.org_id, caller.actor, datetime.now(UTC))
    lines = (
        f"{len(made.account_ids)} accounts",
        f"{len(made.lead_ids)} leads",
        f"{made.last_seq - made.first_seq + 1} events of 90 days",
        f"{len(made.order_ids)} orders",
        f"{len(made.event_types)} event types",
        "rules, levels, segments and triggers",
    )
    return Seeded(message="Sample data was seeded.", output="\n".join(lines))


@operation(Permission.ADMIN)
async def wipe_sample_data(context: Context) -> dict[str, int]:
    """Deletes what seeding made in the active unit, and nothing else; how many rows of which table are gone."""
    caller = context.caller
    return await wiping.wipe(context.services.database, caller.unit_id, caller.actor)
