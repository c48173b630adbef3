"""POST /ingest: what is accepted, what is refused, and what happens when it is sent twice."""

from __future__ import annotations

import asyncio
import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.rest_compat.conftest import Org, Scoring, fields, refused

LEAD = {"event_type": "page_view", "lead_id": "ld_1"}
EMAIL = {"alias_kind": "email", "raw_value": "jane@example.com"}


def _in(**ahead: float) -> str:
    return (datetime.now(UTC) + timedelta(**ahead)).isoformat()


def _nested(depth: int) -> dict[str, Any]:
    return {"deeper": _nested(depth - 1)} if depth else {}


async def test_one_event_is_answered_with_its_metadata(acme: Org, scoring: Scoring) -> None:
    response = await acme.http.post("/ingest", json=LEAD | {"metadata": {"path": "/pricing", "n": [1, None, True]}})
    body = response.json()
    assert response.status_code == 202
    assert body == {
        "message": "event ingested",
        "event_id": body["event_id"],
        "metadata": {"path": "/pricing", "n": [1, None, True]},
    }
    await scoring.finish()
    (event,) = await acme.events()
    assert (event["id"], event["lead_id"], event["metadata"]) == (body["event_id"], "ld_1", body["metadata"])


async def test_an_accepted_event_is_scored(acme: Org, scoring: Scoring) -> None:
    await acme.rule("page_view", 7)
    await acme.ingest(LEAD, LEAD | {"lead_id": "ld_2"}, LEAD | {"event_type": "worthless"})
    await scoring.finish()
    assert [await acme.score(lead) for lead in ("ld_1", "ld_2")] == [7, 7]
    assert [event["score_delta"] for event in await acme.events(lead_id="ld_1")] == [None, 7]


async def test_an_event_keeps_its_own_time_and_others_get_the_present(acme: Org, scoring: Scoring) -> None:
    before = datetime.now(UTC)
    for written in ("2025-08-15T14:00:00+02:00", "2025-08-15t12:00:00z"):
        await acme.ingest(LEAD | {"timestamp": written})
    await acme.ingest(LEAD | {"timestamp": None}, LEAD)
    await scoring.finish()
    *present, one, other = [datetime.fromisoformat(event["timestamp"]) for event in await acme.events()]
    assert one == other == datetime(2025, 8, 15, 12, tzinfo=UTC)
    assert all(before <= moment <= datetime.now(UTC) for moment in present) and len(present) == 2


async def test_a_decay_event_comes_from_the_system(acme: Org, scoring: Scoring) -> None:
    response = await acme.http.post("/ingest", json=LEAD | {"event_type": "DECAY", "metadata": {"channel": "web"}})
    assert response.json()["metadata"] == {"channel": "system"}


@pytest.mark.parametrize("envelope", [list, lambda events: {"events": events}], ids=["array", "object"])
async def test_many_events_have_a_result_each(acme: Org, scoring: Scoring, envelope: Any) -> None:
    response = await acme.http.post("/ingest", json=envelope([LEAD, LEAD | {"event_id": "mine"}]))
    body = response.json()
    assert response.status_code == 202
    assert {key: value for key, value in body.items() if key != "results"} == {
        "message": "events ingested",
        "accepted": 2,
        "duplicates": 0,
        "rejected": 0,
    }
    first, second = body["results"]
    assert first == {"status": "accepted", "event_id": first["event_id"]}
    assert second == {"status": "accepted", "event_id": "mine"}
    await scoring.finish()
    assert {event["id"] for event in await acme.events()} == {first["event_id"], "mine"}


@pytest.mark.parametrize("envelope", [[], {"events": []}])
async def test_no_events_are_accepted_as_none(anybody: Org, envelope: Any) -> None:
    response = await anybody.http.post("/ingest", json=envelope)
    assert response.status_code == 202
    assert (response.json()["accepted"], response.json()["results"]) == (0, [])


async def test_good_events_are_not_lost_for_bad_neighbours(acme: Org, scoring: Scoring) -> None:
    await acme.ingest(LEAD | {"event_id": "known"})
    events = [
        LEAD | {"event_id": "first"},
        {"event_type": "page_view"},
        "no event",
        LEAD | {"event_id": "known"},
        LEAD | {"event_id": "known", "metadata": {"other": "content"}},
        LEAD | {"metadata": {"much": "x" * 110_000}},
        None,
        LEAD | {"event_id": "last"},
        LEAD | {"event_id": "last"},
    ]
    response = await acme.http.post("/ingest", json=events)
    body = response.json()
    assert response.status_code == 202
    assert (body["accepted"], body["duplicates"], body["rejected"]) == (2, 2, 5)
    assert [(result["status"], result.get("code", "")) for result in body["results"]] == [
        ("accepted", ""),
        ("rejected", "invalid_event"),
        ("rejected", "invalid_request"),
        ("duplicate", ""),
        ("rejected", "idempotency_conflict"),
        ("rejected", "payload_too_large"),
        ("rejected", "invalid_request"),
        ("accepted", ""),
        ("duplicate", ""),
    ]
    assert body["results"][1]["details"] == [
        {"field": "lead_id", "message": "is required, unless aliases name the lead"}
    ]
    await scoring.finish()
    assert {event["id"] for event in await acme.events()} == {"known", "first", "last"}


async def test_two_thousand_events_go_in_at_once_and_one_more_is_too_many(acme: Org, scoring: Scoring) -> None:
    refused(await acme.http.post("/ingest", json=[LEAD] * 2_001), 413, "too_many_events")
    refused(await acme.http.post("/ingest", json={"events": [LEAD] * 2_001}), 413, "too_many_events")
    await acme.ingest(*[LEAD] * 2_000)
    await scoring.finish()
    response = await acme.http.get("/events", params={"limit": 1})
    assert response.headers["x-total-count"] == "2000"


@pytest.mark.parametrize(
    "names", [{"event_id": "mine-1"}, {"message_id": "mine-1"}, {"event_id": "", "message_id": "mine-1"}]
)
async def test_an_event_sent_again_is_a_duplicate_and_scored_once(acme: Org, scoring: Scoring, names: Any) -> None:
    await acme.rule("page_view", 5)
    event = LEAD | names | {"metadata": {"a": 1, "b": 2}}
    first = await acme.http.post("/ingest", json=event)
    again = await acme.http.post("/ingest", json=event | {"metadata": {"b": 2, "a": 1}})
    assert (first.status_code, again.status_code) == (202, 202)
    assert "duplicate" not in first.json()
    assert again.json() == first.json() | {"duplicate": True}
    await scoring.finish()
    later = await acme.http.post("/ingest", json=event)
    assert later.json()["duplicate"] is True, "also when the first one was scored long ago"
    await scoring.finish()
    assert await acme.score("ld_1") == 5


async def test_an_idempotency_key_names_the_event(acme: Org, scoring: Scoring) -> None:
    headers = {"Idempotency-Key": "upload 7"}
    first = await acme.http.post("/ingest", json=LEAD, headers=headers)
    again = await acme.http.post("/ingest", json=LEAD, headers=headers)
    assert again.json() == first.json() | {"duplicate": True}
    other = await acme.http.post("/ingest", json=LEAD | {"lead_id": "ld_2"}, headers=headers)
    refused(other, 409, "idempotency_conflict")
    await scoring.finish()
    assert [event["id"] for event in await acme.events()] == [first.json()["event_id"]]


async def test_an_idempotency_key_names_every_event_of_an_array(acme: Org) -> None:
    headers, events = {"Idempotency-Key": "upload"}, [LEAD, LEAD | {"event_type": "other"}]
    first = (await acme.http.post("/ingest", json=events, headers=headers)).json()
    again = (await acme.http.post("/ingest", json=events, headers=headers)).json()
    assert (first["accepted"], again["duplicates"]) == (2, 2)
    assert [result["event_id"] for result in again["results"]] == [result["event_id"] for result in first["results"]]


async def test_an_event_id_goes_before_the_idempotency_key(acme: Org) -> None:
    for event_id in ("a", "b"):
        response = await acme.http.post(
            "/ingest", json=LEAD | {"event_id": event_id}, headers={"Idempotency-Key": "same"}
        )
        assert response.json()["event_id"] == event_id and "duplicate" not in response.json()


@pytest.mark.parametrize(
    "change",
    [
        {"event_type": "other"},
        {"lead_id": "ld_2"},
        {"metadata": {"path": "/b"}},
        {"timestamp": "2025-01-01T00:00:00Z"},
        {"aliases": [EMAIL]},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_the_same_id_with_other_content_is_a_conflict(acme: Org, scoring: Scoring, change: dict) -> None:
    await acme.ingest(LEAD | {"event_id": "mine"})
    refused(await acme.http.post("/ingest", json=LEAD | {"event_id": "mine"} | change), 409, "idempotency_conflict")
    await scoring.finish()
    assert [event["event_type"] for event in await acme.events()] == ["page_view"]


async def test_of_many_equal_requests_at_once_one_is_accepted(acme: Org, scoring: Scoring) -> None:
    requests = [acme.http.post("/ingest", json=LEAD | {"event_id": "race"}) for _ in range(20)]
    answers = [response.json() for response in await asyncio.gather(*requests)]
    assert sum("duplicate" not in answer for answer in answers) == 1
    assert {answer["event_id"] for answer in answers} == {"race"}
    await scoring.finish()
    assert len(await acme.events()) == 1


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_an_idempotency_key_has_a_length(anybody: Org, key: str) -> None:
    refused(await anybody.http.post("/ingest", json=LEAD, headers={"Idempotency-Key": key}), 400, "invalid_key")


async def test_an_alias_names_the_lead_however_it_is_written(acme: Org, scoring: Scoring) -> None:
    await acme.rule("page_view", 1)
    for alias in (
        {"aliases": [EMAIL]},
        {"aliases": [{"alias_kind": "email", "raw_value": " JANE@Example.com "}]},
        {"alias_kind": "email", "alias": "Jane@example.com"},
        {"aliases": [EMAIL, {"alias_kind": "phone", "raw_value": "+49 (30) 12-34"}]},
        {"alias_kind": "phone", "alias": "+49301234"},
    ):
        await acme.ingest({"event_type": "page_view"} | alias)
        await scoring.finish()
    (match,) = (await acme.http.get("/leads/search", params={"q": "jane@"})).json()
    assert match["best_alias"] == "jane@example.com"
    assert {event["lead_id"] for event in await acme.events()} == {match["id"]}


async def test_the_deprecated_alias_pair_is_never_shown(acme: Org, scoring: Scoring) -> None:
    response = await acme.http.post(
        "/ingest", json={"event_type": "page_view", "alias_kind": "email", "alias": "a@b.example"}
    )
    assert not {"alias", "alias_kind"} & set(response.json())
    await scoring.finish()
    (event,) = await acme.events()
    assert not {"alias", "alias_kind"} & set(event)


async def test_a_unit_in_the_body_is_not_trusted(acme: Org, rival: Org, scoring: Scoring) -> None:
    await acme.ingest(LEAD | {"unit_id": rival.made.unit_id, "org_id": rival.made.org_id, "colour": "blue"})
    await scoring.finish()
    assert (len(await acme.events()), len(await rival.events())) == (1, 0)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"lead_id": "ld_1"}, "event_type"),
        ({"lead_id": "ld_1", "event_type": ""}, "event_type"),
        ({"lead_id": "ld_1", "event_type": " \t"}, "event_type"),
        (LEAD | {"event_type": 5}, "event_type"),
        (LEAD | {"event_type": "x" * 201}, "event_type"),
        (LEAD | {"event_type": "a\0b"}, "event_type"),
        ({"event_type": "page_view"}, "lead_id"),
        ({"event_type": "page_view", "lead_id": "", "aliases": []}, "lead_id"),
        (LEAD | {"lead_id": ["ld_1"]}, "lead_id"),
        (LEAD | {"lead_id": "ld\0"}, "lead_id"),
        (LEAD | {"lead_id": "x" * 201}, "lead_id"),
        (LEAD | {"event_id": "\0"}, "event_id"),
        (LEAD | {"event_id": 7}, "event_id"),
        (LEAD | {"message_id": {}}, "message_id"),
        (LEAD | {"aliases": "jane"}, "aliases"),
        (LEAD | {"aliases": ["jane"]}, "aliases.0"),
        (LEAD | {"aliases": [EMAIL] * 51}, "aliases"),
        (LEAD | {"aliases": [EMAIL, EMAIL | {"alias_kind": "fax"}]}, "aliases.1.alias_kind"),
        (LEAD | {"aliases": [{"raw_value": "x"}]}, "aliases.0.alias_kind"),
        (LEAD | {"aliases": [{"alias_kind": ["email"], "raw_value": "x"}]}, "aliases.0.alias_kind"),
        (LEAD | {"aliases": [{"alias_kind": "email"}]}, "aliases.0.raw_value"),
        (LEAD | {"aliases": [EMAIL | {"raw_value": "  "}]}, "aliases.0.raw_value"),
        (LEAD | {"aliases": [EMAIL | {"raw_value": 5}]}, "aliases.0.raw_value"),
        (LEAD | {"aliases": [EMAIL | {"raw_value": "\0"}]}, "aliases.0.raw_value"),
        (LEAD | {"aliases": [{"alias_kind": "phone", "raw_value": "call me"}]}, "aliases.0.raw_value"),
        (LEAD | {"alias_kind": "fax", "alias": "1"}, "alias_kind"),
        (LEAD | {"alias": "1"}, "alias_kind"),
        (LEAD | {"alias_kind": "email"}, "alias"),
        (LEAD | {"timestamp": "yesterday"}, "timestamp"),
        (LEAD | {"timestamp": 1_700_000_000}, "timestamp"),
        (LEAD | {"timestamp": "2025-08-15T12:00:00"}, "timestamp"),
        (LEAD | {"timestamp": "0001-01-01T00:00:00+14:00"}, "timestamp"),
        (LEAD | {"timestamp": "1969-12-31T23:59:59Z"}, "timestamp"),
        (LEAD | {"timestamp": "9999-12-31T23:59:59Z"}, "timestamp"),
        (LEAD | {"metadata": []}, "metadata"),
        (LEAD | {"metadata": "{}"}, "metadata"),
        (LEAD | {"metadata": {"deep": [{"a\0": 1}]}}, "metadata"),
        (LEAD | {"metadata": {"deep": [{"a": "\0"}]}}, "metadata"),
        (LEAD | {"metadata": _nested(300)}, "metadata"),
    ],
)
async def test_a_wrong_field_is_named(anybody: Org, body: dict[str, Any], field: str) -> None:
    assert fields(refused(await anybody.http.post("/ingest", json=body), 400, "invalid_event")) == {field}


async def test_all_wrong_fields_are_named_at_once(anybody: Org) -> None:
    body = {"event_type": 5, "timestamp": "soon", "metadata": [], "lead_id": {}}
    named = fields(refused(await anybody.http.post("/ingest", json=body), 400, "invalid_event"))
    assert named == {"event_type", "timestamp", "metadata", "lead_id"}


async def test_the_future_begins_in_an_hour(acme: Org) -> None:
    assert (await acme.http.post("/ingest", json=LEAD | {"timestamp": _in(minutes=59)})).status_code == 202
    body = refused(await acme.http.post("/ingest", json=LEAD | {"timestamp": _in(minutes=61)}), 400, "invalid_event")
    assert fields(body) == {"timestamp"}


async def test_metadata_has_100_kilobytes_at_most(acme: Org, scoring: Scoring) -> None:
    def event(size: int) -> dict[str, Any]:
        return LEAD | {"metadata": {"m": "x" * (size - len('{"m":""}'))}}

    assert (await acme.http.post("/ingest", json=event(100 * 1024))).status_code == 202
    refused(await acme.http.post("/ingest", json=event(100 * 1024 + 1)), 413, "payload_too_large")
    await scoring.finish()
    assert len(await acme.events()) == 1


async def test_a_body_of_more_than_16_megabytes_is_refused(anybody: Org) -> None:
    refused(await anybody.http.post("/ingest", content=b" " * (16 * 1024 * 1024 + 1)), 413, "payload_too_large")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"[",
        b'{"event_type": "a",}',
        b"{'event_type': 'a'}",
        b'{"event_type": NaN}',
        b'{"event_type": "a"} {}',
        b"\xff\xfe",
        b'{"event_type": "\xe4"}',
        b'{"event_type": "a", "lead_id": "\\ud800"}',
        b'{"event_type": "a", "lead_id": "b", "metadata": {"\\udfff": 1}}',
        b'{"event_type": "\0"}',
        '{"event_type": "a", "lead_id": "b"}'.encode("utf-16"),
        gzip.compress(b'{"event_type": "a", "lead_id": "b"}', mtime=0),
        b"[" * 100_000,
        b"event_type=a&lead_id=b",
    ],
)
async def test_what_is_not_json_is_refused(anybody: Org, body: bytes) -> None:
    refused(await anybody.http.post("/ingest", content=body), 400, "invalid_json")


@pytest.mark.parametrize("body", [b'"text"', b"5", b"1.5", b"true", b"null"])
async def test_json_that_is_no_event_is_refused(anybody: Org, body: bytes) -> None:
    refused(await anybody.http.post("/ingest", content=body), 400, "invalid_request")


@pytest.mark.parametrize("events", ["text", 5, None, {}])
async def test_an_envelope_without_an_array_is_refused(anybody: Org, events: Any) -> None:
    assert refused(await anybody.http.post("/ingest", json={"events": events}), 400)


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-8", "application/x-www-form-urlencoded", "text/plain", "", "nonsense"],
)
async def test_json_is_read_whatever_its_content_type_is_called(acme: Org, content_type: str) -> None:
    """`curl -d` and beacons send JSON under other names."""
    headers = {"Content-Type": content_type}
    assert (await acme.http.post("/ingest", content=json.dumps(LEAD).encode(), headers=headers)).status_code == 202


# store/database.py: SQLAlchemy reads jsonb with the json module, whose integers have no end; orjson
# cannot write them again.


@pytest.mark.parametrize(
    "number",
    [
        pytest.param("1" + "0" * 29),
        pytest.param("-1e29"),
        pytest.param("18446744073709551616"),
        "18446744073709551615",
        "1e400",
    ],
)
async def test_a_huge_number_in_metadata_spoils_no_list(acme: Org, scoring: Scoring, number: str) -> None:
    body = f'{{"event_type": "a", "lead_id": "b", "metadata": {{"n": {number}}}}}'
    assert (await acme.http.post("/ingest", content=body)).status_code in (202, 400)
    await acme.ingest(LEAD)
    await scoring.finish()
    assert "page_view" in [event["event_type"] for event in await acme.events()]
