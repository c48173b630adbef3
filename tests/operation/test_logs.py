"""The log: its two forms, what belongs to a request, and what must never be in it."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadvibe import logs

log = logging.getLogger("leadvibe.tests")

SECRET = "s3cr3t-0123456789"


class Written:
    """What standard error got so far."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys, self._text = capsys, ""

    def getvalue(self) -> str:
        self._text += self._capsys.readouterr().err
        return self._text


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Written]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield Written(capsys)
    root.handlers[:], root.level = handlers, level
    logging.getLogger("leadvibe.access").disabled = False


def last(lines: Written) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(lines.getvalue().splitlines()[-1])
    return parsed


def test_json_is_an_object_a_line(lines: Written) -> None:
    logs.configure("info", "json")
    log.info("%d events\nwere scored", 3, extra={"unit": "unit_1"})
    log.debug("this is below the level")
    assert len(lines.getvalue().splitlines()) == 1
    line = last(lines)
    assert (line["event"], line["level"], line["logger"]) == ("3 events\nwere scored", "info", "leadvibe.tests")
    assert line["unit"] == "unit_1"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", line["timestamp"])


def test_console_is_a_text_a_line(lines: Written) -> None:
    logs.configure("info", "console")
    log.info("scored", extra={"unit": "unit_1"})
    (line,) = lines.getvalue().splitlines()
    assert "scored" in line and "unit=unit_1" in line and "\x1b" not in line


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_exception_comes_with_its_traceback_and_without_its_secrets(lines: Written, form: logs.Format) -> None:
    logs.configure("info", form)
    try:
        raise ValueError(f"cannot connect to postgresql://ada:{SECRET}@db/leadvibe")
    except ValueError:
        log.exception("It failed.")
    text = lines.getvalue()
    assert "Traceback" in text and "ValueError" in text and "postgresql://ada:" in text
    assert SECRET not in text


NAMES = ["Authorization", "cookie", "Set-Cookie", "password", "new_password", "token", "client_secret", "api_key"]


@pytest.mark.parametrize("name", NAMES)
def test_values_under_secret_names_are_never_written(lines: Written, name: str) -> None:
    logs.configure("info", "json")
    log.info("x", extra={name: SECRET, "headers": {name: SECRET, "deep": [{name: [SECRET]}]}})
    assert SECRET not in lines.getvalue()
    assert last(lines)[name] == logs.REDACTED


TEXTS = [
    f"Authorization: Bearer {SECRET}",
    f"basic {SECRET}==",
    f"redis://:{SECRET}@cache:6379/0",
    f"lv_cs_{SECRET}",
    f"lv_pat_x-{SECRET}",
    f"whsec_a+b/{SECRET}==",
    f"xoxb-{SECRET}",
    "eyJhbGciOi.eyJzdWIiOiJtZW0.c2lnbmF0dXJl",
]


@pytest.mark.parametrize("text", TEXTS)
@given(before=st.text("abc /:\n", max_size=20), after=st.text(" ,)\n", max_size=3))
def test_secrets_in_texts_are_taken_out_wherever_they_stand(text: str, before: str, after: str) -> None:
    for value in (text, {"x": [text]}, (text,), ValueError(text), text.encode()):
        written = repr(logs.redact(None, "info", {"event": before + " " + str(text) + after, "value": value}))
        assert SECRET not in written and "c2lnbmF0dXJl" not in written


def test_what_is_no_secret_stays() -> None:
    event = {"event": "lv_ci_7a72 of https://a.example/b?c=d", "status": 200, "ok": True, "none": None, "ms": 1.5}
    assert logs.redact(None, "info", dict(event)) == event


async def test_lines_of_a_request_have_its_id_and_what_it_learned(lines: Written) -> None:
    logs.configure("info", "json")

    async def request(number: int) -> None:
        logs.begin_request(f"req_{number}")
        # A task of the request learns the unit, as the resolvers of GraphQL do.
        await asyncio.create_task(learn(number))
        log.info("done")

    async def learn(number: int) -> None:
        logs.bind(unit=f"unit_{number}")

    await asyncio.gather(*(request(number) for number in range(5)))
    told = {(line["request_id"], line["unit"]) for line in map(json.loads, lines.getvalue().splitlines())}
    assert told == {(f"req_{number}", f"unit_{number}") for number in range(5)}


def test_the_access_log_can_be_turned_off(lines: Written) -> None:
    logs.configure("debug", "json", access=False)
    logging.getLogger("leadvibe.access").info("request")
    logging.getLogger("leadvibe.app").info("other")
    assert [line["logger"] for line in map(json.loads, lines.getvalue().splitlines())] == ["leadvibe.app"]


def test_clients_of_others_do_not_tell_their_addresses(lines: Written) -> None:
    logs.configure("info", "json")
    logging.getLogger("httpx").info("HTTP Request: POST https://hooks.slack.com/services/T0/B0/key")
    assert lines.getvalue() == ""
