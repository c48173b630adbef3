"""Two units with the same ids and aliases: neither sees, finds or changes anything of the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from leadvibe.store.database import Database
from tests.rest_compat.conftest import Org, Scoring, add_unit, client, refused

EMAIL = {"alias_kind": "email", "raw_value": "jane@example.com"}
FILTER = {"event_type": "page_view", "count_threshold": 5, "time_window_ms": 1000}
FAMILIES = [
    ("/rulesets", {"name": "Fit"}, {"name": "Stolen"}, "ruleset_id"),
    ("/rules", {"event_type": "page_view", "weight": 3}, {"weight": 99}, "rule_id"),
    ("/filters", FILTER, {"count_threshold": 99}, "filter_id"),
    ("/inorganic-filters", FILTER, {"count_threshold": 99}, "filter_id"),
    ("/engagement-levels", {"name": "Below", "min_score": -9, "max_score": -1}, {"name": "Stolen"}, "stage_id"),
]
NAMES = [family[0] for family in FAMILIES]


def twin_events(colour: str, count: int) -> list[dict[str, Any]]:
    return [
        {
            "event_type": "page_view",
            "lead_id": "ld_1",
            "aliases": [EMAIL],
            "event_id": f"ev_{n}",
            "metadata": {"colour": colour},
        }
        for n in range(count)
    ]


@pytest.fixture
async def twins(acme: Org, rival: Org, scoring: Scoring) -> tuple[Org, Org]:
    """Acme and Rival with the same lead, alias and event ids. Acme's are red, Rival's blue."""
    await acme.rule("page_view", 10)
    await rival.rule("page_view", 1)
    await acme.ingest(*twin_events("red", 2))
    await rival.ingest(*twin_events("blue", 3))
    await rival.ingest({"event_type": "secret", "lead_id": "ld_rival", "aliases": [EMAIL | {"raw_value": "rob@x.io"}]})
    await scoring.finish()
    return acme, rival


async def test_equal_leads_have_their_own_scores(twins: tuple[Org, Org]) -> None:
    acme, rival = twins
    # The third event of a session counts 1.25 times, and a weight of 1 rounds to 1.
    assert (await acme.score("ld_1"), await rival.score("ld_1")) == (20, 3)
    assert (await acme.http.get("/leads/ld_1/score")).json()["score"] == 20


async def test_equal_event_ids_are_no_duplicates(twins: tuple[Org, Org]) -> None:
    for org, colour, count in zip(twins, ("red", "blue"), (2, 3), strict=True):
        events = await org.events(lead_id="ld_1")
        assert {event["metadata"]["colour"] for event in events} == {colour}
        assert {event["id"] for event in events} == {f"ev_{n}" for n in range(count)}


async def test_lists_show_nothing_foreign(twins: tuple[Org, Org]) -> None:
    acme, rival = twins
    for path in ("/leads", "/events", "/rules", "/rulesets", "/filters", "/engagement-levels"):
        text = (await acme.http.get(path)).text
        for foreign in (rival.made.org_id, rival.made.unit_id, "blue", "ld_rival", "secret"):
            assert foreign not in text, path
    (lead,) = (await acme.http.get("/leads")).json()["leads"]
    assert (lead["lead_id"], lead["score"], lead["org_id"]) == ("ld_1", 20, acme.made.org_id)


async def test_filters_and_totals_count_nothing_foreign(twins: tuple[Org, Org]) -> None:
    acme, _ = twins
    assert (await acme.http.get("/events")).headers["x-total-count"] == "2"
    assert (await acme.http.get("/leads", params={"page": 1})).json()["total"] == 1
    for query in ({"lead_id": "ld_rival"}, {"event_type": "secret"}, {"metadata": "colour:blue"}):
        assert await acme.events(**query) == []
    assert (await acme.http.get("/leads", params={"event_type": "secret"})).json() == {"leads": []}


async def test_a_search_finds_nothing_foreign(twins: tuple[Org, Org]) -> None:
    acme, rival = twins
    for q in ("rob", "ld_rival", "x.io"):
        assert (await acme.http.get("/leads/search", params={"q": q})).json() == []
        assert [match["id"] for match in (await rival.http.get("/leads/search", params={"q": q})).json()] == [
            "ld_rival"
        ]
    assert [match["id"] for match in (await acme.http.get("/leads/search", params={"q": "jane"})).json()] == ["ld_1"]


async def test_a_foreign_lead_does_not_exist(twins: tuple[Org, Org]) -> None:
    acme, rival = twins
    for path in ("/score/{}", "/leads/{}/score"):
        foreign = refused(await acme.http.get(path.format("ld_rival")), 404, "not_found")
        absent = refused(await acme.http.get(path.format("ld_nobody")), 404, "not_found")
        assert foreign["error"].replace("ld_rival", "ld_nobody") == absent["error"], "they look the same"
    ruleset_id = (await rival.http.get("/rulesets")).json()[0]["ruleset_id"]
    refused(await acme.http.get("/score/ld_1", params={"ruleset_id": ruleset_id}), 404, "not_found")


@pytest.mark.parametrize(("path", "body", "change", "key"), FAMILIES, ids=NAMES)
async def test_foreign_configuration_can_be_neither_seen_nor_changed(
    acme: Org, rival: Org, path: str, body: dict[str, Any], change: dict[str, Any], key: str
) -> None:
    made = (await rival.http.post(path, json=body)).json()
    item = f"{path}/{made[key]}"
    assert made[key] not in (await acme.http.get(path)).text
    foreign = refused(await acme.http.put(item, json=change), 404, "not_found")
    absent = refused(await acme.http.put(f"{path}/xx_nobody", json=change), 404, "not_found")
    assert foreign["error"].replace(made[key], "xx_nobody") == absent["error"], "they look the same"
    refused(await acme.http.delete(item), 404, "not_found")
    assert made in (await rival.http.get(path)).json()


async def test_a_rule_cannot_go_into_a_foreign_ruleset(acme: Org, rival: Org) -> None:
    foreign = (await rival.http.post("/rulesets", json={"name": "Fit"})).json()["ruleset_id"]
    rule = {"event_type": "page_view", "weight": 5}
    refused(await acme.http.post("/rules", json=rule | {"ruleset_id": foreign}), 404, "not_found")
    own = await acme.rule("page_view", 5)
    refused(await acme.http.put(f"/rules/{own['rule_id']}", json={"ruleset_id": foreign}), 404, "not_found")
    refused(await acme.http.get(f"/rulesets/{foreign}/rules"), 404, "not_found")
    assert (await rival.http.get("/rules")).json() == []
    assert [rule["ruleset_id"] for rule in (await acme.http.get("/rules")).json()] == [own["ruleset_id"]]


async def test_ids_and_owners_in_a_body_are_not_trusted(acme: Org, rival: Org) -> None:
    lies = {
        "unit_id": rival.made.unit_id,
        "org_id": rival.made.org_id,
        "ruleset_id": "rs_mine",
        "created_by": "mem_other",
    }
    made = (await acme.http.post("/rulesets", json={"name": "Fit"} | lies)).json()
    assert (made["unit_id"], made["org_id"]) == (acme.made.unit_id, acme.made.org_id)
    assert made["ruleset_id"] != "rs_mine" and made["created_by"] == acme.made.org_member_id
    changed = (await acme.http.put(f"/rulesets/{made['ruleset_id']}", json=lies)).json()
    assert {name: changed[name] for name in lies} == {name: made[name] for name in lies}


async def test_an_import_stays_in_its_unit(acme: Org, rival: Org, scoring: Scoring) -> None:
    content = f"event_type,lead_id,unit_id\npage_view,ld_1,{rival.made.unit_id}\n".encode()
    assert (await acme.http.post("/import", files={"file": ("a.csv", content)})).json()["imported"] == 1
    await scoring.finish()
    assert (len(await acme.events()), len(await rival.events())) == (1, 0)


async def test_units_of_one_organisation_are_closed_to_each_other(
    acme: Org, server: str, database: Database, scoring: Scoring
) -> None:
    second = await add_unit(database, acme.made, "Operator")
    authorization = acme.http.headers["Authorization"]
    first_headers = {"Authorization": authorization, "X-Unit-Id": acme.made.unit_id}
    second_headers = {"Authorization": authorization, "X-Unit-Id": second}
    async with client(server, **first_headers) as one, client(server, **second_headers) as two:
        here, there = replace(acme, http=one), replace(acme, http=two)
        await here.rule("page_view", 10)
        await here.ingest(*twin_events("red", 1))
        await there.ingest(*twin_events("blue", 1))
        await scoring.finish()
        assert (await here.score("ld_1"), await there.score("ld_1")) == (10, 0)
        assert [event["metadata"] for event in await there.events()] == [{"colour": "blue"}]
        assert (await two.get("/rules")).json() == (await two.get("/engagement-levels")).json() == []
