"""`GET /stream`: the unit's score updates and events as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from leadvibe.live.hub import Lagged
from leadvibe.live.sse import frames, lag_notice
from leadvibe.resolvers import live
from leadvibe.resolvers.context import Context
from leadvibe.rest_compat.table import Call, Route

# Decision: a comment as keep-alive every 15 s.
_KEEP_ALIVE_SECONDS = 15
_KEEP_ALIVE = b": keep-alive\n\n"


class StreamQuery(BaseModel):
    ouId: str | None = Field(default=None, description="The unit; default: the activeOu cookie's.")
