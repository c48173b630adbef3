"""The server's log: one line for each event, as text for people or as JSON, never with a secret in it."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, Literal

import structlog
from structlog.types import Processor

from leadvibe import tracing

Format = Literal["console", "json"]

REDACTED = "[redacted]"

_SECRET_NAME = re.compile(
    r"authorization|cookie|passw|secret|token|credential|api_?key|private_?key|signature", re.IGNORECASE
)
# What may stand in a text: credentials of a header, of a URL, and those that this server makes.
_SECRET_TEXT = re.compile(
    r"(?P<scheme>\b(?:Bearer|Basic)\s+)[\w.~+/=-]{8,}"
    r"|(?P<user>://[^\s:/@]*:)[^\s/@]+(?=@)"
    r"|(?P<made>\b(?:lv_(?!ci_)[a-z]+|whsec)_)[\w+/=-]+"
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]+"
    r"|(?P<slack>\bxox[a-z]-)[\w-]+",
    re.IGNORECASE,
)

# The first two tell every request that this server makes, and its URL may be a secret; the last what it is made of.
_TOO_TALKATIVE = ("httpx", "httpcore", "alembic.runtime.plugins")

# What a request knows of itself; tasks that it starts share it.
_request: ContextVar[dict[str, Any] | None] = ContextVar("request", default=None)


def begin_request(request_id: str) -> None:
    """What is logged from here on in this task belongs to a request."""
    _request.set({"request_id": request_id})


def request_id() -> str:
    """The id of the request that this task belongs to, or nothing."""
    return str((_request.get() or {}).get("request_id", ""))


def bind(**fields: Any) -> None:
    """Adds fields to every further line of the request, if there is one."""
    if (known := _request.get()) is not None:
        known.update(fields)


def configure(level: str, form: Format, access: bool = True) -> None:
    """Sends the log of this process, that of its libraries included, to standard error."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_context,
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_last(form)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("leadvibe.access").disabled = not access
    for name in _TOO_TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def _last(form: Format) -> list[Processor]:
    """What a line goes through at the end: exceptions are text by then, so that redaction sees them too."""
    renderer: Processor = (
        structlog.processors.JSONRenderer(default=str)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    return [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        redact,
        renderer,
    ]


def _add_context(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event.pop("color_message", None)  # uvicorn's twin of its message
    for name, value in {**(_request.get() or {}), **tracing.ids()}.items():
        event.setdefault(name, value)
    return event


def redact(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor that takes secrets out: whole values under names such as `password`, and pieces of texts."""
    return {name: _clean(name, value) for name, value in event.items()}


def _clean(name: str, value: Any) -> Any:
    if _SECRET_NAME.search(name) and value is not None:
        return REDACTED
    if isinstance(value, str):
        return _SECRET_TEXT.sub(_hide, value)
    if isinstance(value, bytes):
        return _clean(name, value.decode(errors="replace"))
    if isinstance(value, dict):
        return {key: _clean(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean("", inner) for inner in value]
    return value if isinstance(value, bool | int | float | None) else _SECRET_TEXT.sub(_hide, str(value))


def _hide(found: re.Match[str]) -> str:
    kept = next((text for text in found.groups() if text is not None), "")
    return kept + REDACTED
