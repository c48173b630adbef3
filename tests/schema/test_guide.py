"""What the GraphQL guide shows works as it stands there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leadvibe.pipeline.sample.seeding import seed
from leadvibe.resolvers.authentication import Authenticator
from leadvibe.resolvers.bootstrap import bootstrap
from leadvibe.resolvers.context import Services
from tests.schema.conftest import Server, bearer

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "graphql.md").read_text()
# A document, and its variables below it.
EXAMPLE = re.compile(r"```graphql\n(.*?)```(?:\s+```json\n(.*?)```)?", re.DOTALL)
EXAMPLES = [(text, json.loads(variables or "{}")) for text, variables in EXAMPLE.findall(GUIDE)]
EMAIL, PASSWORD = "guide@leadvibe.example", "correct horse battery"
# What a reader puts in.
OWN = {"input": {"email": EMAIL, "password": PASSWORD}}


def empty(value: Any, where: str = "") -> Iterator[str]:
    """Where an answer has an empty list, or its first fields are null: then an example shows nothing."""
    if value == [] or (value is None and "." not in where):
        yield where
    for name, inner in value.items() if isinstance(value, dict) else ():
        yield from empty(inner, f"{where}.{name}" if where else name)
    for inner in value if isinstance(value, list) else ():
        yield from empty(inner, f"{where}[]")


def test_the_first_ten_are_ten() -> None:
    assert re.findall(r"^### (\d+)\.", GUIDE, re.MULTILINE) == [str(number) for number in range(1, 11)]
    assert len(EXAMPLES) > 10


async def test_every_example_answers_with_something(
    server: Server, services: Services, authenticator: Authenticator
) -> None:
    org = await bootstrap(authenticator, "Guide", EMAIL, PASSWORD)
    await seed(services.database, org.unit_id, org.org_id, "test", datetime.now(UTC))
    for text, variables in EXAMPLES:
        variables = OWN if text.startswith("mutation Login") else variables
        if text.startswith("subscription"):
            async with server.socket(bearer(org)) as socket:
                assert (await socket.receive())["type"] == "connection_ack"
                await socket.begin(text, {"after": "0:0"})
                assert await socket.next()
            continue
        answer = await server.ask(text, variables, as_=org)
        assert "errors" not in answer, (text, answer)
        assert list(empty(answer["data"])) == [], text


def test_every_code_of_the_guide_is_one_of_the_server() -> None:
    source = "".join(path.read_text() for path in (ROOT / "leadvibe").rglob("*.py"))
    rows = re.findall(r"^\| (`.*`) \|", GUIDE.split("## Errors")[1].split("##")[0], re.MULTILINE)
    codes = [code for row in rows for code in re.findall(r"`([a-z_]+)`", row)]
    assert len(codes) > 10
    assert [code for code in codes if f'"{code}"' not in source] == []
