"""Deleting events through GraphQL."""

from __future__ import annotations

from typing import Any

import pytest

from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.store.database import Database
from tests.pipeline.units import Unit, body
from tests.schema.conftest import Server

DELETE = "mutation ($ids: [ID!]!) { deleteEvents(ids: $ids) { deleted leadsRescored } }"


async def test_events_are_deleted(server: Server, database: Database, acme: Bootstrapped) -> None:
    unit = Unit(database, acme.unit_id)
    await unit.score(*(body(event_id=f"ev_{n}", lead=f"ld_{n % 2}") for n in range(3)))
    answer = await server.ask(DELETE, {"ids": ["ev_0", "ev_1", "other", "nul\0"]}, as_=acme)
    assert answer == {"data": {"deleteEvents": {"deleted": 2, "leadsRescored": 2}}}
    assert await unit.column("event_id") == ["ev_2"]


@pytest.mark.parametrize("ids", [[], ["x"] * 1001])
async def test_none_and_too_many_are_refused(server: Server, acme: Bootstrapped, ids: Any) -> None:
    answer = await server.ask(DELETE, {"ids": ids}, as_=acme)
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["invalid_request"]
