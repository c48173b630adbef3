"""The OpenAPI 3.1 document, made from the route table."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from leadvibe import __doc__ as about
from leadvibe.rest_compat.table import Route

_REF = "#/components/schemas/{model}"
_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "basic": {"type": "http", "scheme": "basic", "description": "client_id as user, client_secret as password"},
}


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
    """The schemas that the document refers to, collected while it is made."""

    def __init__(self) -> None:
        self.schemas: dict[str, Any] = {}

    def schema(self, kind: Any, mode: JsonSchemaMode = "serialization") -> dict[str, Any]:
        schema = TypeAdapter(kind).json_schema(mode=mode, ref_template=_REF)
        self.schemas.update(schema.pop("$defs", {}))
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            self.schemas[kind.__name__] = schema
            return {"$ref": _REF.format(model=kind.__name__)}
        return schema


def openapi(table: list[Route], version: str) -> dict[str, Any]:
    components = _Components()
    paths: dict[str, Any] = {}
    for route in table:
        for path in route.paths:
            paths.setdefault(path, {})[route.method.lower()] = _operation(route, path, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Leadvibe", "version": version, "description": about},
        "paths": paths,
        "components": {"schemas": components.schemas, "securitySchemes": _SECURITY},
    }


def _operation(route: Route, path: str, components: _Components) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{route.method} {path}",
        "summary": route.summary,
        "tags": [route.tag],
        "security": [{scheme: []} for scheme in route.auth],
        "parameters": _parameters(route, path),
        "responses": _responses(route, components),
    }
    bodies = route.accepts or ({"application/json": route.body} if route.body else {})
    if bodies:
        content = {media: {"schema": components.schema(kind, "validation")} for media, kind in bodies.items()}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(route: Route, path: str) -> list[dict[str, Any]]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]
    if route.query is not None:
        schema = route.query.model_json_schema()
        for name, entry in schema["properties"].items():
            description = entry.pop("description", None)
            parameter: dict[str, Any] = {"name": name, "in": "query", "required": False, "schema": entry}
            parameters.append(parameter | ({"description": description} if description else {}))
    return parameters


def _responses(route: Route, components: _Components) -> dict[str, Any]:
    good: dict[str, Any] = {"description": HTTPStatus(route.status).phrase}
    if route.returns is not None:
        good["content"] = {route.media_type: {"schema": components.schema(route.returns)}}
    bad = set(route.errors)
    if route.auth:
        bad |= {400, 401, 403}
    if route.query or route.body or route.accepts:
        bad.add(400)
    error = {"application/json": {"schema": components.schema(Error)}}
    problems = {str(code): {"description": HTTPStatus(code).phrase, "content": error} for code in sorted(bad)}
    return {str(route.status): good, **problems}
