"""OpenTelemetry traces, when the extra `otel` is installed and OTEL_EXPORTER_OTLP_ENDPOINT is set.

Otherwise nothing of it is imported, and a span costs next to nothing. The SDK reads its standard environment
variables by itself (OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_HEADERS, ...).
"""

from __future__ import annotations

import logging
import os
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http", "opentelemetry.instrumentation.asgi")
# Probes come every few seconds and tell nothing.
_NOT_TRACED = "livez,readyz,metrics"
# Where a request's query string is kept past its span.
_QUERY = "leadvibe.query_string"

_tracer: Any = None
_log = logging.getLogger(__name__)


def start(role: str) -> None:
    """Exports this process's spans if that is wanted; `role` is what the process does, such as `worker`."""
    global _tracer
    if not any(os.environ.get(name) for name in _ENDPOINTS) or os.environ.get("OTEL_SDK_DISABLED") == "true":
        return
    if not _installed():
        _log.warning("Traces are wanted, but the extra is missing: pip install 'leadvibe[otel]'.")
        return
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    name = os.environ.get("OTEL_SERVICE_NAME") or "leadvibe"
    resource = Resource.create({"service.name": name, "service.instance.id": f"{role}-{os.getpid()}"})
    provider = TracerProvider(resource=resource)  # flushes by itself when the process ends
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    _tracer = trace.get_tracer("leadvibe")


def span(name: str, **attributes: str | int) -> AbstractContextManager[Any]:
    """A span around the block; an exception that leaves the block is noted on it."""
    if _tracer is None:
        return nullcontext()
    named = {f"leadvibe.{key}": value for key, value in attributes.items()}
    return _tracer.start_as_current_span(name, attributes=named)  # type: ignore[no-any-return]


def traced(app: ASGIApp) -> ASGIApp:
    """The application with a span for each request; the application itself while tracing is off."""
    if _tracer is None:
        return app
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

    async def inside(scope: Scope, receive: Receive, send: Send) -> None:
        if _QUERY in scope:
            scope = {**scope, "query_string": scope[_QUERY]}
        await app(scope, receive, send)

    middleware = OpenTelemetryMiddleware(inside, excluded_urls=_NOT_TRACED, exclude_spans=["receive", "send"])

    async def outside(scope: Scope, receive: Receive, send: Send) -> None:
        # A span has the URL, and goes to others: the query string may have codes, search words and variables.
        if "query_string" in scope:
            scope = {**scope, _QUERY: scope["query_string"], "query_string": b""}
        await middleware(scope, receive, send)

    return outside


def ids() -> dict[str, str]:
    """The ids of the current trace and span, for the log."""
    if _tracer is None:
        return {}
    from opentelemetry import trace

    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def _installed() -> bool:
    try:
        return all(find_spec(name) is not None for name in _NEEDED)
    except ModuleNotFoundError:  # not even the package around it
        return False
