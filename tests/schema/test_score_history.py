"""Scores over time through GraphQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.store.config_tables import Ruleset
from leadvibe.store.database import Database
from leadvibe.store.tables import Lead, ScoreSnapshot
from tests.schema.conftest import Server

NOW = datetime.now(UTC)


@pytest.fixture
async def scored(database: Database, acme: Bootstrapped) -> None:
    """ld_1 had 3 points 9 days ago, 4 two days ago and has 10 now."""
    own = {"unit_id": acme.unit_id}
    async with database.session() as session, session.begin():
        session.add(Ruleset(**own, ruleset_id="rs_1", org_id=acme.org_id, name="Default", is_primary=True))
        session.add(Lead(**own, lead_id="ld_1", score=10, last_event_at=NOW, created_at=NOW - timedelta(days=99)))
        for day, score in ((9, 3), (2, 4)):
            at = NOW - timedelta(days=day)
            session.add(ScoreSnapshot(**own, lead_id="ld_1", ruleset_id="rs_1", snapshot_at=at, score=score))


@pytest.mark.usefixtures("scored")
async def test_history_and_gains(server: Server, acme: Bootstrapped) -> None:
    query = """query ($start: DateTime, $end: DateTime) {
        a: scoreHistory(leadId: "ld_1") { leadId count snapshots { score rulesetId } }
        b: scoreHistory(leadId: "ld_1", startDate: $start, endDate: $end, rulesetId: "rs_1") {
            start end snapshots { snapshotAt score } }
        scoreGains(range: LAST_7D, limit: 5) { leadId score scoreGain lastEventAt }
    }"""
    start, end = ((NOW - timedelta(days=d)).isoformat().replace("+00:00", "Z") for d in (5, 3))
    answer = await server.ask(query, {"start": start, "end": end}, as_=acme)
    assert answer == {
        "data": {
            "a": {
                "leadId": "ld_1",
                "count": 2,
                "snapshots": [{"score": 3, "rulesetId": "rs_1"}, {"score": 4, "rulesetId": "rs_1"}],
            },
            "b": {"start": start, "end": end, "snapshots": [{"snapshotAt": start, "score": 3}]},
            "scoreGains": [
                {
                    "leadId": "ld_1",
                    "score": 10,
                    "scoreGain": 7,
                    "lastEventAt": NOW.isoformat().replace("+00:00", "Z"),
                }
            ],
        }
    }


@pytest.mark.usefixtures("scored")
@pytest.mark.parametrize(
    ("field", "code"),
    [
        ('scoreHistory(leadId: "ld_1", days: 0) { count }', "invalid_request"),
        ('scoreHistory(leadId: "ld_1", days: 91) { count }', "invalid_request"),
        ('scoreHistory(leadId: "ld_1", startDate: "2026-01-01T00:00:00Z") { count }', "invalid_request"),
        ('scoreHistory(leadId: "nobody") { count }', "not_found"),
        ('scoreHistory(leadId: "ld_1", rulesetId: "rs_2") { count }', "not_found"),
        ("scoreGains(range: LAST_90D) { leadId }", "invalid_request"),
        ("scoreGains(limit: 0) { leadId }", "invalid_request"),
    ],
)
async def test_bad_input_is_refused(server: Server, acme: Bootstrapped, field: str, code: str) -> None:
    answer = await server.ask(f"{{ {field} }}", as_=acme)
    assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
