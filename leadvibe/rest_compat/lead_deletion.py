"""Routes of the deletion of a lead."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from leadvibe.resolvers import lead_deletion
from leadvibe.resolvers.context import Context
from leadvibe.rest_compat.table import Call, Route


class DeletionBegun(BaseModel):
    message: str
    lead_id: str


class DeletionStatus(BaseModel):
    """`status` is pending, running, completed or failed; a failed deletion is tried again."""

    lead_id: str
    status: str
    deleted_events: int
    error: str | None
    created_at: datetime
    updated_at: datetime


async def _delete(context: Context, call: Call) -> Any:
    job = await lead_deletion.delete_lead(context, call.path["leadID"])
    return {"message": "Lead deletion initiated", "lead_id": job.subject}


async def _status(context: Context, call: Call) -> Any:
    job = await lead_deletion.get_lead_deletion(context, call.path["leadID"])
    return {
        "lead_id": job.subject,
        "status": job.status,
        "deleted_events": job.done,
        "error": job.error,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
    }


ROUTES = [
    Route(
        method="DELETE", path="/lead/{leadID}", summary="Delete a lead", tag="Leads", run=_delete,
        returns=DeletionBegun, errors=(404,),
    ),
    Route(
        method="GET", path="/lead/{leadID}/deletion-status", summary="Get the status of a lead's deletion",
        tag="Leads", run=_status, returns=DeletionStatus, errors=(404,),
    ),
]  # fmt: skip
