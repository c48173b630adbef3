"""The OpenAPI 3.1 document, made from the route table."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any, get_origin

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from leadvibe import __doc__ as about
from leadvibe.rest_compat.examples import MEDIA, Examples, named
from leadvibe.rest_compat.table import Route
from leadvibe.rest_compat.words import PARAMETERS, STATUSES, TAGS

_REF = "#/components/schemas/{model}"
_SECURITY = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The token of POST /auth/login, or a personal access token.",
    },
    "basic": {"type": "http", "scheme": "basic", "description": "client_id as user, client_secret as password."},
}
# Any request can be one too many, and any can meet a fault.
_ALWAYS = {429, 500}
_HEADERS = {
    302: {"Location": {"description": "Where to go on.", "schema": {"type": "string"}}},
    401: {"WWW-Authenticate": {"description": "The schemes that are accepted.", "schema": {"type": "string"}}},
    429: {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}},
    503: {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}},
}
_TOTAL = {"X-Total-Count": {"description": "How many the list has, over all pages.", "schema": {"type": "integer"}}}


class Problem(BaseModel):
    """One wrong field."""

    field: str
    message: str


class Error(BaseModel):
    """The body of every error. `details` is there when fields are wrong."""

    error: str
    code: str
    details: list[Problem] | None = None


class _Components:
    """The schemas of all bodies. A model gets two where what is read and what is written differ."""

    def __init__(self, table: list[Route]) -> None:
        kinds: dict[tuple[str, JsonSchemaMode], Any] = {(repr(Error), "serialization"): Error}
        for route in table:
            for kind in bodies_of(route).values():
                kinds[repr(kind), "validation"] = kind
            if route.returns is not None:
                kinds[repr(route.returns), "serialization"] = route.returns
        adapters = [(key, mode, TypeAdapter(kind)) for (key, mode), kind in kinds.items()]
        self._places, definitions = TypeAdapter.json_schemas(adapters, ref_template=_REF)
        self.schemas: dict[str, Any] = definitions["$defs"]
        self._examples = Examples(self.schemas)

    def content(self, media: str, kind: Any, mode: JsonSchemaMode) -> dict[str, Any]:
        """The schema with an example of it."""
        schema = self._places[repr(kind), mode]
        example = MEDIA[media] if media in MEDIA else self._examples.of(schema, written=mode == "serialization")
        return {media: {"schema": schema, "example": example}}


def openapi(table: list[Route], version: str) -> dict[str, Any]:
    components = _Components(table)
    paths: dict[str, Any] = {}
    for route in table:
        for path in route.paths:
            paths.setdefault(path, {})[route.method.lower()] = _operation(route, path, components)
    used = {route.tag for route in table}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Leadvibe", "version": version, "description": about},
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items() if name in used],
        "paths": paths,
        "components": {
            "schemas": components.schemas,
            "responses": {str(status): _problem(status, components) for status in STATUSES},
            "securitySchemes": _SECURITY,
        },
    }


def bodies_of(route: Route) -> dict[str, Any]:
    """What a request's body may be: media type → type."""
    return route.accepts or ({"application/json": route.body} if route.body else {})


def _operation(route: Route, path: str, components: _Components) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(route.method, path),
        "summary": route.summary,
        "tags": [route.tag],
        "security": [{scheme: []} for scheme in route.auth],
        "parameters": _parameters(route, path),
        "responses": _responses(route, path, components),
    }
    if path != route.path:
        operation["description"] = f"The same as {route.method} {route.path}."
    content: dict[str, Any] = {}
    for media, kind in bodies_of(route).items():
        content |= components.content(media, kind, "validation")
    if content:
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _operation_id(method: str, path: str) -> str:
    """GET /rulesets/{id}/rules is getRulesetsByIdRules: clients that are generated keep their names."""
    named = re.sub(r"{(\w+)}", r"by-\1", path)
    words = [word for word in re.split(r"\W+", named) if word]
    return method.lower() + "".join(word[0].upper() + word[1:] for word in words or ["root"])


def _parameters(route: Route, path: str) -> list[dict[str, Any]]:
    in_path = [
        {"name": name, "in": "path", "required": True, "description": PARAMETERS[name],
         "schema": {"type": "string"}, "example": named(name)}
        for name in re.findall(r"{(\w+)}", path)
    ]  # fmt: skip
    if route.query is None:
        return in_path
    schema = route.query.model_json_schema()
    required = schema.get("required", ())
    return in_path + [_in_query(name, entry, name in required) for name, entry in schema["properties"].items()]


def _in_query(name: str, schema: dict[str, Any], required: bool) -> dict[str, Any]:
    """A query parameter. There is no null in a query string: what may be null may be left out."""
    description = schema.pop("description", None) or PARAMETERS[name]
    if "anyOf" in schema:
        [alone] = [choice for choice in schema.pop("anyOf") if choice != {"type": "null"}]
        schema = alone | schema
    if schema.get("default", ...) is None:
        del schema["default"]
    parameter = {"name": name, "in": "query", "required": required, "description": description, "schema": schema}
    return parameter | ({"example": named(name)} if required else {})


def _responses(route: Route, path: str, components: _Components) -> dict[str, Any]:
    good: dict[str, Any] = {"description": HTTPStatus(route.status).phrase}
    content = {}
    if route.returns is not None:
        content = {"content": components.content(route.media_type, route.returns, "serialization")}
    if route.page:
        content["content"]["text/html"] = {"schema": {"type": "string"}, "example": MEDIA["text/html"]}
    paged = route.query is not None and "page" in route.query.model_fields and get_origin(route.returns) is list
    if headers := _HEADERS.get(route.status) or (_TOTAL if paged else None):
        good["headers"] = headers
    problems = {str(each): {"$ref": f"#/components/responses/{each}"} for each in sorted(_statuses(route, path))}
    others = {str(each): {"description": STATUSES[each], **content} for each in route.also}
    return {str(route.status): good | content, **problems, **others}


def _statuses(route: Route, path: str) -> set[int]:
    """The statuses of the errors that the operation answers with."""
    statuses = _ALWAYS | set(route.errors)
    if route.auth:
        statuses |= {400, 401, 403}
    if route.query:
        statuses.add(400)
    if bodies_of(route):
        statuses |= {400, 413}
    if "{" in path:
        statuses.add(404)
    return statuses


def _problem(status: int, components: _Components) -> dict[str, Any]:
    response = {
        "description": STATUSES[status],
        "content": components.content("application/json", Error, "serialization"),
    }
    return response | ({"headers": _HEADERS[status]} if status in _HEADERS else {})
