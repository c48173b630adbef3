"""POST /import: a CSV file goes in, row by row, and the report says what did not."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from leadvibe.store.database import Database
from tests.rest_compat.conftest import Org, Scoring, fields, refused

HEADER = "event_type,lead_id,email,timestamp,metadata\n"


async def send(org: Org, content: str | bytes, **arguments: Any) -> httpx.Response:
    data = content.encode() if isinstance(content, str) else content
    return await org.http.post("/import", files={"file": ("events.csv", data, "text/csv")}, **arguments)


async def test_the_rows_of_a_file_become_events(acme: Org, scoring: Scoring) -> None:
    await acme.rule("demo_request", 40)
    metadata = json.dumps({"path": "/demo", "note": 'a "b", c\nd'}).replace('"', '""')
    response = await send(
        acme,
        HEADER
        + f'demo_request,ld_1,,2025-08-15T12:00:00Z,"{metadata}"\n'
        + "demo_request,,jane@example.com,,\r\n"
        + "\n"
        + "page_view,ld_1,,2025-08-15T12:00:01Z,",
    )
    assert response.status_code == 202
    answer = response.json()
    assert answer.pop("job_id").startswith("job_")
    assert answer == {
        "message": "3 events imported, 0 rows failed",
        "imported": 3,
        "errors": 0,
        "problems": [],
    }
    await scoring.finish()
    assert await acme.score("ld_1") == 40
    (event,) = await acme.events(lead_id="ld_1", event_type="demo_request")
    assert event["metadata"] == {"path": "/demo", "note": 'a "b", c\nd'}
    assert event["timestamp"] == "2025-08-15T12:00:00Z"
    (match,) = (await acme.http.get("/leads/search", params={"q": "jane"})).json()
    assert await acme.score(match["id"]) == 40


async def test_bad_rows_are_reported_by_line_and_good_ones_go_in(acme: Org, scoring: Scoring) -> None:
    rows = [
        "page_view,ld_1,,,",
        ",ld_1,,,",
        "page_view,,,,",
        "page_view,ld_1,,yesterday,",
        "page_view,ld_1,,,{no json}",
        "page_view,ld_1,,,[]",
        "page_view,ld_1",
        "page_view,ld_2,,,",
    ]
    report = (await send(acme, HEADER + "\n".join(rows))).json()
    assert (report["imported"], report["errors"]) == (2, 6)
    assert [problem["line"] for problem in report["problems"]] == [3, 4, 5, 6, 7, 8]
    for problem, word in zip(
        report["problems"], ["event_type", "lead_id", "timestamp", "JSON", "metadata", "cells"], strict=True
    ):
        assert word in problem["reason"]
    await scoring.finish()
    assert sorted(event["lead_id"] for event in await acme.events()) == ["ld_1", "ld_2"]


async def test_a_quote_that_stays_open_costs_its_own_row_only(acme: Org, scoring: Scoring) -> None:
    report = (await send(acme, 'event_type,lead_id\n"open,ld_1\ngood,ld_2\ngood,ld_3\n')).json()
    assert (report["imported"], [problem["line"] for problem in report["problems"]]) == (2, [2])
    await scoring.finish()
    assert sorted(event["lead_id"] for event in await acme.events()) == ["ld_2", "ld_3"]


async def test_a_file_larger_than_a_commit_goes_in_whole(acme: Org, scoring: Scoring) -> None:
    rows = "".join(f"page_view,ld_{n % 10}\n" if n % 1_000 else "page_view,\n" for n in range(5_000))
    report = (await send(acme, "event_type,lead_id\n" + rows)).json()
    assert (report["imported"], report["errors"]) == (4_995, 5)
    assert [problem["line"] for problem in report["problems"]] == [2 + 1_000 * n for n in range(5)]
    await scoring.finish()
    response = await acme.http.get("/events", params={"limit": 1})
    assert response.headers["x-total-count"] == "4995"


async def test_a_row_with_an_event_id_goes_in_once(acme: Org, scoring: Scoring) -> None:
    content = "event_type,lead_id,event_id,timestamp\na,ld_1,mine,2025-08-15T12:00:00Z\n"
    for _ in range(2):
        assert (await send(acme, content)).json()["imported"] == 1
    report = (await send(acme, content.replace("a,ld_1", "b,ld_1"))).json()
    assert (report["imported"], report["errors"]) == (0, 1)
    await scoring.finish()
    assert [event["event_type"] for event in await acme.events()] == ["a"]


@pytest.mark.parametrize(
    ("arguments", "skipped"),
    [
        ({}, False),
        ({"params": {"skip_triggers": "true"}}, True),
        ({"params": {"skip_triggers": "false"}}, False),
        ({"data": {"skip_triggers": "true"}}, True),
        ({"data": {"skip_triggers": "1"}}, True),
        ({"data": {"skip_triggers": "false"}}, False),
    ],
    ids=["not asked", "query", "query says no", "form field", "form field as a number", "form field says no"],
)
async def test_triggers_are_skipped_when_asked(
    acme: Org, scoring: Scoring, database: Database, arguments: dict[str, Any], skipped: bool
) -> None:
    assert (await send(acme, "event_type,lead_id\na,ld_1\n", **arguments)).status_code == 202
    query = "SELECT skip_triggers FROM ingest_queue WHERE unit_id = $1"
    assert await database.pool.fetchval(query, acme.made.unit_id) is skipped
    await scoring.finish()


async def test_skip_triggers_is_true_or_false(anybody: Org) -> None:
    for arguments in ({"params": {"skip_triggers": "perhaps"}}, {"data": {"skip_triggers": "perhaps"}}):
        response = await send(anybody, HEADER, **arguments)
        assert fields(refused(response, 400)) == {"skip_triggers"}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\n",
        "lead_id,email\nld_1,a@b.example\n",
        "event_type\npage_view\n",
        "event_type,lead_id,lead_id\na,b,c\n",
        "event_type,lead_id\n".encode("utf-16"),
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
        b"PK\x03\x04" + b"\0" * 100,
        "event_type,lead_id," + "x" * 600_000,
    ],
)
async def test_what_is_no_csv_of_events_is_refused(anybody: Org, content: str | bytes) -> None:
    assert fields(refused(await send(anybody, content), 400)) == {"file"}


@pytest.mark.parametrize(
    "content_type", ["text/csv", "application/json", "application/x-www-form-urlencoded", "multipart/mixed", ""]
)
async def test_an_upload_of_another_type_is_refused(anybody: Org, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    response = await anybody.http.post("/import", content=b"event_type,lead_id\na,b\n", headers=headers)
    refused(response, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "arguments",
    [
        {"files": {"other": ("events.csv", b"event_type,lead_id\n", "text/csv")}},
        {"files": {"file": (None, b"event_type,lead_id\n")}},
        {"files": [("file", ("a.csv", b"event_type,lead_id\n")), ("file", ("b.csv", b"event_type,lead_id\n"))]},
        {"headers": {"Content-Type": "multipart/form-data"}, "content": b"x"},
        {"headers": {"Content-Type": "multipart/form-data; boundary=b"}, "content": b"no form"},
        {"headers": {"Content-Type": "multipart/form-data; boundary=b"}, "content": b""},
    ],
    ids=["other field", "no file", "two files", "no boundary", "no form", "empty"],
)
async def test_a_form_without_one_file_is_refused(anybody: Org, arguments: dict[str, Any]) -> None:
    refused(await anybody.http.post("/import", **arguments), 400)


async def test_an_upload_without_credentials_is_refused(http: httpx.AsyncClient) -> None:
    refused(await http.post("/import", files={"file": ("a.csv", b"event_type,lead_id\na,b\n")}), 401)
