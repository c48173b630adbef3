"""Deleting a lead through GraphQL."""

from __future__ import annotations

import asyncio

from leadvibe.resolvers.bootstrap import Bootstrapped
from tests.schema.conftest import Server

CREATE = 'mutation { createLead(input: {id: "ld_1"}) { leadId } }'
DELETE = 'mutation { deleteLead(id: "ld_1") { leadId status deletedEvents error createdAt updatedAt } }'
STATUS = '{ leadDeletion(leadId: "ld_1") { status deletedEvents } }'


async def test_a_lead_is_deleted(server: Server, acme: Bootstrapped, rival: Bootstrapped) -> None:
    await server.ask(CREATE, as_=acme)
    for query, who in ((STATUS, acme), (DELETE, rival)):
        answer = await server.ask(query, as_=who)
        assert answer["errors"][0]["extensions"]["code"] == "not_found"
    begun = (await server.ask(DELETE, as_=acme))["data"]["deleteLead"]
    assert (begun["leadId"], begun["status"], begun["deletedEvents"], begun["error"]) == ("ld_1", "PENDING", 0, None)
    async with asyncio.timeout(30):
        while (await server.ask(STATUS, as_=acme))["data"]["leadDeletion"]["status"] != "COMPLETED":
            pass
    gone = await server.ask('{ lead(id: "ld_1") { leadId } }', as_=acme)
    assert gone["errors"][0]["extensions"]["code"] == "not_found"
