"""Routes of the audit log, of usage and of rate limits."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from leadvibe.pipeline.audit_words import sentence
from leadvibe.resolvers import audit_log, rate_limit, usage
from leadvibe.resolvers.context import Context
from leadvibe.resolvers.rate_limit import RateLimit
from leadvibe.resolvers.usage import Usage
from leadvibe.rest_compat.table import BEARER, Call, Route
from leadvibe.store.audit_log import AuditFilter, AuditOrder
from leadvibe.store.governance_tables import AuditEntry

_LARGEST = 2**31 - 1


class AuditQuery(BaseModel):
    limit: int = Field(100, ge=1, le=500, description="Most entries.")
    offset: int = Field(0, ge=0, le=_LARGEST, description="How many to skip.")
    search: str | None = Field(None, description="A piece of the e-mail address, the path or the IP address.")
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] | None = Field(None, description="Only this method.")
    status_min: int | None = Field(None, ge=0, le=_LARGEST, description="Only this status and above.")
    status_max: int | None = Field(None, ge=0, le=_LARGEST, description="Only this status and below.")
    user_email: str | None = Field(None, description="Only of this e-mail address, or client id.")
    hide_read_only: bool = Field(False, description="Leave out what was only viewed or exported.")
    sort_by: Literal["created_at", "user_email", "method", "path", "status", "ip", "latency_ms"] = "created_at"
    sort_order: Literal["ASC", "DESC"] = "DESC"


class AuditItem(BaseModel):
    """`requests`: how many like ones it stands for, of which `latency_ms` and `request_id` are the slowest's."""

    id: str
    org_id: str
    unit_id: str
    user_email: str
    method: str
    path: str
    status: int
    ip: str
    latency_ms: int
    created_at: datetime
    code: str | None
    request_id: str
    requests: int
    verb: str
    sentence: str
    operation: str | None
    fields: list[str]


class AuditItems(BaseModel):
    items: list[AuditItem]
    limit: int
    offset: int


async def _audit_logs(context: Context, call: Call) -> Any:
    query: AuditQuery = call.query
    wanted = AuditFilter(
        query.search, query.method, query.status_min, query.status_max, query.user_email, query.hide_read_only
    )
    order = AuditOrder(query.sort_by, query.sort_order == "DESC")
    rows = await audit_log.list_audit_logs(context, wanted, order, query.limit, query.offset)
    return {"items": [_item(row) for row in rows], "limit": query.limit, "offset": query.offset}


def _item(row: AuditEntry) -> dict[str, Any]:
    told = sentence(row.user_email, row.verb, row.path, row.fields, row.status)
    return {"id": row.audit_id, **row.model_dump(exclude={"audit_id", "actor"}), "sentence": told}


async def _usage(context: Context, call: Call) -> Any:
    return await usage.get_usage(context)


async def _rate_limit(context: Context, call: Call) -> Any:
    return await rate_limit.get_rate_limit(context)


ROUTES = [
    Route(
        method="GET", path="/admin/audit-logs", aliases=("/audit-logs",), summary="List audit logs (OU-scoped)",
        tag="Admin", run=_audit_logs, auth=BEARER, query=AuditQuery, returns=AuditItems,
    ),
    Route(
        method="GET", path="/usage", summary="Usage metrics (OU/org scoped)", tag="Usage", run=_usage, auth=BEARER,
        returns=Usage,
    ),
    Route(
        method="GET", path="/me/rate-limit", summary="Get the caller's rate limit", tag="Me", run=_rate_limit,
        auth=BEARER, returns=RateLimit,
    ),
]  # fmt: skip
