"""The `leadvibe` command as a process, most of it beside a running server that shares its data directory."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from leadvibe.cli import app
from leadvibe.pipeline.scheduler import JOBS
from leadvibe.rest_compat.routes import document
from tests.serve_process import Serve, leadvibe, refusal, remove_cluster, scores, serving

BOOTSTRAP = ("bootstrap", "--org", "Acme", "--email", "ada@acme.example", "--password", "s3cret")
MADE = ("org_id", "unit_id", "org_member_id", "client_id", "client_secret", "token")


def commands(group: Any, *path: str) -> Iterator[tuple[str, ...]]:
    """Every command there is, as the words that call it."""
    for name, command in group.commands.items():
        yield from commands(command, *path, name) if hasattr(command, "commands") else [(*path, name)]


COMMANDS = list(commands(get_command(app)))


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cli") / "data"
    yield folder
    remove_cluster(folder)


@pytest.fixture(scope="module")
def serve(data_dir: Path) -> Iterator[Serve]:
    with serving(data_dir) as running:
        yield running


def bootstrapped(data_dir: Path) -> dict[str, str]:
    done = leadvibe(data_dir, *BOOTSTRAP, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def acme(serve: Serve, data_dir: Path) -> dict[str, str]:
    """An organisation that `leadvibe bootstrap --json` made beside the running server."""
    return bootstrapped(data_dir)


def as_acme(acme: dict[str, str]) -> tuple[str, str]:
    return acme["client_id"], acme["client_secret"]


def test_there_are_commands() -> None:
    assert {("serve",), ("bootstrap",), ("import",), ("rescore",), ("jobs", "run"), ("schema",)} <= set(COMMANDS)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_explains_each_command_with_an_example(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200"})
    assert done.exit_code == 0
    example = re.search(r"Example: (.*)", done.output)
    assert example is not None and f"leadvibe {' '.join(words)}" in example[1]
    summary = re.search(r"Usage:.*\n\s*\n\s*(\S.*)", done.output)
    assert summary is not None and not summary[1].startswith("╭"), "it says what the command does"


def test_help_lists_every_command(tmp_path: Path) -> None:
    done = leadvibe(tmp_path, "--help")
    assert done.returncode == 0
    for words in COMMANDS:
        assert words[0] in done.stdout


def test_an_unknown_command_is_refused(tmp_path: Path) -> None:
    assert "No such command" in refusal(leadvibe(tmp_path, "serv"))


def test_schema_prints_the_schema_of_the_repository(tmp_path: Path) -> None:
    done = leadvibe(tmp_path, "schema")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (Path(__file__).parent.parent / "schema.graphql").read_text()


def test_openapi_prints_the_document(tmp_path: Path) -> None:
    done = leadvibe(tmp_path, "openapi")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads(json.dumps(document()))
    assert list(tmp_path.iterdir()) == [], "it needs no database"


def test_bootstrap_beside_a_running_server_prints_exactly_the_contract(acme: dict[str, str]) -> None:
    assert tuple(acme) == MADE
    assert all(isinstance(value, str) and value for value in acme.values())


def test_what_bootstrap_printed_works_at_the_running_server(serve: Serve, acme: dict[str, str]) -> None:
    for http in (serve.http(as_acme(acme)), serve.http(Authorization=f"Bearer {acme['token']}")):
        with http:
            rulesets = http.post("/rulesets", json={"name": "Fit"}).json()
            assert (rulesets["unit_id"], rulesets["org_id"]) == (acme["unit_id"], acme["org_id"])
            http.delete(f"/rulesets/{rulesets['ruleset_id']}").raise_for_status()
    claims = acme["token"].split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(claims + "=="))["sub"] == acme["org_member_id"]
    with serve.http() as http:
        login = {"email": "ada@acme.example", "password": "s3cret"}
        assert http.post("/auth/login", json=login).status_code == 200


def test_bootstrap_again_finds_the_organisation_and_makes_a_fresh_pair(
    serve: Serve, acme: dict[str, str], data_dir: Path
) -> None:
    again = bootstrapped(data_dir)
    same = ("org_id", "unit_id", "org_member_id")
    assert {name: again[name] for name in same} == {name: acme[name] for name in same}
    assert again["client_id"] != acme["client_id"] and again["client_secret"] != acme["client_secret"]
    for pair in (acme, again):
        with serve.http(as_acme(pair)) as http:
            assert http.get("/leads").status_code == 200, "the former pair goes on working"


def test_bootstrap_without_json_prints_a_line_each(acme: dict[str, str], data_dir: Path) -> None:
    done = leadvibe(data_dir, *BOOTSTRAP)
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(MADE)


def test_bootstrap_does_not_take_a_member_of_another_organisation(acme: dict[str, str], data_dir: Path) -> None:
    other = ("bootstrap", "--org", "Other", "--email", "ada@acme.example", "--password", "x")
    assert "another organization" in refusal(leadvibe(data_dir, *other))


def test_bootstrap_says_what_it_needs(data_dir: Path) -> None:
    assert "--email" in refusal(leadvibe(data_dir, "bootstrap", "--org", "Acme"))


@pytest.fixture(scope="module")
def imported(serve: Serve, acme: dict[str, str], data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What `leadvibe import` said of three good rows and a bad one, once they are scored."""
    file = tmp_path_factory.mktemp("files") / "events.csv"
    file.write_text("event_type,lead_id\ndemo,ld_1\n,ld_1\ndemo,ld_2\nview,ld_1\n")
    with serve.http(as_acme(acme)) as http:
        assert http.post("/rules", json={"event_type": "demo", "weight": 10}).status_code == 201
        done = leadvibe(data_dir, "import", str(file), "--unit", acme["unit_id"])
        assert done.returncode == 0, done.stderr
        with http.stream("GET", "/stream", headers={"Last-Event-ID": "0:1"}) as stream:
            updates = scores(stream)
            assert {next(updates)["lead_id"], next(updates)["lead_id"]} == {"ld_1", "ld_2"}
    return done.stdout + done.stderr


def test_import_reports_what_went_in_and_what_did_not(imported: str, serve: Serve, acme: dict[str, str]) -> None:
    assert "3 events imported, 1 rows failed." in imported
    assert re.search(r"line 3: .*event_type", imported)
    with serve.http(as_acme(acme)) as http:
        assert http.get("/events").headers["x-total-count"] == "3"


def test_rescore_counts_with_the_rules_of_today(
    imported: str, serve: Serve, acme: dict[str, str], data_dir: Path
) -> None:
    with serve.http(as_acme(acme)) as http:
        (rule,) = http.get("/rules").json()
        http.put(f"/rules/{rule['rule_id']}", json={"weight": 3}).raise_for_status()
        assert http.get("/score/ld_1").json()["score"] == 10, "a change of a rule touches no past score"
        done = leadvibe(data_dir, "rescore", "--unit", acme["unit_id"])
        assert (done.returncode, done.stdout.strip()) == (0, "2 leads rescored."), done.stderr
        assert http.get("/score/ld_1").json()["score"] == 3


def test_a_file_without_any_good_row_is_a_failure(acme: dict[str, str], data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text("event_type,lead_id\n,ld_1\n")
    assert "No row could be imported" in refusal(leadvibe(data_dir, "import", str(file), "--unit", acme["unit_id"]))


@pytest.mark.parametrize("content", [b"", b"lead_id\nld_1\n", b"\xff\xfe"])
def test_a_file_that_is_no_csv_of_events_is_refused(
    acme: dict[str, str], data_dir: Path, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "no.csv"
    file.write_bytes(content)
    assert "file" in refusal(leadvibe(data_dir, "import", str(file), "--unit", acme["unit_id"]))


def test_a_file_that_is_not_there_is_named(data_dir: Path) -> None:
    assert "nothing.csv" in refusal(leadvibe(data_dir, "import", "nothing.csv"))


@pytest.mark.parametrize("words", [("rescore",), ("rescore", "--unit", "unit_of_nobody")])
def test_a_unit_must_be_named_where_there_are_several(
    serve: Serve, acme: dict[str, str], data_dir: Path, words: tuple[str, ...]
) -> None:
    told = refusal(leadvibe(data_dir, *words))
    assert "--unit" in told and acme["unit_id"] in told


def test_a_job_runs_now_and_says_what_it_did(serve: Serve, data_dir: Path) -> None:
    for name in ("partitions", "segments"):
        done = leadvibe(data_dir, "jobs", "run", name)
        assert done.returncode == 0 and done.stdout.strip(), done.stderr


def test_an_unknown_job_is_answered_with_those_there_are(data_dir: Path) -> None:
    told = refusal(leadvibe(data_dir, "jobs", "run", "nonsense"))
    assert "nonsense" in told and all(name in told for name in JOBS)


def test_migrate_says_where_the_database_is(serve: Serve, data_dir: Path) -> None:
    done = leadvibe(data_dir, "migrate")
    assert done.returncode == 0 and re.search(r"revision \S+", done.stdout), done.stderr


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("LEADVIBE_PORT", "eighty"),
        ("LEADVIBE_PORT", "70000"),
        ("LEADVIBE_WORKERS", "0"),
        ("LEADVIBE_STREAM_AUTH", "perhaps"),
        ("LEADVIBE_JWT_ALGORITHM", "none"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, setting: str, value: str) -> None:
    (line,) = refusal(leadvibe(tmp_path, "serve", **{setting: value})).splitlines()
    assert line.startswith(f"leadvibe: {setting}: Input should be ")
    assert list(tmp_path.iterdir()) == [], "nothing was begun"


def test_a_missing_key_is_named(serve: Serve, data_dir: Path) -> None:
    told = refusal(leadvibe(data_dir, *BOOTSTRAP, LEADVIBE_JWT_ALGORITHM="RS256"))
    assert "LEADVIBE_JWT_PUBLIC_KEY" in told


def test_a_database_that_does_not_answer_is_told_in_a_sentence(tmp_path: Path) -> None:
    url = f"postgresql://leadvibe@/leadvibe?host={tmp_path}"
    assert refusal(leadvibe(tmp_path, "jobs", "run", "partitions", LEADVIBE_DATABASE_URL=url))


def test_a_database_that_does_not_exist_is_told_in_a_sentence(serve: Serve, data_dir: Path, server_url: str) -> None:
    url = server_url.replace("/leadvibe?", "/nowhere?")
    assert "nowhere" in refusal(leadvibe(data_dir, "jobs", "run", "partitions", LEADVIBE_DATABASE_URL=url))


@pytest.mark.parametrize("words", [("api",), ("worker",), ("jobs", "run", "partitions")], ids=" ".join)
def test_a_database_without_tables_is_told_with_what_makes_them(
    data_dir: Path, server_url: str, words: tuple[str, ...]
) -> None:
    url = server_url.replace("/leadvibe?", "/postgres?")
    (line,) = refusal(leadvibe(data_dir, *words, LEADVIBE_DATABASE_URL=url)).splitlines()
    assert "leadvibe migrate" in line
