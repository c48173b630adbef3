"""The README and the other documents say what is: commands, settings, paths, examples and links."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse, print_ast, validate
from typer.main import get_command

from leadvibe.cli import app
from leadvibe.config import Settings
from leadvibe.pipeline.events import ALIAS_KINDS
from leadvibe.resolvers.events import MOST_EVENTS
from leadvibe.rest_compat.routes import ROUTES
from leadvibe.schema.root import SCHEMA
from scripts import line_links
from tests.serve_process import Serve, remove_cluster, serving

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# Read by the tests, and by the children of `leadvibe serve`.
NO_SETTINGS = {"LEADVIBE_TEST_DATABASE_URL"}
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def code(text: str) -> list[str]:
    """The fenced blocks and the inline code of a document."""
    inline = re.findall(r"`([^`\n]+(?:\n[^`\n]+)?)`", FENCED.sub("", text))
    return [block for _, block in FENCED.findall(text)] + inline


def blocks(language: str) -> list[str]:
    """The README's fenced blocks of a language."""
    return [block for name, block in FENCED.findall(README) if name == language]


def everywhere(pattern: str) -> list[Any]:
    """What the pattern finds in the code of all documents, as parameters that name their document."""
    found = {
        (path.name, match): pytest.param(match, id=f"{path.name}: {match}")
        for path in DOCUMENTS
        for piece in code(path.read_text())
        for match in re.findall(pattern, piece)
    }
    return list(found.values())


def calls() -> list[Any]:
    """Every call of the command: what follows `leadvibe`, up to a comment, a pipe or the end."""
    return everywhere(r"(?:^|(?<=[\s/]))leadvibe ([a-z-]+[^\n#|>`]*)")


@pytest.mark.parametrize("call", calls())
def test_a_command_and_its_options_exist(call: str) -> None:
    command: Any = get_command(app)
    words = shlex.split(call)
    while hasattr(command, "commands"):
        assert words and words[0] in command.commands, f"there is no leadvibe {call}"
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    assert {word.partition("=")[0] for word in words if word.startswith("-")} <= known


def test_the_commands_of_the_readme_are_found() -> None:
    found = {parameter.values[0].split()[0] for parameter in calls()}
    parts = {"serve", "api", "worker", "scheduler", "deliver"}
    assert parts | {"migrate", "bootstrap", "import", "rescore", "jobs"} <= found


@pytest.mark.parametrize("target", everywhere(r"(?:^|(?<=\s))make ([a-z][a-z-]*)"))
def test_a_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def table() -> dict[str, str]:
    """The settings table: variable → default."""
    return dict(re.findall(r"^\| `(LEADVIBE_\w+)` \| (\S+) \| \S.* \|$", README, re.MULTILINE))


def test_the_table_has_exactly_the_settings_with_their_defaults() -> None:
    defaults = {
        f"LEADVIBE_{name.upper()}": "–" if field.default in (None, "") else f"`{field.default}`"
        for name, field in Settings.model_fields.items()
    }
    assert table() == defaults


@pytest.mark.parametrize("name", everywhere(r"LEADVIBE_[A-Z_]*[A-Z]"))
def test_a_setting_that_is_named_exists(name: str) -> None:
    assert name in table() or name in NO_SETTINGS


@pytest.mark.parametrize("named", everywhere(r"(?:GET|POST|PUT|PATCH|DELETE) /[\w/{}.-]*"))
def test_a_rest_path_that_is_named_exists(named: str) -> None:
    shape = re.sub(r"{\w+}", "{}", named)
    assert shape in {re.sub(r"{\w+}", "{}", f"{route.method} {path}") for route in ROUTES for path in route.paths}


def links() -> list[Any]:
    return [
        pytest.param(path, target, id=f"{path.name}: {target}")
        for path in DOCUMENTS
        for target in re.findall(r"\]\(([^)#\s]+)", path.read_text())
        if not re.match(r"[a-z]+:", target)
    ]


@pytest.mark.parametrize(("path", "target"), links())
def test_a_link_leads_to_a_file(path: Path, target: str) -> None:
    assert (path.parent / target).exists()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_link_to_a_line_leads_to_its_definition(path: Path) -> None:
    text = path.read_text()
    assert text == line_links.with_lines(text), "run `python scripts/line_links.py`"
    assert not re.search(r"#L\d", line_links.LINK.sub("", text)), "its text is the name of what is there"


def test_an_event_is_followed_by_links() -> None:
    assert len(line_links.LINK.findall((ROOT / "docs" / "architecture.md").read_text())) > 30


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_no_place_is_held_open(path: Path) -> None:
    assert not re.search(r"@@|TODO|FIXME", path.read_text())


def operations() -> list[Any]:
    documents = [parse(block) for block in blocks("graphql")]
    texts = [
        print_ast(node)
        for document in documents
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode)
    ]
    return [pytest.param(text) for text in texts]


@pytest.mark.parametrize("operation", operations(), ids=lambda text: text.split("(")[0].split("{")[-1].strip())
def test_a_graphql_example_is_of_the_schema(operation: str) -> None:
    assert validate(SCHEMA._schema, parse(operation)) == []


def test_the_pythons_are_those_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    first, last = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", project["requires-python"]).groups()  # type: ignore[union-attr]
    named = re.search(r"Python ((?:3\.\d+(?:, | or )?)+)", README)
    assert named is not None
    assert re.findall(r"3\.(\d+)", named[1]) == [str(minor) for minor in range(int(first), int(last))]


def test_the_numbers_and_columns_of_the_readme_are_those_of_the_server() -> None:
    assert f"up to {MOST_EVENTS:,} events" in README
    column_names = re.search(r"alias column \(([^)]*)\)", README)
    assert column_names is not None
    assert set(re.findall(r"`(\w+)`", column_names[1])) == set(ALIAS_KINDS)


# The statuses that the README, or else the contract, gives to its examples, in their order.
STATUSES = [
    ("$LV/rules ", "201"),
    ("$LV/ingest ", "202"),
    ("$LV/leads/search", "200"),
    ("$LV/leads?", "200"),
    ("$LV/events", "200"),
    ("$LV/graphql", "200"),
    ("$LV/stream", "200"),
    ("$LV/import", "202"),
]


def curls() -> list[str]:
    """The README's curl commands, each with its continuation lines."""
    return [found for block in blocks("sh") for found in re.findall(r"^curl .*(?:\n[ ]+.*)*", block, re.MULTILINE)]


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    data_dir = tmp_path_factory.mktemp("readme") / "data"
    with serving(data_dir) as running:
        yield running
    remove_cluster(data_dir)


def test_every_example_has_a_status() -> None:
    assert len(curls()) == len(STATUSES)


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_the_examples_work_as_they_stand(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("event_type,email,timestamp,metadata\ndemo_request,jane@example.com,,{}\n")
    variables = {"LV": serve.url, "LV_AUTH": ":".join(serve.credential), "PATH": "/usr/bin:/bin:/usr/local/bin"}
    for command, (place, status) in zip(curls(), STATUSES, strict=True):
        assert place in command + " "
        # A stream never ends, so that curl must.
        quiet = command.replace("curl ", "curl -s -o answer -w '%{http_code}' --max-time 3 ", 1)
        done = subprocess.run(
            ["bash", "-c", quiet], env=variables, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
        )
        assert done.stdout == status, (command, done.stdout, done.stderr)


def test_the_server_prints_what_the_readme_shows(serve: Serve) -> None:
    (shown,) = [block for block in blocks("") if "Credential" in block]
    labels = re.findall(r"(?:^|\s\s)([A-Z]\w+)\s", shown)
    assert {"Login", "Credential"} <= set(labels)
    assert [label for label in labels if not re.search(rf"^\s*{label}\s", serve.greeting, re.MULTILINE)] == []
    assert (" : " in shown) == (" : " in serve.greeting)
