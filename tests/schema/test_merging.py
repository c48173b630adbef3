"""Merging leads through GraphQL."""

from __future__ import annotations

from typing import Any

import pytest

from leadvibe.resolvers.bootstrap import Bootstrapped
from tests.schema.conftest import Server

MERGE = """mutation ($input: MergeInput!) { mergeLeads(input: $input) {
    target { leadId score metadata } mergedSources movedEvents truncatedEvents
} }"""
PREVIEW = """query ($input: MergeInput!) { mergePreview(input: $input) {
    targetLeadId sourceLeadIds targetEvents totalEvents totalAliases totalSessions targetScore
    sourceScores { leadId score } accountConflict accounts { name }
} }"""
INPUT = {"targetLeadId": "ld_a", "sourceLeadIds": ["ld_b"]}


@pytest.fixture
async def leads(server: Server, acme: Bootstrapped) -> None:
    for lead_id in ("ld_a", "ld_b"):
        query = "mutation ($input: LeadInput!) { createLead(input: $input) { leadId } }"
        variables = {"input": {"id": lead_id, "metadata": {lead_id: 1}}}
        assert "errors" not in await server.ask(query, variables, as_=acme)


async def test_leads_are_merged(server: Server, acme: Bootstrapped, leads: None) -> None:
    preview = await server.ask(PREVIEW, {"input": INPUT}, as_=acme)
    assert preview["data"]["mergePreview"] == {
        "targetLeadId": "ld_a",
        "sourceLeadIds": ["ld_b"],
        "targetEvents": 0,
        "totalEvents": 0,
        "totalAliases": 0,
        "totalSessions": 0,
        "targetScore": 0,
        "sourceScores": [{"leadId": "ld_b", "score": 0}],
        "accountConflict": False,
        "accounts": [],
    }
    truncate = {"policy": "BEFORE", "before": "2026-03-01T12:00:00Z"}
    merged = await server.ask(MERGE, {"input": INPUT | {"truncate": truncate}}, as_=acme)
    assert merged["data"]["mergeLeads"] == {
        "target": {"leadId": "ld_a", "score": 0, "metadata": {"ld_a": 1, "ld_b": 1}},
        "mergedSources": ["ld_b"],
        "movedEvents": 0,
        "truncatedEvents": 0,
    }
    source = await server.ask('{ lead(id: "ld_b") { mergedInto } }', as_=acme)
    assert source["data"]["lead"] == {"mergedInto": "ld_a"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"sourceLeadIds": []}, "invalid_request"),
        ({"sourceLeadIds": ["ld_a"]}, "invalid_request"),
        ({"sourceLeadIds": ["nobody"]}, "not_found"),
        ({"truncate": {"policy": "KEEP_LAST_N"}}, "invalid_request"),
        ({"truncate": {"policy": "KEEP_LAST_N", "limit": -1}}, "invalid_request"),
        ({"truncate": {"policy": "BEFORE"}}, "invalid_request"),
        ({"truncate": {"policy": "ALL"}}, "invalid_query"),
    ],
)
async def test_a_bad_merge_is_refused(
    server: Server, acme: Bootstrapped, leads: None, change: dict[str, Any], code: str
) -> None:
    for query in (MERGE, PREVIEW):
        answer = await server.ask(query, {"input": INPUT | change}, as_=acme)
        assert answer["errors"][0]["extensions"]["code"] == code, answer
