"""The values of metadata, each asked for as what it is."""

from __future__ import annotations

from typing import Any

import pytest

from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.schema.metadata import value_at
from tests.schema.conftest import Server

METADATA = {
    "plan": "pro",
    "seats": 40,
    "share": 0.5,
    "trial": False,
    "renews": "2026-03-01T13:00:00+01:00",
    "company": {"size": 250, "cities": ["Köln", "Oslo"]},
    "utm.source": "ad",
    "none": None,
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("plan", "pro"),
        ("company.size", 250),
        ("company.cities.1", "Oslo"),
        ("utm.source", "ad"),
        ("company.cities.2", None),
        ("company.cities.-1", None),
        ("company.cities.²", None),
        ("company.cities." + "9" * 5000, None),
        ("company.cities.0.x", None),
        ("plan.0", None),
        ("", None),
        ("company.", None),
        (".plan", None),
    ],
)
def test_a_path_leads_to_a_value_or_to_none(path: str, value: Any) -> None:
    assert value_at(METADATA, path) == value


ASKED = {
    "plan": ('metadataText(path: "plan")', "pro"),
    "city": ('metadataText(path: "company.cities.0")', "Köln"),
    "noText": ('metadataText(path: "seats")', None),
    "seats": ('metadataNumber(path: "seats")', 40),
    "share": ('metadataNumber(path: "share")', 0.5),
    "noNumber": ('metadataNumber(path: "trial")', None),
    "trial": ('metadataBoolean(path: "trial")', False),
    "noBoolean": ('metadataBoolean(path: "none")', None),
    "renews": ('metadataTime(path: "renews")', "2026-03-01T12:00:00Z"),
    "noTime": ('metadataTime(path: "plan")', None),
}
FIELDS = " ".join(f"{name}: {field}" for name, (field, _) in ASKED.items())
VALUES = {name: value for name, (_, value) in ASKED.items()}


async def test_a_lead_tells_each_value_with_its_type(server: Server, acme: Bootstrapped) -> None:
    make = f"mutation ($input: LeadInput!) {{ createLead(input: $input) {{ {FIELDS} }} }}"
    made = await server.ask(make, {"input": {"id": "ld_ada", "metadata": METADATA}}, as_=acme)
    assert made == {"data": {"createLead": VALUES}}
    listed = await server.ask(f"{{ leads {{ nodes {{ {FIELDS} }} }} }}", as_=acme)
    assert listed == {"data": {"leads": {"nodes": [VALUES]}}}
