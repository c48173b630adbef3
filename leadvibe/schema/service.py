"""The service itself: is it well, what has it measured; and the cookies that other versions left in browsers."""

from __future__ import annotations

import strawberry

from leadvibe import metrics
from leadvibe.errors import bad_request
from leadvibe.resolvers import health, units
from leadvibe.schema.context import Info
from leadvibe.schema.fields import field


@strawberry.type(description="How well the service is. Each part says `ok`, or what is wrong with it.")
class Readiness:
    ready: bool = strawberry.field(description="Whether every part is well.")
    database: str = strawberry.field(description="Whether the database answers.")
    queue: str = strawberry.field(description="Whether accepted events are scored in time.")
    workers: str = strawberry.field(description="Whether a scoring worker runs.")


@strawberry.type(description="The service that answers.")
class Service:
    status: str = strawberry.field(description="`ok`: this process answers.")

    @field
    async def readiness(self, info: Info) -> Readiness:
        """Whether it does its work, part by part."""
        found = await health.readiness(info.context)
        return Readiness(ready=found.ready, database=found.database, queue=found.queue, workers=found.workers)

    @field
    async def metrics(self, info: Info) -> str:
        """What it has measured, as Prometheus reads it."""
        await health.measure(info.context)
        return metrics.exposition().decode()


@strawberry.type
class ServiceQueries:
    @field
    async def service(self, info: Info) -> Service:
        """The service itself; nobody need be logged in."""
        return Service(status="ok")


@strawberry.type
class ServiceMutations:
    @field
    async def expire_legacy_cookies(self, info: Info) -> bool | None:
        """Makes the browser forget what logins of other versions left there."""
        response = info.context.response
        if response is None:
            raise bad_request("A socket cannot change cookies.", code="no_cookie_here")
        for name in units.LEGACY_COOKIES:
            response.delete_cookie(name, httponly=True, samesite="lax", secure=info.context.secure)
        return True
