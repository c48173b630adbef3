"""The audit suite of the npm package graphql-http."""

from __future__ import annotations

from tests.clients.conftest import Node


async def test_every_audit_passes(node: Node, server: str) -> None:
    """Also those whose failure would only be a notice."""
    results = await node("audit.mjs", server + "/graphql")
    assert len(results) > 50
    assert [result for result in results if result["status"] != "ok"] == []
