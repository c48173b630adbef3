"""The route that tells what a rescoring would change."""

from __future__ import annotations

import math

from pydantic import BaseModel, Field

from leadvibe.resolvers import rescore
from leadvibe.resolvers.context import Context
from leadvibe.rest_compat.table import BEARER, Call, Route


class RescorePreview(BaseModel):
    """`affectedLeads` have events to score anew: so many of them rise, fall and stay."""

    totalLeads: int
    affectedLeads: int
    estimatedIncreases: int
    estimatedDecreases: int
    estimatedUnchanged: int
    estimatedLevelChanges: int
    averageScoreChange: float = Field(description="Points by which a lead with events would change.")
    milestoneTriggers: dict[str, int] = Field(
        description="Milestone trigger to the number of leads that would come to stand above its threshold; a "
        "rescoring fires none."
    )
    executionTimeEstimate: str = Field(description="About how long a rescoring takes, such as ~2 minutes.")


async def _preview(context: Context, call: Call) -> RescorePreview:
    found = await rescore.preview_rescore(context)
    minutes = math.ceil(found.seconds / 60)
    return RescorePreview(
        totalLeads=found.total_leads,
        affectedLeads=found.affected_leads,
        estimatedIncreases=found.increases,
        estimatedDecreases=found.decreases,
        estimatedUnchanged=found.unchanged,
        estimatedLevelChanges=found.level_changes,
        averageScoreChange=found.average_change,
        milestoneTriggers=dict(sorted(found.milestones.items())),
        executionTimeEstimate=f"~{minutes} minute{'' if minutes == 1 else 's'}",
    )


ROUTES = [
    Route(
        method="POST", path="/api/v1/ou/{ouId}/scoring/rescore-preview", summary="What a rescoring would change",
        tag="Rules", run=_preview, auth=BEARER, in_unit="ouId", returns=RescorePreview, errors=(403, 404),
    ),
]  # fmt: skip
