"""Sealing anew: every sealed column of every unit, with nothing lost on the way."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography.fernet import Fernet

from leadvibe.crypto import Vault
from leadvibe.resolvers.bootstrap import Bootstrapped
from leadvibe.store.database import Database
from leadvibe.store.delivery_tables import WebhookSecret
from leadvibe.store.sealed import reseal
from leadvibe.store.slack_tables import SlackApp, SlackConnection

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
NOW = datetime(2026, 3, 1, tzinfo=UTC)


async def fill(database: Database, org: Bootstrapped, vault: Vault, name: str) -> None:
    app = {"client_id": "1.2", "updated_by": "mem_1", "updated_at": NOW}
    team = {"team_id": "T1", "team_name": "Acme", "bot_user_id": "U0", "connected_by": "mem_1", "updated_at": NOW}
    sealed = {each: vault.seal(f"{name} {each}") for each in ("app", "token", "secret")}
    async with database.session() as session, session.begin():
        session.add(SlackApp(org_id=org.org_id, client_secret=sealed["app"], **app))
        session.add(SlackConnection(unit_id=org.unit_id, bot_token=sealed["token"], **team))
        session.add(WebhookSecret(unit_id=org.unit_id, secret=sealed["secret"], previous=None, created_at=NOW))


async def stored(database: Database) -> list[str]:
    rows = await database.pool.fetch(
        """
        SELECT client_secret FROM slack_apps UNION ALL SELECT bot_token FROM slack_connections
        UNION ALL SELECT secret FROM webhook_secrets
        """
    )
    return [row[0] for row in rows]


async def test_a_rotation_reaches_every_secret(database: Database, acme: Bootstrapped, rival: Bootstrapped) -> None:
    await fill(database, acme, Vault([OLD]), "acme")
    await fill(database, rival, Vault([OLD]), "rival")
    assert await reseal(database, Vault([NEW, OLD])) == (6, 0)
    opened = {Vault([NEW]).open(each) for each in await stored(database)}
    assert opened == {f"{name} {each}" for name in ("acme", "rival") for each in ("app", "token", "secret")}


async def test_what_opens_with_no_key_is_counted_and_left(
    database: Database, acme: Bootstrapped, rival: Bootstrapped
) -> None:
    await fill(database, acme, Vault([OLD]), "acme")
    await fill(database, rival, Vault([NEW]), "rival")
    before = set(await stored(database))
    assert await reseal(database, Vault([NEW])) == (3, 3)
    assert len(before & set(await stored(database))) == 3
