"""Routes of the service itself: root, health, metrics, the OpenAPI document."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from starlette.responses import HTMLResponse, Response

from leadvibe import metrics
from leadvibe.resolvers import health
from leadvibe.resolvers.context import Context
from leadvibe.resolvers.health import Readiness
from leadvibe.rest_compat.codec import json_response
from leadvibe.rest_compat.table import Call, Route

# The exposition format that the reference names.
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_HOME_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Leadvibe</title>
<style>body{font:16px/1.6 system-ui;max-width:40rem;margin:4rem auto;padding:0 1rem}</style>
<h1>Leadvibe</h1>
<p>This server scores leads. It speaks GraphQL first, and REST beside it.</p>
<ul>
<li><a href="/graphql">GraphiQL</a>, to ask and to subscribe</li>
<li><a href="/docs">The REST paths</a>, and their <a href="/openapi.json">OpenAPI document</a></li>
<li><a href="/readyz">Readiness</a> and <a href="/metrics">metrics</a></li>
</ul></html>
"""


class Ok(BaseModel):
    status: str


class Home(Ok):
    page: str


def _wants_page(call: Call) -> bool:
    return "text/html" in call.request.headers.get("accept", "")


async def _root(context: Context, call: Call) -> Any:
    return HTMLResponse(_HOME_PAGE) if _wants_page(call) else {"status": "ok"}


async def _home(context: Context, call: Call) -> Any:
    return HTMLResponse(_HOME_PAGE) if _wants_page(call) else {"status": "ok", "page": "home"}


async def _alive(context: Context, call: Call) -> Any:
    return {"status": "ok"}


async def _ready(context: Context, call: Call) -> Response:
    readiness = await health.readiness(context)
    return json_response(readiness, 200 if readiness.ready else 503)


async def _metrics(context: Context, call: Call) -> Response:
    await health.measure(context)
    return Response(metrics.exposition(), headers={"Content-Type": _METRICS_TYPE})


ROUTES = [
    Route(method="GET", path="/", summary="Root", tag="Root", run=_root, auth=(), returns=Ok, page=True),
    Route(method="GET", path="/home", summary="Home", tag="Home", run=_home, auth=(), returns=Home, page=True),
    Route(method="GET", path="/livez", summary="The process is alive", tag="Root", run=_alive, auth=(), returns=Ok),
    Route(
        method="GET", path="/readyz", summary="Database, queue and workers are fine", tag="Root", run=_ready,
        auth=(), returns=Readiness, also=(503,),
    ),
    Route(
        method="GET", path="/metrics", summary="Prometheus metrics", tag="Root", run=_metrics, auth=(),
        returns=str, media_type="text/plain",
    ),
]  # fmt: skip
