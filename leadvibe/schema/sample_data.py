"""Sample data: a story to look at before there is one of one's own."""

from __future__ import annotations

from typing import Any

import strawberry

from leadvibe.resolvers import sample_data
from leadvibe.schema.context import Info
from leadvibe.schema.derive import answer_type
from leadvibe.schema.fields import field

Seeded: Any = answer_type(sample_data.Seeded)


@strawberry.type(description="How much of something was deleted.")
class Wiped:
    name: str = strawberry.field(description="The table.")
    count: int = strawberry.field(description="How many rows of it are gone.")


@strawberry.type
class SampleDataMutations:
    @field
    async def seed_sample_data(self, info: Info) -> Seeded | None:
        """Puts 90 days of sample data into the active unit. For admins. Refused while there is some. Nothing of it
        is sent to anybody or billed."""
        return await sample_data.seed_sample_data(info.context)

    @field
    async def wipe_sample_data(self, info: Info) -> list[Wiped] | None:
        """Deletes what seeding made in the active unit, and nothing else. For admins."""
        gone = await sample_data.wipe_sample_data(info.context)
        return [Wiped(name=name, count=count) for name, count in gone.items()]
