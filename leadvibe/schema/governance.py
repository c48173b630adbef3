"""The audit log, usage and rate limits."""

from __future__ import annotations

from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any

import strawberry

from leadvibe.pipeline.audit_words import sentence
from leadvibe.resolvers import audit_log, rate_limit, usage
from leadvibe.schema.context import Info
from leadvibe.schema.fields import field
from leadvibe.schema.paging import After, Connection, First, checked, connection
from leadvibe.schema.scalars import BigInt
from leadvibe.schema.selections import reading
from leadvibe.store import governance_tables
from leadvibe.store.audit_log import AuditFilter, AuditOrder


@strawberry.enum(description="What a request did, in a word.")
class AuditVerb(Enum):
    VIEWED = strawberry.enum_value("Viewed", description="It read something.")
    CREATED = strawberry.enum_value("Created", description="It made something.")
    UPDATED = strawberry.enum_value("Updated", description="It changed something.")
    DELETED = strawberry.enum_value("Deleted", description="It removed something.")
    MERGED = strawberry.enum_value("Merged", description="It made one lead of several.")
    EXPORTED = strawberry.enum_value("Exported", description="It read a file of something.")


@strawberry.type(description="A request that somebody made, or many like ones that came in a flood.")
class AuditEntry:
    id: strawberry.ID = strawberry.field(description="Its id.")
    user_email: str = strawberry.field(description="The member's address, or the id of an API client.")
    verb: AuditVerb = strawberry.field(description="What it did, in a word.")
    sentence: str = strawberry.field(description="Who did what, in words.")
    method: str = strawberry.field(description="The HTTP method; POST for an operation of a socket.")
    path: str = strawberry.field(description="The path, without its query.")
    status: int = strawberry.field(description="The HTTP status; for GraphQL that of its first error.")
    code: str | None = strawberry.field(description="The code of its error.")
    ip: str = strawberry.field(description="The address it came from.")
    latency_ms: int = strawberry.field(description="How long it took, in milliseconds.")
    request_id: str = strawberry.field(description="Its X-Request-Id.")
    requests: int = strawberry.field(description="How many like ones it stands for, this being the slowest.")
    operation: str | None = strawberry.field(description="The name of a GraphQL operation.")
    fields: list[str] = strawberry.field(description="The top-level fields of a GraphQL operation.")
    created_at: datetime = strawberry.field(description="When it ended.")

    @classmethod
    def of(cls, row: governance_tables.AuditEntry) -> AuditEntry:
        return cls(
            id=strawberry.ID(row.audit_id),
            user_email=row.user_email,
            verb=AuditVerb(row.verb),
            sentence=sentence(row.user_email, row.verb, row.path, row.fields, row.status),
            method=row.method,
            path=row.path,
            status=row.status,
            code=row.code,
            ip=row.ip,
            latency_ms=row.latency_ms,
            request_id=row.request_id,
            requests=row.requests,
            operation=row.operation,
            fields=row.fields,
            created_at=row.created_at,
        )


@strawberry.enum(description="What the audit log can be sorted by.")
class AuditSort(Enum):
    CREATED_AT = strawberry.enum_value("created_at", description="The time.")
    USER_EMAIL = strawberry.enum_value("user_email", description="Who it was.")
    METHOD = strawberry.enum_value("method", description="The HTTP method.")
    PATH = strawberry.enum_value("path", description="The path.")
    STATUS = strawberry.enum_value("status", description="The status.")
    IP = strawberry.enum_value("ip", description="The address.")
    LATENCY_MS = strawberry.enum_value("latency_ms", description="The duration.")


@strawberry.input(description="Which entries of the audit log are shown; what is left out filters nothing.")
class AuditLogFilter:
    search: str | None = strawberry.field(default=None, description="A piece of the address, the path or the IP.")
    method: str | None = strawberry.field(default=None, description="Only this HTTP method.")
    status_min: int | None = strawberry.field(default=None, description="Only this status and above.")
    status_max: int | None = strawberry.field(default=None, description="Only this status and below.")
    user_email: str | None = strawberry.field(default=None, description="Only of this address or client id.")
    hide_read_only: bool = strawberry.field(default=False, description="Leave out what was only viewed or exported.")


@strawberry.type(description="The events that a unit accepted this month.")
class UnitUsage:
    unit_id: strawberry.ID = strawberry.field(description="The unit.")
    name: str = strawberry.field(description="Its name.")
    monthly_events: BigInt = strawberry.field(description="How many.")


@strawberry.type(description="The events that an organization accepted this month; deleted ones still count.")
class Usage:
    month: date = strawberry.field(description="The first day of the month (UTC).")
    monthly_events: BigInt = strawberry.field(description="How many, of all units.")
    monthly_limit: BigInt | None = strawberry.field(description="How many the plan allows; null is any number.")
    overage: bool = strawberry.field(description="Whether there are more than that.")
    org_id: strawberry.ID = strawberry.field(description="The organization.")
    org_name: str = strawberry.field(description="Its name.")
    units: list[UnitUsage] = strawberry.field(description="The caller's units; all of them for an admin.")


@strawberry.enum(description="What happens to requests beyond the limit.")
class RateLimitMode(Enum):
    OFF = strawberry.enum_value("off", description="Nothing: nobody counts.")
    OBSERVE = strawberry.enum_value("observe", description="They are counted.")
    ENFORCE = strawberry.enum_value("enforce", description="They are answered with 429.")


@strawberry.enum(description="Who shares a limit.")
class RateLimitKey(Enum):
    ORG = strawberry.enum_value("org", description="An organization.")
    OU = strawberry.enum_value("ou", description="A unit.")
    CLIENT = strawberry.enum_value("client", description="A member or credential.")
    IP = strawberry.enum_value("ip", description="An address.")


@strawberry.type(description="What limits the caller's requests.")
class RateLimit:
    enabled: bool = strawberry.field(description="Whether requests are counted.")
    mode: RateLimitMode = strawberry.field(description="What happens to requests beyond the limit.")
    key_by: RateLimitKey = strawberry.field(description="Who shares the limit.")
    key: str = strawberry.field(description="The caller's own key.")
    rps: float = strawberry.field(description="Requests a second that the limit gives back.")
    burst: int = strawberry.field(description="Requests that a rested client may send at once.")
    stage: str = strawberry.field(description="The name of this deployment.")


@strawberry.type
class GovernanceQueries:
    @field
    async def audit_logs(
        self,
        info: Info,
        first: First = 100,
        after: After = None,
        filter: Annotated[AuditLogFilter | None, strawberry.argument(description="Which entries.")] = None,
        sort_by: Annotated[AuditSort, strawberry.argument(description="By what they are sorted.")] = (
            AuditSort.CREATED_AT
        ),
        descending: Annotated[bool, strawberry.argument(description="Newest, or greatest, first.")] = True,
    ) -> Connection[AuditEntry]:
        """Who did what in the unit, views and failures too; for admins of the organization."""
        given = filter or AuditLogFilter()
        wanted = AuditFilter(
            given.search, given.method, given.status_min, given.status_max, given.user_email, given.hide_read_only
        )
        column: Any = sort_by.value
        order = AuditOrder(column, descending)
        page = await audit_log.page_audit_logs(info.context, wanted, order, checked(first), after, reading(info, {}))
        return connection(page, [AuditEntry.of(row) for row in page.rows], after)

    @field
    async def usage(self, info: Info) -> Usage:
        """The events of this calendar month, and whether the plan allows so many."""
        found = await usage.get_usage(info.context)
        limit = found.monthly_limit
        return Usage(
            month=found.month,
            monthly_events=BigInt(found.monthly_events),
            monthly_limit=None if limit is None else BigInt(limit),
            overage=found.overage,
            org_id=strawberry.ID(found.org_id),
            org_name=found.org_name,
            units=[
                UnitUsage(
                    unit_id=strawberry.ID(unit.unit_id), name=unit.name, monthly_events=BigInt(unit.monthly_events)
                )
                for unit in found.units
            ],
        )

    @field
    async def rate_limit(self, info: Info) -> RateLimit:
        """What limits the caller's requests."""
        found = await rate_limit.get_rate_limit(info.context)
        return RateLimit(
            enabled=found.enabled,
            mode=RateLimitMode(found.mode),
            key_by=RateLimitKey(found.key_by),
            key=found.key,
            rps=found.rps,
            burst=found.burst,
            stage=found.stage,
        )
