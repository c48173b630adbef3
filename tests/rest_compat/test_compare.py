"""What breaks clients of an older document is found; what does not is left alone."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from leadvibe.cli import app
from leadvibe.rest_compat.compare import breaking_changes
from leadvibe.rest_compat.routes import document
from leadvibe.schema.app import sdl

Document = dict[str, Any]

DOCUMENT: Document = json.loads(json.dumps(document()))


def lead_row(document: Document) -> Document:
    return document["components"]["schemas"]["LeadRow"]


def rule_input(document: Document) -> Document:
    return document["components"]["schemas"]["RuleInput"]


def audit_method(document: Document) -> Document:
    parameters = document["paths"]["/audit-logs"]["get"]["parameters"]
    return next(each for each in parameters if each["name"] == "method")


def ingest_body(document: Document) -> Document:
    return document["paths"]["/ingest"]["post"]["requestBody"]["content"]["application/json"]["schema"]


def events_body(document: Document) -> Document:
    return document["components"]["schemas"]["EventsBody"]


BREAKING: list[tuple[str, Callable[[Document], Any]]] = [
    ("GET /leads was removed.", lambda new: new["paths"].pop("/leads")),
    (
        "GET /leads: basic credentials are no longer accepted.",
        lambda new: new["paths"]["/leads"]["get"]["security"].pop(),
    ),
    (
        "GET /livez: credentials became required.",
        lambda new: new["paths"]["/livez"]["get"].update(security=[{"basic": []}]),
    ),
    (
        "GET /audit-logs: the query parameter method became required.",
        lambda new: audit_method(new).update(required=True),
    ),
    (
        "GET /audit-logs: the parameter method no longer accepts PATCH.",
        lambda new: audit_method(new)["schema"]["enum"].remove("PATCH"),
    ),
    (
        "GET /audit-logs: the query parameter limit was removed.",
        lambda new: new["paths"]["/audit-logs"]["get"]["parameters"].pop(0),
    ),
    ("POST /rules: the body: the field name became required.", lambda new: rule_input(new)["required"].append("name")),
    ("POST /rules: the body: the field weight was removed.", lambda new: rule_input(new)["properties"].pop("weight")),
    (
        "POST /rules: the body: the field weight is no longer integer.",
        lambda new: rule_input(new)["properties"]["weight"].update(type="string"),
    ),
    (
        "POST /rules: the body: the field event_type has a narrower maxLength: 3.",
        lambda new: rule_input(new)["properties"]["event_type"].update(maxLength=3),
    ),
    (
        "GET /leads: the answer 200: the field leads: an item: the field score was removed.",
        lambda new: lead_row(new)["properties"].pop("score"),
    ),
    (
        "GET /leads: the answer 200: the field leads: an item: the field score is no longer always there.",
        lambda new: lead_row(new)["required"].remove("score"),
    ),
    (
        "GET /leads: the answer 200: the field leads: an item: the field score can now be string.",
        lambda new: lead_row(new)["properties"]["score"].update(type=["integer", "string"]),
    ),
    (
        "POST /ingest: the body: the field source became required.",
        lambda new: events_body(new)["required"].append("source"),
    ),
    ("POST /ingest: the body has fewer alternatives.", lambda new: ingest_body(new)["anyOf"].pop()),
    (
        "GET /leads: the answer 200: the field leads: an item: the field engagement_scores: a value can now be string.",
        lambda new: lead_row(new)["properties"]["engagement_scores"]["additionalProperties"].update(type="string"),
    ),
    ("GET /usage: it no longer answers 200.", lambda new: new["paths"]["/usage"]["get"]["responses"].pop("200")),
]

HARMLESS: list[Callable[[Document], Any]] = [
    lambda new: new["paths"].update({"/new": new["paths"]["/leads"]}),
    lambda new: lead_row(new)["properties"].update(nickname={"type": "string"}),
    lambda new: rule_input(new)["properties"].update(nickname={"type": "string"}),
    lambda new: rule_input(new)["required"].remove("weight"),
    lambda new: audit_method(new)["schema"]["enum"].append("HEAD"),
    lambda new: new["paths"]["/usage"]["get"]["responses"].update({"418": {"description": "A teapot."}}),
    lambda new: new["paths"]["/usage"]["get"].update(summary="Other words"),
    lambda new: new["paths"]["/usage"]["get"].update(security=[]),
    lambda new: ingest_body(new)["anyOf"].append({"type": "object", "properties": {}}),
]


def changed(change: Callable[[Document], Any]) -> Document:
    new = copy.deepcopy(DOCUMENT)
    change(new)
    return new


@pytest.mark.parametrize(("sentence", "change"), BREAKING, ids=[sentence for sentence, _ in BREAKING])
def test_what_breaks_is_told(sentence: str, change: Callable[[Document], Any]) -> None:
    assert sentence in breaking_changes(DOCUMENT, changed(change))


@pytest.mark.parametrize("change", HARMLESS)
def test_what_does_not_is_not(change: Callable[[Document], Any]) -> None:
    assert breaking_changes(DOCUMENT, changed(change)) == []


def test_nothing_changed_since_now() -> None:
    assert breaking_changes(DOCUMENT, DOCUMENT) == []


@pytest.mark.parametrize("older", [[], {}, {"paths": None}, "text"])
def test_what_is_no_document_is_told(older: Any) -> None:
    with pytest.raises(ValueError, match="no OpenAPI document"):
        breaking_changes(older, DOCUMENT)


def told(command: str, older: Path, text: str) -> tuple[int, list[str]]:
    """The exit code and lines of a check against an older file."""
    older.write_text(text)
    result = CliRunner().invoke(app, [command, "--check", str(older)])
    return result.exit_code, result.output.splitlines()


def test_the_command_ends_with_1_when_an_operation_is_gone(tmp_path: Path) -> None:
    older = changed(lambda new: new["paths"].update({"/gone": {"get": new["paths"]["/leads"]["get"]}}))
    assert told("openapi", tmp_path / "older.json", json.dumps(older)) == (1, ["breaking: GET /gone was removed."])
    assert told("openapi", tmp_path / "older.json", json.dumps(DOCUMENT)) == (0, [])


def test_the_command_ends_with_1_when_a_field_is_gone(tmp_path: Path) -> None:
    older = sdl().replace("type Usage {", "type Usage {\n  gone: Int", 1)
    assert told("schema", tmp_path / "older.graphql", older) == (1, ["breaking: Field Usage.gone was removed."])
    assert told("schema", tmp_path / "older.graphql", sdl()) == (0, [])


def test_a_dangerous_change_is_told_and_breaks_nothing(tmp_path: Path) -> None:
    older = sdl().replace("orderBy: LeadOrder! = SCORE", "orderBy: LeadOrder! = CREATED", 1)
    code, [line] = told("schema", tmp_path / "older.graphql", older)
    assert code == 0
    assert line.startswith("dangerous: ") and "Query.leads(orderBy:)" in line
