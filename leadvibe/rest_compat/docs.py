"""`/docs`: the OpenAPI document for people. The page's script comes from the server itself, like all it shows."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Route

_SCRIPT = "redoc.standalone.js"

_PAGE = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Leadvibe REST</title>
<link rel="icon" href="data:,">
<style>body {{ margin: 0; }}</style>
</head>
<body>
<redoc spec-url="openapi.json"></redoc>
<script src="docs/{_SCRIPT}"></script>
</body>
</html>
"""

# Redoc styles its page by itself, and searches it in a worker that it makes of its own text.
_POLICY = (
    "default-src 'none'; script-src 'self'; worker-src blob:; style-src 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


def docs_routes() -> list[BaseRoute]:
    """The page and its script, for the application to mount."""
    script = _assets() / _SCRIPT

    async def page(request: Request) -> Response:
        return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})

    async def redoc(request: Request) -> Response:
        return FileResponse(script, headers={"Cache-Control": "max-age=3600"})

    return [Route("/docs", page), Route(f"/docs/{_SCRIPT}", redoc)]


def _assets() -> Path:
    """Redoc's file in a package made for FastAPI, which is found but never imported."""
    spec = find_spec("fastapi_offline")
    assert spec is not None and spec.origin is not None, "fastapi_offline is a dependency"
    return Path(spec.origin).parent / "static"
