"""The reference of the accept benchmark: a route that parses the same JSON and does nothing with it."""

from __future__ import annotations

import sys

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def ingest(request: Request) -> Response:
    body = orjson.loads(await request.body())
    answer = {"message": "event ingested", "metadata": body["metadata"]}
    return Response(orjson.dumps(answer), 202, media_type="application/json")


app = Starlette(routes=[Route("/ingest", ingest, methods=["POST"])])

if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), access_log=False, log_level="warning")
