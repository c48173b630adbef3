"""The OpenAPI document: it has every operation of the reference, is valid, and its examples are true."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import jsonschema_rs
import pytest
import schemathesis

from leadvibe.rest_compat.routes import ROUTES, document
from leadvibe.rest_compat.table import Route
from leadvibe.rest_compat.words import PARAMETERS, STATUSES, TAGS

SCHEMES = {"*": {"bearer", "basic"}, "bearer": {"bearer"}, "-": set()}
# Also with a credential pair, for which it only confirms the pair's own unit.
ALSO_BASIC = {("POST", "/org-units/active")}


class Operation(NamedTuple):
    """A line of operations.txt: method, status of success, who may (`*`: either scheme), path and its aliases."""

    method: str
    status: str
    schemes: set[str]
    paths: list[str]


def reference() -> list[Operation]:
    lines = (Path(__file__).parent / "operations.txt").read_text().splitlines()
    split = (line.split() for line in lines)
    return [Operation(method, status, SCHEMES[who], paths) for method, status, who, *paths in split]


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    """The document as clients get it."""
    return json.loads(json.dumps(document()))


def operations(openapi: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in openapi["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def test_the_reference_has_174_operations() -> None:
    assert len(reference()) == 174


@pytest.mark.parametrize("wanted", reference(), ids=lambda wanted: f"{wanted.method} {wanted.paths[0]}")
def test_an_operation_of_the_reference_is_there_at_each_path(openapi: dict[str, Any], wanted: Operation) -> None:
    for path in wanted.paths:
        operation = openapi["paths"][path][wanted.method.lower()]
        assert min(operation["responses"]) == wanted.status
        schemes = {scheme for choice in operation["security"] for scheme in choice}
        extra = {"basic"} if (wanted.method, path) in ALSO_BASIC else set()
        assert schemes == wanted.schemes | extra


def test_the_document_is_valid(openapi: dict[str, Any]) -> None:
    schemathesis.openapi.from_dict(openapi).validate()


def test_operations_are_told_apart_and_described(openapi: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(openapi)]
    assert len(names) == len(set(names)) and all(name.isalnum() for name in names)
    tags = {tag["name"]: tag["description"] for tag in openapi["tags"]}
    for where, operation in operations(openapi):
        assert set(operation["tags"]) <= set(tags), where
        for parameter in operation["parameters"]:
            assert parameter["description"], (where, parameter["name"])


def test_nothing_is_described_that_is_not_there(openapi: dict[str, Any]) -> None:
    used = {parameter["name"] for _, operation in operations(openapi) for parameter in operation["parameters"]}
    assert set(PARAMETERS) <= used
    assert {tag["name"] for tag in openapi["tags"]} == set(TAGS)
    answered = {int(status) for _, operation in operations(openapi) for status in operation["responses"]}
    assert set(STATUSES) <= answered


def test_an_error_has_the_body_of_errors(openapi: dict[str, Any]) -> None:
    for where, operation in operations(openapi):
        for status in operation["responses"]:
            if int(status) >= 400 and "$ref" in operation["responses"][status]:
                assert operation["responses"][status]["$ref"] == f"#/components/responses/{status}", where
    for response in openapi["components"]["responses"].values():
        assert response["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Error"}


def contents(operation: dict[str, Any], openapi: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Media types with their content, of the request and of all answers."""
    yield from operation.get("requestBody", {}).get("content", {}).items()
    for response in operation["responses"].values():
        if "$ref" in response:
            response = openapi["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
        yield from response.get("content", {}).items()


def test_every_example_fits_its_schema(openapi: dict[str, Any]) -> None:
    for where, operation in operations(openapi):
        for media, content in contents(operation, openapi):
            schema = content["schema"] | {"components": openapi["components"]}
            problems = jsonschema_rs.Draft202012Validator(schema).iter_errors(content["example"])
            assert [problem.message for problem in problems] == [], (where, media)


@pytest.mark.parametrize("route", [route for route in ROUTES if route.body], ids=lambda route: route.path)
def test_the_example_of_a_body_is_accepted(openapi: dict[str, Any], route: Route) -> None:
    operation = openapi["paths"][route.path][route.method.lower()]
    example = operation["requestBody"]["content"]["application/json"]["example"]
    assert example, "an example says something"
    assert route.body is not None
    route.body.model_validate_json(json.dumps(example), strict=True)


async def test_the_page_of_the_document_needs_nothing_from_elsewhere(http: httpx.AsyncClient) -> None:
    page = await http.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "//" not in page.headers["content-security-policy"], "no host is named"
    assert "//" not in page.text
    loaded = re.findall(r'(?:src|href|spec-url)="([^"]+)"', page.text)
    files = [name for name in loaded if not name.startswith("data:")]
    assert files == ["openapi.json", "docs/redoc.standalone.js"]
    for name in files:
        asset = await http.get("/" + name)
        assert asset.status_code == 200 and len(asset.content) > 100_000
    assert "javascript" in asset.headers["content-type"]
