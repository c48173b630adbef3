"""Routes of sample data."""

from __future__ import annotations

from typing import Any

from leadvibe.resolvers import sample_data
from leadvibe.resolvers.context import Context
from leadvibe.rest_compat.table import BEARER, Call, Route


async def _seed(context: Context, call: Call) -> Any:
    return await sample_data.seed_sample_data(context)


async def _wipe(context: Context, call: Call) -> Any:
    return await sample_data.wipe_sample_data(context)


ROUTES = [
    Route(
        method="POST", path="/admin/seed", summary="Seed sample data", tag="Admin", run=_seed, auth=BEARER,
        returns=sample_data.Seeded, errors=(409,),
    ),
    Route(
        method="POST", path="/admin/wipe", summary="Wipe sample data", tag="Admin", run=_wipe, auth=BEARER,
        returns=dict[str, int],
    ),
]  # fmt: skip
