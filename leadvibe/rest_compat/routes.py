"""The route table of the REST door, and its document."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from leadvibe.resolvers.context import Context
from leadvibe.rest_compat import (
    access,
    accounts,
    activity,
    analytics,
    backfill,
    event_deletion,
    event_reads,
    events,
    explanation,
    governance,
    lead,
    lead_deletion,
    leads,
    merging,
    organisation,
    rescore,
    sample_data,
    score_history,
    scoring,
    segments,
    service,
    settings,
    slack,
    stream,
    surges,
    triggers,
    units,
)
from leadvibe.rest_compat.openapi import openapi
from leadvibe.rest_compat.table import Call, Route


async def _document(context: Context, call: Call) -> Any:
    return document()


ROUTES: list[Route] = [
    *events.ROUTES,
    *event_reads.ROUTES,
    *event_deletion.ROUTES,
    *activity.ROUTES,
    *score_history.ROUTES,
    *analytics.ROUTES,
    *leads.ROUTES,
    *lead.ROUTES,
    *lead_deletion.ROUTES,
    *accounts.ROUTES,
    *backfill.ROUTES,
    *sample_data.ROUTES,
    *explanation.ROUTES,
    *merging.ROUTES,
    *scoring.ROUTES,
    *rescore.ROUTES,
    *segments.ROUTES,
    *settings.ROUTES,
    *slack.ROUTES,
    *surges.ROUTES,
    *triggers.ROUTES,
    *governance.ROUTES,
    *units.ROUTES,
    *organisation.ROUTES,
    *access.ROUTES,
    *stream.ROUTES,
    *service.ROUTES,
    Route(
        method="GET", path="/openapi.json", summary="This document", tag="Root", run=_document, auth=(),
        returns=dict[str, Any],
    ),
]  # fmt: skip


@cache
def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document of the table."""
    try:
        current = version("leadvibe")
    except PackageNotFoundError:  # run from a source tree that is not installed
        current = "source"
    return openapi(ROUTES, current)
