"""Every operation of the reference that shows a sample: sent as shown, answered as shown, at each of its paths."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from leadvibe.store.database import Database
from tests.rest_compat.conftest import Org, Scoring, client, refused
from tests.rest_compat.samples import SAMPLES, Sample, misfits
from tests.rest_compat.test_delete_lead import finished


class World:
    """Makes what a sample names, each thing once, in an organisation of its own."""

    def __init__(self, org: Org, scoring: Scoring, database: Database) -> None:
        self._org, self._scoring, self._database = org, scoring, database
        self._made: dict[str, str] = {"unit": org.made.unit_id}

    async def filled(self, text: str) -> str:
        """The text with an id for every {name}."""
        for name in re.findall(r"{(\w+)}", text):
            text = text.replace(f"{{{name}}}", await self.get(name))
        return text

    async def body(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: await self.body(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [await self.body(inner) for inner in value]
        return await self.filled(value) if isinstance(value, str) else value

    async def get(self, name: str) -> str:
        if name not in self._made:
            maker = getattr(self, f"_{name}", None)
            self._made[name] = await (maker() if maker else self._row(name))
        return self._made[name]

    async def _row(self, name: str) -> str:
        """A row of configuration, as its own sample makes it."""
        item = next(s for s in SAMPLES if s.method == "PUT" and s.path.endswith(f"/{{{name}}}"))
        create = next(s for s in SAMPLES if s.method == "POST" and f"{s.path}/{{{name}}}" == item.path)
        response = await self._org.http.post(await self.filled(create.path), json=create.body)
        assert response.status_code == 201, response.text
        row = response.json()
        self._made[f"ruleset_of_{name}"] = row.get("ruleset_id", "")
        return str(next(row[key] for key in _KEYS if key in row))

    async def _history(self) -> str:
        """Two leads of one company, each with one event, the first by web, the second by e-mail."""
        await self._org.rule("page_view", 87)
        common = {"event_type": "page_view", "timestamp": datetime.now(UTC).isoformat()}
        await self._org.ingest(
            common | {"event_id": "ev_001", "lead_id": "ld_123", "aliases": _address("jane@acme.com"),
                      "metadata": {"path": "/pricing", "company": "Acme"}},
            common | {"event_id": "ev_002", "lead_id": "ld_456", "aliases": _address("joe@acme.com"),
                      "metadata": {"channel": "email"}},
        )  # fmt: skip
        await self._scoring.finish()
        return ""

    async def _account(self) -> str:
        await self.get("history")
        (account,) = (await self._org.http.get("/accounts")).json()["accounts"]
        return str(account["account_id"])

    async def _deleted_lead(self) -> str:
        await self.get("history")
        assert (await self._org.http.delete("/lead/ld_123")).status_code == 200
        await finished(self._org, "ld_123")
        return ""

    async def _metadata(self) -> str:
        """Metadata of a lead and of an account, with equal keys."""
        account_id = await self.get("account")
        metadata = '{"industry": "SaaS", "plan": "Pro"}'
        for table, key, row_id in (("leads", "lead_id", "ld_123"), ("accounts", "account_id", account_id)):
            await self._database.pool.execute(f"UPDATE {table} SET metadata = '{metadata}' WHERE {key} = $1", row_id)
        return ""

    async def _other_levels(self) -> str:
        """A further level of each kind: the last one of a kind stays."""
        body = {"name": "Other", "min_score": -1000, "max_score": -900}
        for kind in ("engagement", "profile", "account"):
            assert (await self._org.http.post(f"/{kind}-levels", json=body)).status_code == 201
        return ""


_KEYS = ("rule_id", "trigger_id", "decay_id", "filter_id", "stage_id", "level_id", "id", "ruleset_id")


def _address(value: str) -> list[dict[str, str]]:
    return [{"alias_kind": "email", "raw_value": value}]


@pytest.fixture
async def world(acme: Org, scoring: Scoring, database: Database) -> World:
    """Account-based scoring is on, as in the reference's samples."""
    assert (await acme.http.put("/settings/scoring", json={"abm_enabled": True})).status_code == 204
    return World(acme, scoring, database)


async def send(http: httpx.AsyncClient, sample: Sample, path: str, body: Any = None) -> httpx.Response:
    content: dict[str, Any] = {} if body is None else {"json": body}
    if sample.file is not None:
        content = {"files": {"file": ("events.csv", sample.file, "text/csv")}}
    return await http.request(sample.method, path, params=sample.query, **content)


def _ways() -> Iterator[Any]:
    """Every way to call an operation; what only reads can be called more than once in one test."""
    for sample in SAMPLES:
        for path in (sample.path, *sample.aliases):
            for schemes in [sample.auth] if sample.method == "GET" else [(scheme,) for scheme in sample.auth]:
                yield pytest.param(sample, path, schemes, id=f"{sample.method} {path} {'+'.join(schemes)}")


@pytest.mark.parametrize(("sample", "path", "schemes"), list(_ways()))
async def test_it_is_answered_as_shown(
    acme: Org, world: World, server: str, sample: Sample, path: str, schemes: tuple[str, ...]
) -> None:
    for name in sample.given:
        await world.get(name)
    url, body = await world.filled(path), await world.body(sample.body)
    headers = {"bearer": {"Authorization": acme.http.headers["Authorization"]}, "basic": acme.credential()}
    for scheme in schemes:
        async with client(server, **headers[scheme]) as http:
            response = await send(http, sample, url, body)
        assert response.status_code == sample.status, response.text
        if sample.answer is not None:
            assert list(misfits(response.json(), await world.body(sample.answer))) == []
        if sample.status == 204:
            assert response.content == b""


@pytest.mark.parametrize(
    ("sample", "path"),
    [pytest.param(s, path, id=f"{s.method} {path}") for s in SAMPLES for path in (s.path, *s.aliases)],
)
async def test_it_needs_credentials(http: httpx.AsyncClient, sample: Sample, path: str) -> None:
    refused(await send(http, sample, re.sub(r"{\w+}", "nobody", path), sample.body), 401, "unauthorized")
